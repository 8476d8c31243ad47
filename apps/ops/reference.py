"""The reference pages, from the code: docs/reference/*.md. A test fails when they differ."""

from collections.abc import Callable, Sequence
from typing import Any

from django.conf import settings
from prometheus_client import Counter, Gauge, Histogram

from apps.identity import access, rbac, scopes
from apps.llm import gauges
from apps.ops.reference_events import events_text
from apps.ops.reference_tools import tools_text
from kernel import errors, metrics, redis_keys

HEAD = "<!-- Made by `make docs` from {source}. Do not edit. -->\n\n"


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    def line(cells: tuple[str, ...]) -> str:
        return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |\n"

    return line(head) + line(tuple("---" for _ in head)) + "".join(line(row) for row in rows)


def redis_key_page() -> str:
    """Every Redis key."""
    rows = [
        (
            f"`{key.pattern}`",
            key.kind,
            key.content,
            "none" if key.ttl_s is None else f"{key.ttl_s:,} s",
            key.writer,
            key.reader,
            key.if_lost,
        )
        for key in redis_keys.KEYS
    ]
    return (
        HEAD.format(source="platform/kernel/redis_keys.py")
        + "# Redis keys\n\n"
        + "Redis may be emptied at any moment; the last column says why nothing is lost. Beside these, kombu\n"
        + "keeps the stock Celery queues (`maintenance`, `_kombu.*`, `unacked*`), and the channel layer publishes\n"
        + "wake-ups, stored nowhere, on "
        + f"the group `{redis_keys.WAKE_GROUP}`.\n\n"
        + _table(("key", "type", "content", "time to live", "writer", "reader", "if it is lost"), rows)
    )


def settings_page() -> str:
    """Every environment variable."""
    registry: dict[str, Any] = settings.ENV_REGISTRY
    rows = [
        (
            f"`{setting.name}`",
            setting.kind,
            "**required**" if setting.default is None else (f"`{setting.default}`" if setting.default else "empty"),
            setting.help,
        )
        for setting in sorted(registry.values(), key=lambda setting: setting.name)
    ]
    return (
        HEAD.format(source="platform/config/settings/")
        + "# Settings\n\n"
        + "Read once, at start-up. A wrong value, a missing required one or an unknown `AGENTIC_*` name stops the\n"
        + "process with a sentence that says what to do. A secret may also be given as a file: `NAME_FILE`.\n\n"
        + _table(("variable", "value", "default", "meaning"), rows)
    )


def metrics_page() -> str:
    """Every Prometheus metric of our own."""
    kinds: dict[type, str] = {Counter: "counter", Gauge: "gauge", Histogram: "histogram"}
    rows = []
    for metric in vars(metrics).values():
        if type(metric) in kinds:
            described = metric.describe()[0]
            name = described.name + ("_total" if isinstance(metric, Counter) else "")
            rows.append((f"`{name}`", kinds[type(metric)], ", ".join(metric._labelnames), described.documentation))
    rows.append(("`jobs_queue_depth`", "gauge", "type, priority", "Ids on the queue's lists, read at scrape time."))
    rows.append(("`jobs_dead_items`", "gauge", "", "Things kept aside on jobs:dead, read at scrape time (API)."))
    for name, text in ((gauges.HEALTH_NAME, gauges.HEALTH_HELP), (gauges.CIRCUIT_NAME, gauges.CIRCUIT_HELP)):
        rows.append((f"`{name}`", "gauge", ", ".join(gauges.LABELS), f"{text}, read at scrape time (API)."))
    return (
        HEAD.format(source="platform/kernel/metrics.py")
        + "# Metrics\n\nServed at `/metrics` of the API, and of each worker on `AGENTIC_METRICS_PORT`.\n\n"
        + _table(("name", "type", "labels", "meaning"), sorted(rows))
    )


def errors_page() -> str:
    """Every class of error on the wire."""
    rows = []
    for error in vars(errors).values():
        if isinstance(error, type) and issubclass(error, errors.PlatformError):
            first_line = (error.__doc__ or "").strip().splitlines()[0]
            rows.append((str(error.http_status), f"`{error.code}`", "yes" if error.retryable else "no", first_line))
    return (
        HEAD.format(source="platform/kernel/errors.py")
        + "# Errors\n\n"
        + "Every error is `application/problem+json` (RFC 9457) with `type, title, status, detail, instance, code,\n"
        + "request_id, correlation_id, extensions` and, for validation, `errors: [{loc, msg, type}]`. `code` is\n"
        + "stable; a view may answer with a more particular one of the same status.\n\n"
        + _table(("status", "code", "a retry may help", "meaning"), sorted(rows))
    )


