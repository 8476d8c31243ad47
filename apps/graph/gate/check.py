"""The gate: a text from anybody, or from a model, becomes a query that stays inside its tenant and only reads."""

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

from apps.graph.cypher import tree
from apps.graph.cypher.printer import print_statement
from apps.graph.gate.deadline import within_time
from apps.graph.gate.depth import within_reach
from apps.graph.gate.draft import TENANT_PARAMETER, Draft
from apps.graph.gate.limits import DEFAULTS, Limits
from apps.graph.gate.readonly import only_known_functions
from apps.graph.gate.rows import within_rows
from apps.graph.gate.syntax import parsed
from apps.graph.gate.tenant import bound_to_tenant
from apps.graph.gate.verdict import GateRefusal, LayerName, LayerReport, Passed

# See docs/gate.md
Layer = Callable[[Draft], tuple[Draft, str]]
LAYERS: tuple[tuple[LayerName, Layer], ...] = (
    ("syntax", parsed),
    ("read-only", only_known_functions),
    ("tenant", bound_to_tenant),
    ("depth", within_reach),
    ("time", within_time),
    ("rows", within_rows),
)


def inspect(
    text: str,
    parameters: Mapping[str, Any],
    *,
    tenant_id: str,
    limits: Limits = DEFAULTS,
    dialect: str = "opencypher",
    rows: int | None = None,
    timeout_s: float | None = None,
) -> Passed:
    """What may run, or GateRefusal from the first layer that has something against it. Pure; nothing is sent.

    ``rows`` and ``timeout_s`` are what the caller wants; more than ``limits`` allow becomes what they allow.
    ``dialect`` is the printer's.
    """
    draft = new_draft(text, parameters, tenant_id, limits, dialect, rows, timeout_s)
    draft, reports = through(LAYERS, draft)
    assert draft.statement is not None
    printed = print_statement(draft.query, dialect)  # type: ignore[arg-type]
    return Passed(
        text=printed,
        parameters=used_parameters(draft, draft.records),
        columns=draft.columns,
        row_limit=draft.row_limit,
        timeout_s=draft.timeout_s,
        mode=draft.statement.mode,
        layers=reports,
        sha256=hashlib.sha256(printed.encode()).hexdigest(),
    )


def new_draft(
    text: str,
    parameters: Mapping[str, Any],
    tenant_id: str,
    limits: Limits,
    dialect: str,
    rows: int | None,
    timeout_s: float | None,
) -> Draft:
    """ValueError without a tenant: that is a fault of the caller's code."""
    if type(tenant_id) is not str or not tenant_id or tenant_id != tenant_id.strip():
        raise ValueError("the gate needs the tenant's id, a text")
    return Draft(text, dict(parameters), tenant_id, limits, dialect, rows, timeout_s)


def through(layers: tuple[tuple[LayerName, Layer], ...], draft: Draft) -> tuple[Draft, tuple[LayerReport, ...]]:
    """The draft after every layer, with what each said."""
    reports = []
    for name, layer in layers:
        began = time.perf_counter()
        try:
            draft, note = layer(draft)
        except RecursionError:
            raise GateRefusal(name, "The query nests too deeply.", "Split it with WITH.") from None
        reports.append(LayerReport(name, True, note, (time.perf_counter() - began) * 1000))
    return draft, tuple(reports)


def used_parameters(draft: Draft, records: Iterable[Any]) -> Mapping[str, Any]:
    """The values of the parameters that these records name, the tenant's among them; nobody can change the mapping."""
    values = dict(draft.parameters) | {TENANT_PARAMETER: draft.tenant_id}
    names = {part.name for part in records if type(part) is tree.Param}
    return MappingProxyType({name: values[name] for name in sorted(names)})
