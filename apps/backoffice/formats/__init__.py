"""How dates and numbers look in the administration pages, by language."""
