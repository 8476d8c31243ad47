"""The API servers that api.py and history.py talk to: the platform's layouts, and the twin."""

from setting import Setting, Spawned, free_port

BEST_GRANIAN = "--workers 2 --blocking-threads 4"  # fewer threads than AGENTIC_DB_POOL_MAX
# What was tried for two cores; `api.py --layouts` prints them side by side.
LAYOUTS = {
    "2 workers x 1 thread": "--workers 2 --blocking-threads 1",
    "2 workers x 2 threads": "--workers 2 --blocking-threads 2",
    "2 workers x 4 threads": "--workers 2 --blocking-threads 4",
    "2 workers x 8 threads": "--workers 2 --blocking-threads 8",
    "2 workers x 4 threads, backpressure 128": "--workers 2 --blocking-threads 4 --backpressure 128",
    "3 workers x 2 threads": "--workers 3 --blocking-threads 2",
    "4 workers x 1 thread": "--workers 4 --blocking-threads 1",
    "4 workers x 2 threads": "--workers 4 --blocking-threads 2",
}


class Server:
    """A running HTTP server."""

    def __init__(self, name: str, port: int, process: Spawned) -> None:
        self.name, self.port, self.process = name, port, process


def granian(setting: Setting, flags: str = BEST_GRANIAN, name: str = "ours: granian WSGI") -> Server:
    """The production layout of the API."""
    port = free_port()
    process = setting.spawn(
        *("granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)),
        *("--log-level", "warning", "--no-ws", *flags.split(), "config.wsgi:application"),
        name="granian",
    )
    setting.wait_for_http(f"http://127.0.0.1:{port}/v1/health/live", process)
    return Server(name, port, process)


def uvicorn(setting: Setting) -> Server:
    """The one-process layout of `make run`: streams and API together."""
    port = free_port()
    process = setting.spawn("python", "-m", "config.serve", "--port", str(port), name="uvicorn")
    setting.wait_for_http(f"http://127.0.0.1:{port}/v1/health/live", process)
    return Server("ours: uvicorn, one process", port, process)


def twin(setting: Setting) -> Server:
    """peers/fastapi_twin.py on two uvicorn workers."""
    port = free_port()
    process = setting.spawn(
        *("uvicorn", "peers.fastapi_twin:app", "--workers", "2", "--loop", "uvloop", "--http", "httptools"),
        *("--no-access-log", "--log-level", "warning", "--port", str(port)),
        name="twin",
    )
    setting.wait_for_http(f"http://127.0.0.1:{port}/openapi.json", process)
    return Server("FastAPI twin, 2 workers", port, process)
