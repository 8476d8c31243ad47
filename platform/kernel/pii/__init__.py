"""Personal data and secrets in text and JSON: what they look like, and what is put in their place (SPEC 2.7)."""
