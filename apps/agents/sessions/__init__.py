"""Conversations, what is remembered of them, and how long: /v1/sessions."""
