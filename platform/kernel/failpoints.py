"""Named places where a test can kill or freeze the process, so that crash windows are exact and not lucky.

AGENTIC_FAILPOINT=name:exit dies there at once (as kill -9 would); name:pause stops itself. Refused in production.
"""

import os
import signal

from django.conf import settings


def failpoint(name: str) -> None:
    """Does nothing unless AGENTIC_FAILPOINT names this place."""
    if not settings.FAILPOINT:
        return
    wanted, _, action = settings.FAILPOINT.partition(":")
    if wanted != name:
        return
    os.kill(os.getpid(), signal.SIGSTOP if action == "pause" else signal.SIGKILL)
