"""Health, metrics, the index."""
