"""What runs jobs inside a worker process: takes ids, claims rows, runs handlers, keeps leases, sweeps up.

Five threads around one rule, "the row decides": see docs/tour.md.
"""
