"""tools/list: what this caller may call, as the protocol describes it. Made once for all who may call the same."""

from collections import OrderedDict
from typing import Any

from apps.identity.principal import Principal
from apps.mcp import names
from apps.mcp.pages import page
from apps.tools.registry import callable_by
from apps.tools.shown import annotations
from apps.tools.spec import ToolSpec

REMEMBERED_PAGES = 256
FRESH_MS = 3000  # how soon the registry notices a change; clients may keep a list for as long
Key = tuple[object, ...]


def tools_page(principal: Principal, cursor: str | None, *, underscores: bool) -> dict[str, Any]:
    """The result of tools/list."""
    tools, following = page(callable_by(principal), cursor)
    return {
        "tools": [described(tool.spec, underscores=underscores) for tool in tools],
        "ttlMs": FRESH_MS,
        "cacheScope": "private",
        "resultType": "complete",
        **({"nextCursor": following} if following else {}),
    }


def described(spec: ToolSpec, *, underscores: bool) -> dict[str, Any]:
    """A tool as the protocol describes it."""
    return {
        "name": names.shown(spec.name, underscores=underscores),
        "title": spec.title,
        "description": spec.description,
        "inputSchema": spec.input_schema,
        "outputSchema": spec.output_schema,
        "annotations": annotations(spec),
    }


class PageMemory:
    """Pages as they went over the wire: making one anew costs milliseconds. Used by the event loop alone."""

    def __init__(self) -> None:
        self._pages: OrderedDict[Key, dict[str, Any]] = OrderedDict()

    def find(self, key: Key) -> dict[str, Any] | None:
        """The page, not to be changed."""
        return self._pages.get(key)

    def keep(self, key: Key, made: dict[str, Any]) -> None:
        self._pages[key] = made
        if len(self._pages) > REMEMBERED_PAGES:
            self._pages.popitem(last=False)


def key_of(principal: Principal, version: str, cursor: object, *, underscores: bool) -> Key:
    """What a page depends on: which tools, in which words."""
    tools = tuple(tool.spec.fingerprint for tool in callable_by(principal))
    return (tools, version, cursor, underscores)
