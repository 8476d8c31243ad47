"""What the first callers of a process would wait for, made ready beside it once it is up: its routes and its tools.

Both import most of the platform, a second or two of a processor.
"""

from threading import Thread


def begin() -> Thread:
    """Start at it. Who needs something before it is there waits for what is left."""
    thread = Thread(target=_warm, name="warm", daemon=True)
    thread.start()
    return thread


def _warm() -> None:
    from django.urls import get_resolver

    from apps.tools.spec import DECLARED

    _ = get_resolver().url_patterns  # first: a request that comes meanwhile begins there, too
    for spec in DECLARED.values():
        _ = spec.fingerprint
