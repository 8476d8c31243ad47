"""The gate for administrators' changes (SPEC 2.3): the same six layers, for texts that write.

What is read is bound to the tenant like any query. What is written is made the tenant's own (written.py). Nothing runs
before somebody has confirmed how much would change: that is what ``count_text`` finds out.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from apps.graph.cypher import changes, tree
from apps.graph.cypher.errors import CypherSyntaxError
from apps.graph.cypher.parser import parse_change
from apps.graph.cypher.printer import print_change, print_statement
from apps.graph.cypher.walk import walk
from apps.graph.gate import deadline, depth, fitting, parameters, readonly, rows, scope, syntax, tenant, vocabulary
from apps.graph.gate.check import Layer, new_draft, through, used_parameters
from apps.graph.gate.draft import Draft
from apps.graph.gate.expressions import Env
from apps.graph.gate.limits import DEFAULTS, Limits
from apps.graph.gate.verdict import GateRefusal, LayerName, PassedChange
from apps.graph.gate.written import NEW_UID, UID_PARAMETER, Writes, changed_names, check_names, known_after, own_writes
from apps.graph.uids import TENANT_DIGITS, is_of_tenant, uid_for

ROWS = "rows"


def inspect_change(
    text: str,
    given: Mapping[str, Any],
    *,
    tenant_id: str,
    limits: Limits = DEFAULTS,
    dialect: str = "opencypher",
    timeout_s: float | None = None,
    new_uid: str | None = None,
) -> PassedChange:
    """What may run once it is confirmed, or GateRefusal. Pure; nothing is sent.

    The same text gives the same ``text`` and ``sha256`` every time. ``new_uid``: of the node that the text makes, where
    it makes one and the platform wants to find it again; without it a uid by chance. ValueError when it is not the
    tenant's.
    """
    if new_uid is not None and not is_of_tenant(tenant_id, new_uid):
        raise ValueError("new_uid is not one of this tenant's")
    inspected = _Change(limits, NEW_UID if new_uid is None else tree.Param(UID_PARAMETER))
    draft = new_draft(text, given, tenant_id, limits, dialect, None, timeout_s)
    draft, reports = through(inspected.layers(), draft)
    change = inspected.change
    printed = print_change(change, dialect)  # type: ignore[arg-type]
    beginning = uid_for(tenant_id, "")[: TENANT_DIGITS + 1]
    held = replace(draft, parameters={**draft.parameters, UID_PARAMETER: new_uid or beginning})
    return PassedChange(
        text=printed,
        count_text=print_statement(inspected.counting, dialect),  # type: ignore[arg-type]
        parameters=used_parameters(held, (*walk(change), *walk(inspected.counting))),
        columns=draft.columns,
        row_limit=draft.row_limit,
        timeout_s=draft.timeout_s,
        layers=reports,
        sha256=hashlib.sha256(printed.encode()).hexdigest(),
    )


class _Change:
    """The change on its way through the layers. The draft's tree is the reading part, with what it leaves known."""

    def __init__(self, limits: Limits, new_uid: tree.Expr) -> None:
        self.limits = limits
        self.new_uid = new_uid
        self.change = changes.Change((), ())
        self.counting = tree.Query(())
        self.known: Env = {}

    def layers(self) -> tuple[tuple[LayerName, Layer], ...]:
        return (
            ("syntax", self.parsed),
            ("read-only", self.only_known_functions),
            ("tenant", self.bound_to_tenant),
            ("depth", self.within_reach),
            ("time", deadline.within_time),
            ("rows", self.within_rows),
        )

    def parsed(self, draft: Draft) -> tuple[Draft, str]:
        syntax.check_size(draft)
        parameters.check(draft.parameters, draft.limits)
        try:
            change = parse_change(draft.text)
        except CypherSyntaxError as error:
            raise syntax.refusal(error) from error
        syntax.check_given(walk(change), draft)
        reading, env = scope.resolve_reading(change.reading)
        env = known_after(change.writing, env)
        returning, columns = change.returning, dict[str, Any]()
        if returning is not None:
            projection, columns = scope.resolve_projection(returning.projection, env)
            returning = tree.Return(projection)
        self.change = changes.Change(reading, change.writing, returning)
        self.known = env
        return replace(draft, columns=tuple(columns)), f"{len(change.writing)} clauses that write."

    def only_known_functions(self, draft: Draft) -> tuple[Draft, str]:
        self.change, names = readonly.with_known_functions(self.change, walk(self.change))
        return draft, f"Functions: {', '.join(names) or 'none'}."

    def bound_to_tenant(self, draft: Draft) -> tuple[Draft, str]:
        vocabulary.check(tuple(walk(self.change)), draft.parameters)
        if any(isinstance(part, tree.Path) and part.shortest for part in walk(self.change)):
            raise GateRefusal("tenant", "A change cannot look for shortest paths.", "Find the nodes by uid first.")
        check_names(self.change.writing, self.known, draft.parameters)
        fitting.check(self.change.reading, self.change.writing, draft.parameters)
        changed = changed_names(self.change.writing, self.known)
        self.counting = tenant.bind(_counting(self.change.reading, changed), draft)
        clauses = self.counting.branches[0].clauses
        reading = tuple(one for one in clauses if isinstance(one, tree.Match | tree.Unwind | tree.With))
        returning = tenant.bind(self.change.returning, draft) if self.change.returning is not None else None
        writes: Writes = own_writes(self.change.writing, lambda part: tenant.bind(part, draft), self.new_uid)
        self.change = changes.Change(reading, writes.clauses, returning)
        patterns = tenant.prove(walk(self.counting)) + (tenant.prove(walk(returning)) if returning is not None else 0)
        return draft, f"{patterns} nodes and relationships are bound to the tenant, {writes.made} are made its own."

    def within_reach(self, draft: Draft) -> tuple[Draft, str]:
        self.change, _ = depth.bound_hops(self.change, walk(self.change), draft.limits)
        self.counting, _ = depth.bound_hops(self.counting, walk(self.counting), draft.limits)
        depth.check_expressions(walk(self.change), draft)
        score = depth.check_work(self.counting, draft)
        return draft, f"About {score:.0e} rows at most."

    def within_rows(self, draft: Draft) -> tuple[Draft, str]:
        change = rows.bounded(self.change, walk(self.change), draft)
        self.counting = rows.bounded(self.counting, walk(self.counting), draft)
        note = "Returns nothing."
        if change.returning is not None:
            query, note = rows.lowered(tree.Query((tree.Branch((change.returning,)),)), draft.limits.rows)
            change = replace(change, returning=query.branches[0].clauses[-1])
        self.change = change
        return replace(draft, row_limit=draft.limits.rows), note


def _counting(reading: tuple[changes.Reading, ...], changed: list[str]) -> tree.Query:
    """The reading part, and how many rows and different things it finds."""
    if not reading:
        columns: tuple[tree.Column, ...] = (tree.Column(tree.Const(1), ROWS),)
    else:
        columns = (
            tree.Column(tree.CountAll(), ROWS),
            *(
                tree.Column(tree.Call("count", (tree.Var(name),), distinct=True), name)
                for name in changed
                if name != ROWS
            ),
        )
    return tree.Query((tree.Branch((*reading, tree.Return(tree.Projection(columns)))),))
