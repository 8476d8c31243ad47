"""What carries agent runs inside a worker process: holds, leases, their log, and the sweep. See docs/runs.md.

The row decides, as for jobs: a Celery task is a hint that a run may have something to do.
"""
