"""What HTTP-speaking code shares: problem+json, paging, ETags, the pydantic bridge, server-sent events."""
