"""The measurements of the process that answers, as Prometheus would read them (SPEC 13; contract 7.3)."""

import math
from collections.abc import Iterator
from typing import Literal

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from pydantic import Field

from apps.identity.principal import Principal
from apps.identity.standing import is_platform_admin
from apps.tools.context import ToolContext
from apps.tools.errors import ToolFailed
from apps.tools.spec import ToolInput, ToolOutput, tool

ANSWER_BYTES = 200_000
# What these labels say is made by tenants: the names of their models. For administrators of the platform.
OF_TENANTS = frozenset({"model"})


class MetricsIn(ToolInput):
    action: Literal["scrape", "info"]
    format: Literal["prometheus", "text", "json"] = Field("json", description="For scrape.")
    names: list[str] = Field(default_factory=list, max_length=50, description="Only metrics whose name begins so.")
    include_buckets: bool = Field(False, description="With the buckets of histograms; prometheus always has them.")


class Sample(ToolOutput):
    name: str
    labels: dict[str, str]
    value: float | None = Field(description="Null where it is no finite number.")


class Family(ToolOutput):
    name: str
    type: str
    help: str
    samples: list[Sample] | None = None


class MetricsOut(ToolOutput):
    action: str
    format: str | None = None
    families: list[Family] | None = None
    text: str | None = Field(None, description="With the formats prometheus and text.")


@tool(
    "system.metrics",
    effect="read",
    title="Measurements",
    permissions=("metrics:read",),
    example={"action": "scrape", "names": ["tools_invocations"]},
    example_role="operator",
)
def measurements(context: ToolContext, given: MetricsIn) -> MetricsOut:
    """What the process that answers has measured since it started: info lists the metrics, scrape gives their values.

    Name those you want with names (how they begin): all of them may be too much for one answer. Metrics that name the
    models of tenants are shown to administrators of the platform only.
    """
    families = list(_seen(context.principal, given.names))
    if given.action == "info":
        return MetricsOut(
            action="info",
            families=[Family(name=one.name, type=one.type, help=one.documentation) for one in families],
        )
    if given.format == "json":
        shown = [_family(one, with_buckets=given.include_buckets) for one in families]
        _require_short(sum(len(sample.model_dump_json()) for one in shown for sample in one.samples or ()))
        return MetricsOut(action="scrape", format="json", families=shown)
    text = _prometheus(families) if given.format == "prometheus" else _lines(families, given.include_buckets)
    _require_short(len(text))
    return MetricsOut(action="scrape", format=given.format, text=text)


def _seen(principal: Principal, names: list[str]) -> Iterator[Metric]:
    sees_all = is_platform_admin(principal)
    for one in REGISTRY.collect():
        if names and not one.name.startswith(tuple(names)):
            continue
        if not sees_all and any(OF_TENANTS.intersection(sample.labels) for sample in one.samples):
            continue
        yield one


def _family(one: Metric, *, with_buckets: bool) -> Family:
    return Family(
        name=one.name,
        type=one.type,
        help=one.documentation,
        samples=[
            Sample(
                name=sample.name,
                labels=dict(sample.labels),
                value=sample.value if math.isfinite(sample.value) else None,
            )
            for sample in one.samples
            if with_buckets or not sample.name.endswith("_bucket")
        ],
    )


class _Some(Collector):
    """Families that were collected already."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families


def _prometheus(families: list[Metric]) -> str:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Some(families))
    return generate_latest(registry).decode()


def _lines(families: list[Metric], with_buckets: bool) -> str:
    lines: list[str] = []
    for one in families:
        for sample in one.samples:
            if with_buckets or not sample.name.endswith("_bucket"):
                labels = ", ".join(f"{name}={value}" for name, value in sample.labels.items())
                lines.append(f"{sample.name}{f' ({labels})' if labels else ''}: {sample.value:g}")
    return "\n".join(lines)


def _require_short(size: int) -> None:
    if size > ANSWER_BYTES:
        raise ToolFailed(
            "That is too much for one answer: name the metrics you want with names; info lists them.",
            code="output_too_large",
        )
