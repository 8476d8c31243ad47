"""The state of the data in the graph: held against the schema, repaired, set aside and purged."""

import json
from itertools import islice
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from apps.audit import trail
from apps.files import disk, services
from apps.files.services import Draft
from apps.graph import archive, quality
from apps.graph.archive import Mark
from apps.graph.quality import ALL_LABELS, CHECKS
from apps.graph.schema import KINDS
from apps.graph.transfer.choice import FORMATS
from apps.graph.transfer.sections import section_of
from apps.identity import rbac
from apps.toolbox.etl import AN_HOUR_S
from apps.toolbox.parts import transfers
from apps.toolbox.parts.moments import Moment
from apps.toolbox.parts.transfers import MEDIA_TYPES, FileOut
from apps.tools.context import ToolContext
from apps.tools.errors import ToolFailed
from apps.tools.spec import ToolInput, ToolOutput, tool
from kernel.clock import iso

LIMIT_S = 120.0
FINDINGS_SHOWN = 100
REPAIRS_MAX = 10_000
PURGED_AT_ONCE = 10_000
LISTED_MAX = 500
CheckName = Literal["missing", "types", "unknown", "duplicates", "dangling", "relationships"]


class QualityIn(ToolInput):
    action: Literal["check", "report", "fix"]
    label: str | None = Field(None, max_length=64, description="One label; without it all of them.")
    checks: list[CheckName] = Field(default_factory=list, max_length=6, description="Without them all.")
    auto_fix: bool = Field(False, description="With fix: make the repairs. Without it they are counted only.")

    @model_validator(mode="after")
    def whole(self) -> "QualityIn":
        """Only fix repairs."""
        if self.auto_fix and self.action != "fix":
            raise ValueError("auto_fix goes with action fix")
        return self


class FindingOut(BaseModel):
    """Nodes or relationships with the same fault."""

    model_config = ConfigDict(extra="forbid")

    check: str
    label: str = Field(description="Or the relationship type.")
    property: str
    count: int
    fixable: int = Field(description="How many of them fix would repair.")
    examples: list[dict[str, Any]] = Field(description="A few; none with report.")


class QualityOut(ToolOutput):
    action: str
    looked_at: int = Field(description="Nodes and relationships.")
    faults: int
    findings: list[FindingOut] = Field(description="The most frequent first, at most 100.")
    repaired: int = Field(description="Nodes that fix repaired, or without auto_fix would repair.")


class ArchiveIn(ToolInput):
    action: Literal["mark", "restore", "purge", "status", "list"]
    node_ids: list[str] = Field(default_factory=list, max_length=1000, description="uids of nodes.")
    label: str | None = Field(None, max_length=64, description="Nodes of this label.")
    timestamp_before: Moment | None = Field(
        None, description="mark: nodes whose time lies before. restore, purge and list: set aside before. ISO 8601."
    )
    limit: int = Field(1000, ge=1, le=PURGED_AT_ONCE, description="Nodes at most.")

    @model_validator(mode="after")
    def whole(self) -> "ArchiveIn":
        """What is set aside or taken back is named; nothing is purged by leaving something out."""
        if self.action == "mark" and not self.node_ids and (self.label is None or self.timestamp_before is None):
            raise ValueError("mark takes node_ids, or label with timestamp_before")
        if self.action in ("restore", "purge") and not (self.node_ids or self.label or self.timestamp_before):
            raise ValueError(f"{self.action} takes node_ids, label or timestamp_before")
        return self


class MarkOut(BaseModel):
    """A node that is set aside."""

    model_config = ConfigDict(extra="forbid")

    node_id: str
    label: str
    marked_by: str
    marked_at: str


class ArchiveOut(ToolOutput):
    action: str
    nodes: int = Field(
        description="Set aside, taken back, or purged by this call; with status and list: set aside now."
    )
    relationships: int = Field(description="Purged along with their nodes.")
    by_label: dict[str, int] = Field(description="Set aside now.")
    listed: list[MarkOut]
    file: FileOut | None = Field(description="What was purged, as JSON lines; etl.import brings it back.")


@tool(
    "data.quality",
    effect="destructive",
    title="Check the graph's data, and repair it",
    permissions=("graph:read",),
    timeout_s=LIMIT_S,
    reading_actions=("check", "report"),
    example={"action": "check", "label": "Task", "checks": ["types", "dangling"]},
)
def quality_(context: ToolContext, given: QualityIn) -> QualityOut:
    """Hold your tenant's graph against its schema: missing and unknown properties, wrong types, keys that stand twice,
    nodes joined to nothing, relationships that do not fit.

    check gives counts with examples, report counts alone. fix counts, and with auto_fix makes, the repairs that lose
    nothing: values that read as their property's type, and properties that the label does not have. It needs the right
    to change the graph.
    """
    labels = _labels(given.label)
    if given.action == "fix":
        return _fix(context, labels, apply=given.auto_fix)
    found = quality.check(
        context.tenant_id,
        labels,
        tuple(given.checks) or CHECKS,
        lambda done: context.progress("checking", f"{done:,} nodes and relationships"),
    )
    shown = given.action == "check"
    return QualityOut(
        action=given.action,
        looked_at=found.looked_at,
        faults=sum(one.count for one in found.findings),
        findings=[
            FindingOut(
                check=one.check,
                label=one.label,
                property=one.property,
                count=one.count,
                fixable=one.fixable,
                examples=one.examples if shown else [],
            )
            for one in found.findings[:FINDINGS_SHOWN]
        ],
        repaired=0,
    )


