"""A provider without a model: deterministic rules that answer well enough to use and test the whole platform."""
