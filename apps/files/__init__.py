"""A tenant's files: what is uploaded for imports, and what exports and backups write."""
