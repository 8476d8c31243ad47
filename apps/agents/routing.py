"""Routes of the streams of runs."""

from apps.agents.runs.consumers import RunEvents, RunSocket
from apps.jobs.routing import StreamRoutes

RUN_STREAMS = StreamRoutes("v1/agent-runs/<str:run_id>/events", "ws/agent-runs/<str:run_id>", RunEvents, RunSocket)
