"""Commands of the language models."""
