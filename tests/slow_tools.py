"""Long-running tools that only tests know: ``slow.*``. A process has them from `declare` to `forget`."""

import threading
import time

from apps.tools.context import ToolContext
from apps.tools.errors import ToolFailed
from apps.tools.spec import DECLARED, Rate, ToolInput, ToolOutput, tool

EFFECTS: list[str] = []  # keys of calls of slow.works in this process
AT_WORK = threading.Event()  # slow.waits has begun in this process


class In(ToolInput):
    text: str = "x"


class Out(ToolOutput):
    text: str


def declare() -> None:
    """From now on this process knows them; whether they may be called their manifests say."""

    @tool("slow.works", effect="write", long_running=True, timeout_s=600)
    def works(context: ToolContext, given: In) -> Out:
        """Report, then leave something behind."""
        context.progress("half", "half of it is done", 50)
        EFFECTS.append(context.idempotency_key)
        return Out(text=given.text)

    @tool("slow.waits", effect="idempotent", long_running=True, timeout_s=600, approval="always")
    def waits(context: ToolContext, given: In) -> Out:
        """Wait for as long as it may."""
        AT_WORK.set()
        while given.text == "wait":
            context.progress("waiting", "nothing happens", 1)
            time.sleep(0.01)
        while given.text == "spin":
            pass
        return Out(text=given.text)

    @tool("slow.fails", effect="read", long_running=True)
    def fails(context: ToolContext, given: In) -> Out:
        """Fail with a sentence."""
        raise ToolFailed("There is nothing of that name. Look at another.", code="nothing_there")

    @tool("slow.rare", effect="read", long_running=True, rate=Rate(2, 60))
    def rare(context: ToolContext, given: In) -> Out:
        """Twice a minute."""
        return Out(text=given.text)


def forget() -> None:
    """Not any more."""
    for name in [name for name in DECLARED if name.startswith("slow.")]:
        del DECLARED[name]