@tool(
    "data.archive",
    effect="destructive",
    title="Set nodes aside, and purge them",
    permissions=("graph:read",),
    timeout_s=AN_HOUR_S,
    long_running=True,
    reading_actions=("status", "list"),
    example={"action": "status"},
    example_role="curator",
)
def archive_(context: ToolContext, given: ArchiveIn) -> ArchiveOut:
    """Set nodes of your tenant's graph aside (mark), take them back (restore), or delete them for good (purge).

    A node that is set aside is found as before until it is purged. purge deletes only what was set aside, with its
    relationships, and first writes all of it to a file of yours. status counts, list shows what is set aside. All but
    status and list need the right to delete in the graph.
    """
    if given.action in ("status", "list"):
        return _archive_out(context, given, 0)
    rbac.require(context.principal, "graph:delete")
    if given.action == "mark":
        return _archive_out(context, given, archive.mark(context.principal, _to_mark(context, given)))
    marks = _marks(context, given, given.limit)
    if given.action == "restore":
        return _archive_out(context, given, archive.unmark(context.tenant_id, marks))
    return _purge(context, given, marks)


def _fix(context: ToolContext, labels: tuple[str, ...], *, apply: bool) -> QualityOut:
    rbac.require(context.principal, "graph:update")
    found = quality.repair(
        context.tenant_id,
        labels,
        lambda done: context.progress("repairing", f"{done:,} nodes"),
        most=REPAIRS_MAX,
        only_count=not apply,
    )
    if apply and found.repaired:
        _note(context, "graph.data.repair", {"nodes": found.repaired, "labels": list(labels)})
    return QualityOut(action="fix", looked_at=found.looked_at, faults=0, findings=[], repaired=found.repaired)


def _to_mark(context: ToolContext, given: ArchiveIn) -> list[tuple[str, str]]:
    before = given.timestamp_before
    return archive.chosen(
        context.tenant_id,
        uids=given.node_ids,
        label=None if given.label is None else _labels(given.label)[0],
        before=None if before is None else str(iso(before)).replace(".000000Z", "Z"),
        limit=given.limit,
    )


def _purge(context: ToolContext, given: ArchiveIn, marks: list[Mark]) -> ArchiveOut:
    """First the file, then the deletion: an attempt that comes after one that died finds the file made, and goes on."""
    file_id: UUID = transfers.id_for(context, "purge")
    draft = services.begin(context.principal, name="purged.jsonl", media_type=MEDIA_TYPES["jsonl"], file_id=file_id)
    if not draft.is_done:
        if not marks:
            draft.abandon()
            return _archive_out(context, given, 0)
        with draft:
            _write_out(context, draft, marks)
    written = _nodes_in(disk.content(draft.row.tenant_id, draft.row.id))
    marks = [one for one in marks if one.uid in written]  # what was marked since an attempt before is not in the file
    deleted, edges = archive.purge(
        context.tenant_id, marks, lambda: context.progress("purging", f"{len(marks):,} nodes")
    )
    _note(context, "graph.data.purge", {"nodes": deleted, "relationships": edges, "file_id": str(file_id)})
    return _archive_out(context, given, deleted, edges, transfers.made(draft.row))


def _write_out(context: ToolContext, draft: Draft, marks: list[Mark]) -> None:
    target, rows, size_bytes = draft.work / "purged.jsonl", 0, 0
    with target.open("wb") as file:
        left = iter(marks)
        while some := list(islice(left, archive.BATCH)):
            context.progress("writing", f"{rows:,} records")
            for record in archive.records_of(context.tenant_id, some):
                line = FORMATS["jsonl"].line(section_of(record), record).encode()
                size_bytes += len(line)
                draft.set_aside(size_bytes)
                file.write(line)
                rows += 1
    draft.finish(target, details={"rows": rows, "uids": len(marks)})


def _nodes_in(path: Path) -> set[str]:
    with path.open(encoding="utf-8") as file:
        return {said["id"] for said in map(json.loads, file) if said["type"] == "node"}


def _marks(context: ToolContext, given: ArchiveIn, limit: int) -> list[Mark]:
    return archive.marks(
        context.tenant_id,
        uids=given.node_ids,
        label=None if given.label is None else _labels(given.label)[0],
        before=given.timestamp_before,
        limit=limit,
    )


def _archive_out(
    context: ToolContext, given: ArchiveIn, nodes: int, relationships: int = 0, file: FileOut | None = None
) -> ArchiveOut:
    by_label = archive.counts(context.tenant_id)
    listed = _marks(context, given, min(given.limit, LISTED_MAX)) if given.action == "list" else []
    return ArchiveOut(
        action=given.action,
        nodes=sum(by_label.values()) if given.action in ("status", "list") else nodes,
        relationships=relationships,
        by_label=by_label,
        listed=[
            MarkOut(node_id=one.uid, label=one.label, marked_by=one.marked_by, marked_at=str(iso(one.marked_at)))
            for one in listed
        ],
        file=file,
    )


def _labels(name: str | None) -> tuple[str, ...]:
    if name is None:
        return ALL_LABELS
    if name not in ALL_LABELS:
        base = KINDS.get(name)
        hint = f"{name} is a kind of {base}: name that." if base else f"There are {', '.join(ALL_LABELS)}."
        raise ToolFailed(f"There is no label {name[:40]!r} to look at. {hint}", code="unknown_label")
    return (name,)


def _note(context: ToolContext, action: str, details: dict[str, Any]) -> None:
    trail.note(
        **trail.by(context.principal),
        action=action,
        resource_type="graph",
        outcome=trail.SUCCESS,
        details=details,
    )
