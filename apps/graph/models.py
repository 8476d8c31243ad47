"""What PostgreSQL remembers of the graph: which one it is, and the changes that people proposed."""

import uuid

from django.db import models
from django.db.models.functions import Now

PROPOSED, RUNNING, DONE, FAILED = "proposed", "running", "done", "failed"
CHANGE_STATUSES = (PROPOSED, RUNNING, DONE, FAILED)


class GraphEpoch(models.Model):
    """The graph that was seen last; one row. See apps/graph/epoch.py."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    epoch = models.TextField(help_text="Made with the graph; another one means another graph.")
    beat = models.BigIntegerField(help_text="Milliseconds since 1970 of a late change; a smaller one: an older copy.")
    noted_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "graph_epoch"
        constraints = [models.CheckConstraint(name="graph_epoch_is_one_row", condition=models.Q(id=1))]


class GraphChange(models.Model):
    """One change: proposed with what it would touch, then confirmed once by its author, within minutes.

    A row that stays ``running`` belongs to a process that died: whether the graph changed, only a look at it tells.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey("tenancy.Tenant", on_delete=models.PROTECT, db_index=False)
    owner_sub = models.CharField(max_length=255)
    cypher = models.TextField(help_text="As the gate printed it; this and nothing else runs.")
    parameters = models.JSONField(default=dict, help_text="The author's.")
    sha256 = models.CharField(max_length=64)
    would_change = models.JSONField(default=dict, help_text="Variable -> how many things, counted when proposed.")
    status = models.CharField(max_length=16, default=PROPOSED)
    counters = models.JSONField(null=True, help_text="What it did.")
    error_code = models.CharField(max_length=64, default="")
    created_at = models.DateTimeField(db_default=Now())
    expires_at = models.DateTimeField()
    executed_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "graph_changes"
        constraints = [
            models.CheckConstraint(name="graph_changes_status_known", condition=models.Q(status__in=CHANGE_STATUSES)),
        ]
        indexes = [models.Index(name="graph_changes_list", fields=["tenant", "-created_at"])]


class GraphArchiveMark(models.Model):
    """A node that was set aside to be purged (tool data.archive). The node itself is as it was until then."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    tenant = models.ForeignKey("tenancy.Tenant", on_delete=models.CASCADE, db_index=False)
    uid = models.CharField(max_length=200, help_text="Of the node.")
    label = models.CharField(max_length=64, help_text="Of the node; one of the 14.")
    marked_by = models.CharField(max_length=255)
    marked_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "graph_archive_marks"
        constraints = [models.UniqueConstraint(name="graph_archive_marks_one", fields=["tenant", "uid"])]
        indexes = [models.Index(name="graph_archive_marks_list", fields=["tenant", "marked_at", "id"])]
