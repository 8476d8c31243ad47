"""Nodes of the graph, found by words or by their properties."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from apps.graph import naming, queries, searching
from apps.graph.picking import Wish, pick
from apps.graph.searching import Found, Hit, Words
from apps.graph.structured import Condition, Question, cypher_of
from apps.toolbox.analytics import WhereIn
from apps.toolbox.graph import READ, answering
from apps.tools.context import ToolContext
from apps.tools.errors import ToolFailed
from apps.tools.spec import ToolInput, ToolOutput, tool

SEARCHES = {"property": searching.containing, "hybrid": searching.hybrid}


class SearchIn(ToolInput):
    action: Literal["search", "similar", "filter"] = Field(
        "search", description="similar: alike to query, or to the node uid. filter: by where alone."
    )
    query: str | None = Field(None, min_length=1, max_length=500, description="Words, as a name or a part of one.")
    top_k: int = Field(20, ge=1, le=100)
    mode: Literal["property", "semantic", "hybrid"] = Field(
        "property",
        description="property: the words stand in a text. hybrid: that, and misspelt words. semantic: refused.",
    )
    label: str | None = Field(None, max_length=100, description="Only this label or kind; needed with filter.")
    uid: str | None = Field(None, min_length=1, max_length=200, description="With similar, instead of query.")
    where: list[WhereIn] = Field(default_factory=list, max_length=20, description="With filter.")

    @model_validator(mode="after")
    def what_the_action_needs(self) -> "SearchIn":
        """Words, a node or conditions."""
        if self.action == "search" and self.query is None:
            raise ValueError("search needs query")
        if self.action == "similar" and (self.query is None) == (self.uid is None):
            raise ValueError("similar needs either query or uid")
        if self.action == "filter" and self.label is None:
            raise ValueError("filter needs label")
        return self


class HitOut(BaseModel):
    """A node that was found."""

    model_config = ConfigDict(extra="forbid")

    uid: str
    labels: list[str]
    name: str = Field(description="What people call it by.")
    properties: dict[str, Any]
    score: float | None = Field(description="0 to 1, the best first; null with filter.")
    matched: str = Field(description="The property that was alike.")


class SearchOut(ToolOutput):
    action: str
    mode: str
    hits: list[HitOut]
    compared: int = Field(description="Nodes that the graph gave, and that were compared with the words.")
    truncated: bool = Field(description="There may be more than was looked at: say a label, or more words.")


@tool(
    "graph.search",
    effect="read",
    title="Search the graph",
    permissions=READ,
    example={"query": "p53", "label": "Gene", "mode": "hybrid", "top_k": 5},
)
def search(context: ToolContext, given: SearchIn) -> SearchOut:
    """Find nodes of your tenant's graph by words, by likeness, or by conditions on their properties.

    The uids that come back are what crud.* and graph.analytics take. Names and identifiers are searched, and short
    descriptions. mode hybrid finds misspelt words; there is no search by meaning.
    """
    if given.mode == "semantic" and given.action != "filter":
        raise ToolFailed(
            "There is no search by meaning here: the graph has no embeddings. Use mode hybrid, which finds texts that "
            "are spelt alike.",
            code="semantic_search_unavailable",
        )
    if given.label is not None:
        naming.labels_of(given.label)
    if given.action == "filter":
        return _filtered(context, given)
    text = given.query if given.query is not None else _name_of(context, str(given.uid))
    words = Words(text, given.label, given.top_k, context.left_s, without=given.uid, cancelled=context.cancelled)
    with answering(context):
        find = searching.similar if given.action == "similar" else SEARCHES[given.mode]
        return _out(given, find(context.principal, words))


def _filtered(context: ToolContext, given: SearchIn) -> SearchOut:
    conditions = tuple(Condition(one.property, one.op, one.value) for one in given.where)
    cypher, parameters = cypher_of(Question(str(given.label), where=conditions))
    with answering(context):
        page = queries.run(
            context.principal,
            cypher,
            parameters,
            limit=given.top_k,
            timeout_s=context.left_s,
            cancelled=context.cancelled,
        )
    nodes = [row[0] for row in page.rows.rows]
    hits = [_hit_out(Hit(node, 0.0, "")).model_copy(update={"score": None}) for node in nodes]
    return SearchOut(
        action=given.action, mode=given.mode, hits=hits, compared=len(nodes), truncated=page.rows.truncated
    )


def _name_of(context: ToolContext, uid: str) -> str:
    """What a node is called, to find others like it."""
    label = pick(context.principal, Wish(uid=uid), timeout_s=context.left_s).label
    name = searching.names_of(label)[0]
    text = f"MATCH (n:{label} {{uid: $uid}}) RETURN n.{name} AS name"
    passed = queries.inspected(context.principal, text, {"uid": uid}, timeout_s=context.left_s)
    found = queries.read(context.principal, passed).rows
    if not found or not isinstance(found[0][0], str):
        raise ToolFailed("That node has no name to compare with. Give query instead.", code="node_without_name")
    return found[0][0]


def _out(given: SearchIn, found: Found) -> SearchOut:
    hits = [_hit_out(hit) for hit in found.hits if hit.score > 0]
    return SearchOut(
        action=given.action, mode=given.mode, hits=hits, compared=found.compared, truncated=found.truncated
    )


def _hit_out(hit: Hit) -> HitOut:
    return HitOut(
        uid=hit.node["uid"],
        labels=hit.node["labels"],
        name=searching.called(hit.node),
        properties=hit.node["properties"],
        score=hit.score,
        matched=hit.matched,
    )
