"""What there is: tools, the graph's labels and relationship types, known prompts, job types and models (SPEC 8).

Only what the caller may use: tools it may call, job types it may create, the graph's schema with graph:read, models
with models:read. See catalogued.py for what an entry is.
"""

from typing import Any, Literal

from pydantic import Field

from apps.toolbox.parts import catalogued
from apps.toolbox.parts.catalogued import Entry, Kind
from apps.tools import registry
from apps.tools.context import ToolContext
from apps.tools.registry import Effective
from apps.tools.spec import ToolInput, ToolOutput, tool
from kernel.errors import NotFoundError

SUGGESTIONS = 5


class DiscoverIn(ToolInput):
    prefix: str = Field("", max_length=100, description="How their names begin, as graph.")
    names_only: bool = False
    categories_only: bool = Field(False, description="Only the categories, with how many tools each has.")
    include_schemas: bool = Field(False, description="With the schemas of input and output.")
    include_scopes: bool = Field(False, description="With the permissions and scopes that they need.")
    include_modules: bool = Field(False, description="With the module that declares each: for administrators.")
    sort: Literal["name", "category"] = "name"
    limit: int = Field(100, ge=1, le=200)


class ToolShown(ToolOutput):
    name: str
    title: str | None = None
    description: str | None = None
    category: str | None = None
    effect: str | None = None
    reading_only: bool | None = Field(None, description="You may call it only with those of its actions that read.")
    long_running: bool | None = None
    aliases: list[str] | None = None
    permissions: list[str] | None = None
    scopes: list[str] | None = None
    input_schema: dict[str, Any] | None = None
    output_schema: dict[str, Any] | None = None
    module: str | None = None


class Category(ToolOutput):
    name: str
    tools: int


class DiscoverOut(ToolOutput):
    tools: list[ToolShown]
    names: list[str] = Field(default=[], description="With names_only.")
    categories: list[Category]
    total: int = Field(description="Tools that you may call and whose name begins so.")


@tool(
    "catalog.discover", effect="read", title="Which tools there are", example={"prefix": "graph.", "names_only": True}
)
def discover(context: ToolContext, given: DiscoverIn) -> DiscoverOut:
    """The tools that you may call now, with what each does; names_only or categories_only for an overview."""
    principal = context.principal
    found = [one for one in registry.callable_by(principal) if one.spec.name.startswith(given.prefix)]
    if given.sort == "category":
        found.sort(key=lambda one: (one.spec.category, one.spec.name))
    counts: dict[str, int] = {}
    for one in found:
        counts[one.spec.category] = counts.get(one.spec.category, 0) + 1
    shown = [] if given.categories_only else found[: given.limit]
    return DiscoverOut(
        tools=[] if given.names_only else [_tool_shown(context, one, given) for one in shown],
        names=[one.spec.name for one in shown] if given.names_only else [],
        categories=[Category(name=name, tools=count) for name, count in sorted(counts.items())],
        total=len(found),
    )


def _tool_shown(context: ToolContext, one: Effective, given: DiscoverIn) -> ToolShown:
    spec, module = one.spec, None
    if given.include_modules and context.principal.is_admin:
        module = spec.function.__module__
    return ToolShown(
        name=spec.name,
        title=spec.title,
        description=spec.description,
        category=spec.category,
        effect=spec.effect,
        reading_only=registry.lacks(context.principal, one) is not None,
        long_running=spec.long_running,
        aliases=list(spec.aliases),
        permissions=list(spec.permissions) if given.include_scopes else None,
        scopes=list(one.needed_scopes) if given.include_scopes else None,
        input_schema=spec.input_schema if given.include_schemas else None,
        output_schema=spec.output_schema if given.include_schemas else None,
        module=module,
    )


class DescribeIn(ToolInput):
    name: str = Field(min_length=1, max_length=300, description="As catalog.search and catalog.discover name it.")
    kind: Kind | None = Field(None, description="What it is, where several are called so.")


class EntryShown(ToolOutput):
    kind: Kind
    name: str
    summary: str
    details: dict[str, Any] = Field(default={}, description="What else is known of it.")


class DescribeOut(ToolOutput):
    found: EntryShown
    also: list[str] = Field(default=[], description="Other kinds of things of the same name.")


@tool("catalog.describe", effect="read", title="Describe one thing", example={"name": "Gene"})
def describe(context: ToolContext, given: DescribeIn) -> DescribeOut:
    """Everything about one tool, label or relationship type of the graph, known prompt, job type or model.

    Where nothing is called so, the error names what is called alike.
    """
    entries = catalogued.entries_for(context.principal)
    named = [one for one in entries if one.is_called(given.name) and given.kind in (None, one.kind)]
    if not named:
        alike = [entry.name for entry, _ in catalogued.ranked(entries, given.name, [given.kind] if given.kind else [])]
        near = f" Did you mean {', '.join(alike[:SUGGESTIONS])}?" if alike else ""
        raise NotFoundError(
            f"There is nothing called {given.name[:100]!r} that you may use.{near}", code="not_catalogued"
        )
    first = named[0]
    return DescribeOut(
        found=EntryShown(kind=first.kind, name=first.name, summary=first.summary, details=first.details()),
        also=[one.kind for one in named[1:]],
    )


class SearchIn(ToolInput):
    query: str = Field(min_length=1, max_length=300, description="In words, English or Italian.")
    kinds: list[Kind] = Field(default_factory=list, description="Only such things; empty: all.")
    limit: int = Field(10, ge=1, le=50)


class Hit(ToolOutput):
    kind: Kind
    name: str
    summary: str
    score: float = Field(description="From 0 to 1.")


class SearchOut(ToolOutput):
    hits: list[Hit] = Field(description="The best first.")
    total: int


@tool("catalog.search", effect="read", title="Search what there is", example={"query": "count genes"})
def search(context: ToolContext, given: SearchIn) -> SearchOut:
    """Find tools, labels and relationship types of the graph, known prompts, job types and models by what they are
    about. The best stand first; catalog.describe tells more of one."""
    found = catalogued.ranked(catalogued.entries_for(context.principal), given.query, given.kinds)
    hits = [_hit(entry, score) for entry, score in found[: given.limit]]
    return SearchOut(hits=hits, total=len(found))


def _hit(entry: Entry, score: float) -> Hit:
    return Hit(kind=entry.kind, name=entry.name, summary=entry.summary, score=round(score, 3))
