"""Logs: one JSON line an event in production, readable in development. Metrics: kernel/metrics.py."""

from config.env import env

LOG_FORMAT = env.choice("AGENTIC_LOG_FORMAT", "json", ("json", "console"), "How log lines look.")
LOG_LEVEL = env.choice(
    "AGENTIC_LOG_LEVEL", "INFO", ("DEBUG", "INFO", "WARNING", "ERROR"), "Least level that is logged."
)
METRICS_PORT = env.integer("AGENTIC_METRICS_PORT", 0, "Port of a worker's /metrics on 127.0.0.1; 0: none.", 0, 65535)
LOGGING_CONFIG = "kernel.logs.configure"
LOGGING = {"format": LOG_FORMAT, "level": LOG_LEVEL}
