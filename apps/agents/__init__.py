"""Agents: sessions now; runs and their steps."""
