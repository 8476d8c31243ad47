"""Sliding windows: who may do how much in any minute or day. One call to Redis, or this process's share without it."""