def rbac_page() -> str:
    """Roles, permissions, scopes, and who may call what."""
    resources = tuple(rbac.RESOURCES)

    def letters(role: str, resource: str) -> str:
        return "".join(letter for letter, action in rbac.ACTIONS.items() if f"{resource}:{action}" in rbac.MATRIX[role])

    matrix = [
        (f"`{role}`", rbac.EXTENDS.get(role, ""), *(letters(role, resource) or "-" for resource in resources))
        for role in rbac.MATRIX
    ]
    needed = [(f"`{permission}`", f"`{rbac.scope_for(permission)}`") for permission in rbac.PERMISSIONS]
    held = [(f"`{role}`", ", ".join(f"`{scope}`" for scope in sorted(rbac.scopes_of([role])))) for role in rbac.MATRIX]
    includes = [(f"`{scope}`", ", ".join(f"`{name}`" for name in names)) for scope, names in scopes.INCLUDES.items()]
    spellings = [(f"`{theirs}`", f"`{ours}`") for theirs, ours in scopes.SPELLINGS.items()]
    inferred = [
        (f"`{scope}`", f"`{role}`", ", ".join(f"`{name}`" for name in sorted(more)) or "-")
        for scope, role, more in rbac.INFERRED
    ]
    open_to = {access.PUBLIC: "everybody", access.SIGNED_IN: "every signed-in caller"}
    routes = [
        (
            method,
            f"`{route}`",
            needs,
            open_to.get(needs) or ", ".join(r for r in rbac.MATRIX if needs in rbac.MATRIX[r]),
        )
        for route, methods in access.ROUTES.items()
        for method, needs in methods.items()
    ]
    return (
        HEAD.format(source="apps/identity/rbac.py, scopes.py and access.py")
        + "# Roles, scopes and routes\n\n"
        + "A caller may do what its role has **and** its token's scopes cover. What is not declared is refused.\n\n"
        + "## Roles\n\nC create, R read, U update, D delete, I invoke. A role that extends another has its row too.\n\n"
        + _table(("role", "extends", *resources), matrix)
        + "\n"
        + _table(("resource", "what it is"), [(f"`{name}`", text) for name, text in rbac.RESOURCES.items()])
        + "\n## The scope beside the role\n\n"
        + _table(("permission", "scope"), needed)
        + "\n## The scopes a role may have\n\n"
        + "A token without `scope` and `scopes` has them all; one with an empty list has none.\n\n"
        + _table(("role", "scopes"), held)
        + "\n## Which scopes include others\n\n"
        + f"`{rbac.ADMIN_SCOPE}` includes every scope, `x:*` every scope that begins with `x:`.\n\n"
        + _table(("scope", "includes"), includes)
        + "\nThe predecessor's spellings:\n\n"
        + _table(("spelling", "means"), spellings)
        + "\n## Tokens without roles\n\n"
        + "The predecessor's tokens had scopes only. The first row whose scope such a token covers says its role.\n\n"
        + _table(("scope", "role", "scopes it has beside its own"), inferred)
        + "\n## Routes\n\n"
        + "`/metrics` is public while `AGENTIC_METRICS_PUBLIC` is true. "
        + "Streams (`/v1/jobs/{id}/events`, `/ws/jobs/{id}`) need `jobs:read`,\n"
        + "those of runs (`/v1/agent-runs/{id}/events`, `/ws/agent-runs/{id}`) `agent-runs:read`.\n\n"
        + _table(("method", "route", "needs", "who may"), routes)
    )


def events_page() -> str:
    """Every event of a stream."""
    return events_text(HEAD.format(source="apps/jobs/event_types.py and apps/agents/runs/event_types.py"), _table)


def tools_page() -> str:
    """Every tool."""
    return tools_text(HEAD.format(source="apps/toolbox/"), _table)


PAGES: dict[str, Callable[[], str]] = {
    "redis-keys.md": redis_key_page,
    "settings.md": settings_page,
    "metrics.md": metrics_page,
    "errors.md": errors_page,
    "rbac.md": rbac_page,
    "events.md": events_page,
    "tools.md": tools_page,
}
