"""What the gate found in a text, and who asks, as clients of the predecessor read it. Nothing in it is a constant."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from apps.graph.cypher.errors import CypherSyntaxError
from apps.graph.cypher.parser import parse_change
from apps.graph.gate.draft import TENANT_PARAMETER
from apps.graph.gate.verdict import GateRefusal, Passed
from apps.identity import rbac
from apps.identity.principal import Principal
from apps.tenancy.resolver import tenant_config
from apps.toolbox.graph import LayerOut, layers_out
from kernel.errors import ForbiddenError


class RefusalOut(BaseModel):
    """Why the gate refused, and what to do."""

    model_config = ConfigDict(extra="forbid")

    layer: str
    message: str
    hint: str


class ChecksOut(BaseModel):
    """What was found in the text."""

    model_config = ConfigDict(extra="forbid")

    write_operations: bool = Field(description="It would write: such a text is refused here.")
    forbidden_clauses: bool = Field(description="It holds something that no query may, or does not parse.")
    tenant_scoped: bool | None = Field(
        description="Every pattern of what runs is bound to your tenant, as the gate proved it; null when it reads "
        "nothing of the graph, or was refused."
    )


class ValidationOut(BaseModel):
    """What the gate says, and who asks."""

    model_config = ConfigDict(extra="forbid")

    read_only: bool
    safe: bool
    allowed: bool
    role: str | None
    permissions: list[str] = Field(description="Of the caller, on the graph.")
    checks: ChecksOut
    layers: list[LayerOut]
    refusal: RefusalOut | None


def require_own(principal: Principal, claimed: str | Mapping[str, Any] | None, tenant: str | None) -> None:
    """ForbiddenError when the arguments name somebody else, or more than the caller has. They never add anything."""
    config = tenant_config(principal.tenant_id)
    own_names = {str(principal.tenant_id)} | ({config.slug} if config is not None else set())
    said: dict[str, Any] = {"sub": claimed} if isinstance(claimed, str) else dict(claimed or {})
    if tenant is not None:
        said = {**said, "tenant": tenant} if "tenant" not in said else {**said, "tenant_argument": tenant}
    for name, value in said.items():
        if name in ("sub", "id", "user_id", "username", "subject"):
            is_own = value == principal.sub
        elif name in ("tenant", "tenant_id", "tenant_argument"):
            is_own = isinstance(value, str) and value in own_names
        elif name in ("role", "roles", "scopes"):
            held = principal.scopes if name == "scopes" else principal.roles
            is_own = {value} <= held if isinstance(value, str) else isinstance(value, list) and _all_in(value, held)
        else:
            is_own = False
        if not is_own:
            raise ForbiddenError(
                f"The argument {name[:40]!r} is not the caller's own. Leave it out: who calls is known.",
                code="principal_mismatch",
            )


def validation_of(
    principal: Principal, cypher: str, passed: Passed | None, refusal: GateRefusal | None
) -> ValidationOut:
    """What the gate found, as the predecessor's clients read it; nothing in it is a constant."""
    writes = passed is None and _would_write(cypher)
    return ValidationOut(
        read_only=passed is not None or (refusal is not None and refusal.layer != "syntax"),
        safe=passed is not None,
        allowed=passed is not None and rbac.may(principal, "graph:read"),
        role=rbac.leading_role(principal),
        permissions=sorted(one for one in rbac.permissions_of(principal) if one.startswith("graph:")),
        checks=ChecksOut(
            write_operations=writes,
            forbidden_clauses=refusal is not None and refusal.layer in ("syntax", "read-only") and not writes,
            tenant_scoped=_is_scoped(principal, passed),
        ),
        layers=[] if passed is None else layers_out(passed.layers),
        refusal=None if refusal is None else RefusalOut(**_told(refusal)),
    )


def _is_scoped(principal: Principal, passed: Passed | None) -> bool | None:
    """The gate has proved that each pattern is bound (tenant.prove); what it is bound to is looked at here."""
    if passed is None or TENANT_PARAMETER not in passed.parameters:
        return None
    return bool(passed.parameters[TENANT_PARAMETER] == str(principal.tenant_id))


def _told(refusal: GateRefusal) -> dict[str, str]:
    return {"layer": refusal.layer, "message": refusal.message, "hint": refusal.hint}


def _would_write(cypher: str) -> bool:
    try:
        parse_change(cypher)
    except CypherSyntaxError:
        return False
    return True


def _all_in(values: list[Any], held: frozenset[str]) -> bool:
    return all(isinstance(one, str) and one in held for one in values)
