"""A tenant's own graph, kept as a file of the tenant's and put back. The platform's daily backup is another thing."""

import hashlib
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from apps.audit import trail
from apps.files import disk, selectors, zips
from apps.files.models import BACKUP, File
from apps.files.scratch import Scratch
from apps.graph import selectors as graph_selectors
from apps.graph import switch
from apps.graph.transfer.choice import FORMATS
from apps.graph.transfer.importing import Findings, import_graph
from apps.graph.transfer.pruning import prune
from apps.toolbox.etl import AN_HOUR_S
from apps.toolbox.parts import transfers
from apps.toolbox.parts.transfers import RIGHTS
from apps.tools.context import ToolContext
from apps.tools.errors import ToolFailed
from apps.tools.spec import ToolInput, ToolOutput, tool
from kernel.clock import iso, now

GRAPH, MANIFEST = "graph.jsonl", "manifest.json"
MANIFEST_BYTES_MAX = 64 * 1024
LISTED_MAX = 100


class BackupIn(ToolInput):
    action: Literal["create", "list", "restore", "status"]
    target: Literal["graph"] = Field("graph", description="What is backed up: your tenant's graph.")
    backup_id: UUID | None = Field(None, description="Of list: which one restore and status mean.")

    @model_validator(mode="after")
    def whole(self) -> "BackupIn":
        """Only one that is named is restored."""
        if (self.action in ("restore", "status")) != (self.backup_id is not None):
            raise ValueError("restore and status take a backup_id, create and list none")
        return self


class BackupOut(BaseModel):
    """One backup. It is a file, too: GET /v1/files/{backup_id}/content."""

    model_config = ConfigDict(extra="forbid")

    backup_id: str
    created_at: str
    expires_at: str
    created_by: str
    bytes: int
    sha256: str
    records: int = Field(description="Nodes and relationships in it.")
    nodes: dict[str, int] = Field(description="By label, counted when it was begun.")
    relationships: dict[str, int] = Field(description="By type.")


class RestoredOut(BaseModel):
    """What a restore did."""

    model_config = ConfigDict(extra="forbid")

    created: int
    changed: int
    unchanged: int
    nodes_deleted: int = Field(description="That the backup does not have.")
    relationships_deleted: int = Field(description="That the backup does not have, between nodes that stayed.")


class SystemBackupOut(ToolOutput):
    action: str
    backups: list[BackupOut] = Field(description="The newest first; with create, restore and status the one.")
    whole: bool | None = Field(description="status, restore: it is what its SHA-256 says, and is of your tenant.")
    restored: RestoredOut | None


@tool(
    "system.backup",
    effect="destructive",
    title="Back up the tenant's graph, and restore it",
    permissions=(*RIGHTS, "files:create"),
    scopes=("tools:invoke", "write", "system:backup"),
    timeout_s=AN_HOUR_S,
    long_running=True,
    reading_actions=("list", "status"),
    example={"action": "list"},
    example_role="data_engineer",
)
def backup(context: ToolContext, given: BackupIn) -> SystemBackupOut:
    """Keep all of your tenant's graph as a backup (create), or put one back (restore).

    restore checks the backup first, then makes the graph what it was: what is not in the backup is deleted. create one
    before. It is of one moment only while nothing changes the graph (db.switch). list shows what there is, status
    whether one is whole. Backups are kept for 90 days and are your tenant's alone.
    """
    if given.action == "list":
        found = selectors.backups(context.tenant_id)[:LISTED_MAX]
        return SystemBackupOut(action="list", backups=[_shown(one) for one in found], whole=None, restored=None)
    if given.action == "create":
        return SystemBackupOut(action="create", backups=[_create(context)], whole=None, restored=None)
    file = next((one for one in selectors.backups(context.tenant_id) if one.id == given.backup_id), None)
    if file is None:
        raise ToolFailed("There is no such backup in your tenant. Action list shows those there are.", code="no_backup")
    if given.action == "status":
        return SystemBackupOut(action="status", backups=[_shown(file)], whole=_is_whole(file), restored=None)
    restored = _restore(context, file)
    return SystemBackupOut(action="restore", backups=[_shown(file)], whole=True, restored=restored)


