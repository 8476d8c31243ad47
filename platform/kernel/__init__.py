"""Shared ground: code every storey may use. Imports nothing of ours."""
