"""A worker's /metrics, on 127.0.0.1."""

import structlog
from prometheus_client import start_http_server

log = structlog.get_logger("metrics")


def serve(port: int) -> None:
    """Serve in a thread of its own. A port in use costs the metrics, not the worker."""
    try:
        start_http_server(port, addr="127.0.0.1")
    except OSError as error:
        log.error("metrics_port_unavailable", port=port, error=str(error))
