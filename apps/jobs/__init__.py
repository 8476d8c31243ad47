"""Workflow B: jobs, their events, the queue's sending end, and the streams that show them. See docs/tour.md."""
