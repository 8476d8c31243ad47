"""Who did what: the append-only, hash-chained record of security-relevant acts (SPEC 2.7, 9.1)."""
