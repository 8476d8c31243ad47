"""What differs from one graph server to the next: texts and mappings, one module a server. Pure."""
