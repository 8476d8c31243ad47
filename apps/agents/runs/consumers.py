"""A run's events as server-sent events and over websocket, by the code that streams those of jobs."""

from apps.agents.runs.log import RUN_LOG
from apps.jobs.consumers import LogEvents, LogSocket


class RunEvents(LogEvents):
    """GET /v1/agent-runs/{id}/events."""

    kind = RUN_LOG


class RunSocket(LogSocket):
    """/ws/agent-runs/{id}."""

    kind = RUN_LOG
