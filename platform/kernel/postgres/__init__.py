"""Django's PostgreSQL backend, with a pool that checks its connections without asking the server."""
