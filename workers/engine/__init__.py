"""What runs jobs inside a worker process: takes ids, claims rows, runs handlers, keeps leases, sweeps up.

Six threads around one rule, "the row decides": see docs/tour.md.
"""
