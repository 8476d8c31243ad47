"""The shape of the graph: who has the most relationships, who is central, what belongs together."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from apps.graph import measures, network
from apps.graph.naming import base_of
from apps.graph.network import EDGES_MOST, Asking, Part
from apps.graph.picking import Wish, pick
from apps.graph.selectors import schema_counts
from apps.toolbox.graph import READ, answering
from apps.tools.context import ToolContext
from apps.tools.spec import ToolInput, ToolOutput, tool

CENTRALITIES = ("pagerank", "degree", "betweenness", "closeness", "harmonic")
COMMUNITIES = ("louvain", "label_propagation", "components")
Algorithm = Literal[
    "pagerank", "degree", "betweenness", "closeness", "harmonic", "louvain", "label_propagation", "components"
]


class ParamsIn(BaseModel):
    """How much is looked at, and shown."""

    model_config = ConfigDict(extra="forbid")

    top_k: int = Field(20, ge=1, le=200, description="Nodes, or communities, that are shown.")
    members: int = Field(10, ge=0, le=50, description="Nodes of each community that are shown.")
    depth: int = Field(2, ge=1, le=4, description="With node_id: relationships away from it.")
    types: list[str] = Field(default_factory=list, max_length=10, description="Only these relationship types.")
    max_edges: int = Field(EDGES_MOST, ge=1, le=EDGES_MOST)


class AnalyticsIn(ToolInput):
    action: Literal["degree", "centrality", "community", "stats"] = "stats"
    node_id: str | None = Field(None, min_length=1, max_length=200, description="A uid: only what lies around it.")
    label: str | None = Field(None, max_length=100, description="Only relationships of this label.")
    algorithm: Algorithm | None = Field(
        None, description="centrality: pagerank (default), degree, betweenness, closeness, harmonic. "
        "community: louvain (default), label_propagation, components."
    )  # fmt: skip
    params: ParamsIn = Field(default_factory=ParamsIn)

    @model_validator(mode="after")
    def fitting(self) -> "AnalyticsIn":
        """An algorithm of another action would be silently ignored."""
        known = {"centrality": CENTRALITIES, "community": COMMUNITIES}.get(self.action, ())
        if self.algorithm is not None and self.algorithm not in known:
            raise ValueError(f"{self.action} has the algorithms {', '.join(known) or 'none'}")
        return self


class RankedOut(BaseModel):
    """A node and its number."""

    model_config = ConfigDict(extra="forbid")

    uid: str
    label: str
    name: str
    score: float


class CommunityOut(BaseModel):
    """Nodes that belong together."""

    model_config = ConfigDict(extra="forbid")

    size: int
    labels: dict[str, int]
    members: list[RankedOut] = Field(description="Those with the most neighbours; score: how many.")


class AnalyticsOut(ToolOutput):
    action: str
    algorithm: str | None
    nodes: list[RankedOut] = Field(description="With degree and centrality: the highest first.")
    communities: list[CommunityOut] = Field(description="With community: the largest first.")
    community_count: int
    modularity: float | None
    stats: dict[str, Any]
    looked_at: dict[str, int] = Field(description="{nodes, edges} of the part that was measured.")
    truncated: bool = Field(description="The part has as many edges as may be looked at; the rest is not in it.")
    note: str = Field(description="How it was worked out.")


@tool(
    "graph.analytics",
    effect="read",
    title="Measure the graph",
    permissions=READ,
    timeout_s=60.0,
    example={"action": "centrality", "label": "Task", "params": {"top_k": 5}},
)
def analytics(context: ToolContext, given: AnalyticsIn) -> AnalyticsOut:
    """Degrees, centrality, communities and statistics of your tenant's graph, or of what lies around one node.

    degree is exact. The others measure a part of at most 20,000 relationships (5,000 for betweenness, closeness and
    harmonic): looked_at and truncated say which. Give label or node_id to choose the part.
    """
    with answering(context):
        if given.action == "degree":
            return _degree(context, given)
        return _measured(context, given)


def _degree(context: ToolContext, given: AnalyticsIn) -> AnalyticsOut:
    asking = _asking(context)
    if given.node_id is not None:
        label = pick(context.principal, Wish(uid=given.node_id, label=given.label), timeout_s=context.left_s).label
        degrees = network.degrees_of(asking, given.node_id, label)
        ranked = [(given.node_id, label, float(sum(degrees.values())))]
        return _out(context, given, Part(), ranked=ranked, stats={"degrees": degrees}, note="Exact, of this node.")
    labels = [given.label] if given.label is not None else ["User", "Task", "File", "Institution"]
    best = [
        (uid, label, float(degree))
        for label in labels
        for uid, degree in network.best_joined(asking, label, given.params.top_k)
    ]
    best.sort(key=lambda one: (-one[2], one[0]))
    return _out(context, given, Part(), ranked=best[: given.params.top_k], note="Exact, of the whole graph.")


def _measured(context: ToolContext, given: AnalyticsIn) -> AnalyticsOut:
    usual = {"centrality": "pagerank", "community": "louvain"}.get(given.action)
    algorithm = given.algorithm or usual
    most = measures.edges_for(algorithm or "", given.params.max_edges)
    part = _part(context, given, most)
    context.progress("measure", f"{part.graph.number_of_edges()} relationships")
    graph = part.graph
    if given.action == "stats":
        counts = schema_counts(context.tenant_id)
        stats = measures.summary(graph) | {
            "whole_graph": {"nodes": counts.nodes, "relationships": counts.relationships}
        }
        return _out(context, given, part, stats=stats, note="Degrees without regard to direction.")
    labels: dict[str, str] = {uid: said["label"] for uid, said in graph.nodes(data=True)}
    if given.action == "centrality":
        scores, note = measures.centrality(graph, algorithm)  # type: ignore[arg-type]
        wanted = {uid: score for uid, score in scores.items() if given.label is None or _is(labels[uid], given.label)}
        best = sorted(wanted.items(), key=lambda one: (-one[1], one[0]))[: given.params.top_k]
        ranked = [(uid, labels[uid], score) for uid, score in best]
        return _out(context, given, part, algorithm=algorithm, ranked=ranked, note=note)
    groups, modularity = measures.communities(graph, algorithm)  # type: ignore[arg-type]
    return _out(
        context, given, part, algorithm=algorithm, groups=groups, modularity=modularity,
        note="Relationships without regard to direction.",
    )  # fmt: skip


def _part(context: ToolContext, given: AnalyticsIn, most: int) -> Part:
    asking, types = _asking(context), tuple(given.params.types)
    if given.node_id is None:
        return network.by_types(asking, given.label, types, most)
    label = pick(context.principal, Wish(uid=given.node_id), timeout_s=context.left_s).label
    return network.around(asking, given.node_id, label, types, given.params.depth, most)


def _out(
    context: ToolContext,
    given: AnalyticsIn,
    part: Part,
    *,
    algorithm: str | None = None,
    ranked: list[tuple[str, str, float]] | None = None,
    groups: list[set[str]] | None = None,
    modularity: float | None = None,
    stats: dict[str, Any] | None = None,
    note: str = "",
) -> AnalyticsOut:
    shown = groups[: given.params.top_k] if groups else []
    members = [_members(part, one, given.params.members) for one in shown]
    every = [*(ranked or []), *(one for group in members for one in group)]
    names = network.names_of(_asking(context), {uid: label for uid, label, _ in every})

    def named(one: tuple[str, str, float]) -> RankedOut:
        uid, label, score = one
        return RankedOut(uid=uid, label=label, name=names.get(uid, uid), score=round(score, 8))

    return AnalyticsOut(
        action=given.action,
        algorithm=algorithm,
        nodes=[named(one) for one in ranked or []],
        communities=[
            CommunityOut(size=len(group), labels=_labels(part, group), members=[named(one) for one in some])
            for group, some in zip(shown, members, strict=True)
        ],
        community_count=len(groups or []),
        modularity=modularity,
        stats=stats or {},
        looked_at={"nodes": part.graph.number_of_nodes(), "edges": part.graph.number_of_edges()},
        truncated=part.truncated,
        note=note,
    )


def _members(part: Part, group: set[str], most: int) -> list[tuple[str, str, float]]:
    best = sorted(group, key=lambda uid: (-part.graph.degree(uid), uid))[:most]
    return [(uid, part.graph.nodes[uid]["label"], float(part.graph.degree(uid))) for uid in best]


def _labels(part: Part, group: set[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for uid in group:
        label = part.graph.nodes[uid]["label"]
        counts[label] = counts.get(label, 0) + 1
    return dict(sorted(counts.items()))


def _is(label: str, wanted: str) -> bool:
    """The part knows labels, not kinds: a kind's nodes are among its label's."""
    return label == base_of(wanted)


def _asking(context: ToolContext) -> Asking:
    def left_s() -> float:
        context.checkpoint()
        return context.left_s

    return Asking(context.principal, left_s, context.cancelled)
