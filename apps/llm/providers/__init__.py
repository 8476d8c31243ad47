"""One file for each wire that providers speak; registry.py says which file speaks which."""
