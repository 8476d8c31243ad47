"""What models are told, one text file for each phase, and the catalogue of prompts whose category is known."""