def _create(context: ToolContext) -> BackupOut:
    counts = graph_selectors.schema_counts(context.tenant_id, fresh=True)
    said = {
        "nodes": {name: count for name, count in counts.labels.items() if count},
        "relationships": {name: count for name, count in counts.types.items() if count},
    }

    def pack(written: Path, target: Path, rows: int) -> dict[str, Any]:
        manifest = {
            "tenant_id": str(context.tenant_id),
            "created_at": iso(now()),
            "format": "jsonl",
            "records": rows,
            "sha256": disk.sha256_of(written),
            **said,
        }
        described = written.with_name(MANIFEST)
        described.write_text(json.dumps(manifest, indent=2))
        zips.pack(target, [described, written], context.checkpoint)
        return manifest

    name = f"graph-{now():%Y%m%d-%H%M%S}.zip"
    made = transfers.export_file(context, "jsonl", name=name, kind=BACKUP, what="backup", pack=pack)
    file = next(one for one in selectors.backups(context.tenant_id) if str(one.id) == made.file_id)
    return _shown(file)


def _restore(context: ToolContext, file: File) -> RestoredOut:
    """Check it, import it, and take away what it does not have. Each step is safe to repeat."""
    switch.require_writable(context.tenant_id)
    context.progress("checking", "the backup is held against its SHA-256")
    if not _is_whole(file):
        raise ToolFailed("The backup is not what it was when it was made, and is not restored.", code="backup_broken")
    with Scratch(context.principal, transfers.id_for(context, f"restore {file.id}")) as scratch:
        work, source = scratch.path, scratch.path / GRAPH
        if not source.exists():
            _unpack(file, scratch, context.checkpoint)
        if not (work / "checked").exists():
            _run(context, source, work, "reading", dry_run=True)
            (work / "checked").touch()
        with transfers.alone(context):
            findings = _run(context, source, work, "restoring", dry_run=False)
            context.progress("pruning", "what the backup does not have is deleted", 90)
            nodes, relationships = prune(context.tenant_id, source, context.checkpoint)
    loaded = findings.loaded
    restored = RestoredOut(
        created=loaded.nodes_created + loaded.relationships_created,
        changed=loaded.nodes_changed + loaded.relationships_changed,
        unchanged=loaded.unchanged,
        nodes_deleted=nodes,
        relationships_deleted=relationships,
    )
    trail.note(
        **trail.by(context.principal),
        action="graph.restore",
        resource_type="file",
        resource_id=str(file.id),
        outcome=trail.SUCCESS,
        details=restored.model_dump(),
    )
    return restored


def _run(context: ToolContext, source: Path, work: Path, stage: str, *, dry_run: bool) -> Findings:
    findings = Findings(most=0)  # a backup has no bad line

    def report(done: int, total: int) -> None:
        context.progress(stage, f"{findings.records:,} records", 80 * done / max(total, 1))

    import_graph(
        context.tenant_id,
        source,
        FORMATS["jsonl"],
        report,
        progress_file=work / f"{stage}.progress",
        findings=findings,
        dry_run=dry_run,
    )
    return findings


def _is_whole(file: File) -> bool:
    """The file is what its row says, and its manifest is of this tenant and of what is in it."""
    path = disk.content(file.tenant_id, file.id)
    if not path.is_file() or disk.sha256_of(path) != file.sha256:
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            if archive.getinfo(MANIFEST).file_size > MANIFEST_BYTES_MAX:
                return False
            manifest = json.loads(archive.read(MANIFEST))
            with archive.open(GRAPH) as member:
                digest = hashlib.file_digest(member, "sha256").hexdigest()  # type: ignore[arg-type]
    except (zipfile.BadZipFile, KeyError, ValueError, EOFError):
        return False
    return bool(manifest.get("tenant_id") == str(file.tenant_id) and manifest.get("sha256") == digest)


def _unpack(file: File, scratch: Scratch, checkpoint: Callable[[], None]) -> None:
    """The graph's lines, under their name when they are all there."""
    part = scratch.path / "unpacking"
    whole = disk.content(file.tenant_id, file.id)
    with zipfile.ZipFile(whole) as archive, archive.open(GRAPH) as source, part.open("wb") as target:
        while piece := source.read(disk.CHUNK_BYTES):
            checkpoint()
            scratch.set_aside(target.tell() + len(piece))
            target.write(piece)
    part.rename(scratch.path / GRAPH)


def _shown(file: File) -> BackupOut:
    return BackupOut(
        backup_id=str(file.id),
        created_at=str(iso(file.created_at)),
        expires_at=str(iso(file.expires_at)),
        created_by=file.owner_sub,
        bytes=file.size_bytes,
        sha256=file.sha256,
        records=int(file.details.get("records", 0)),
        nodes=file.details.get("nodes", {}),
        relationships=file.details.get("relationships", {}),
    )
