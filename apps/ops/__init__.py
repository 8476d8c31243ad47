"""Health probes and what operators need."""
