"""Named agents, in versions: /v1/agents."""
