"""Questions understood without a model: words, phrases, what they mean, and the query tree that answers them."""
