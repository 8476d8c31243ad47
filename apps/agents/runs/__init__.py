"""Runs: accepted, moved on, listed, shown, streamed: /v1/agent-runs. What a run thinks is phases/ and thinking/."""
