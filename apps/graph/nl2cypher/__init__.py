"""From a question in plain words to an answer from the graph: six stages, pure (SPEC 8 step 3)."""
