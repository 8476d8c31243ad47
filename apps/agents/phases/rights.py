"""What a wish needs, and what its asker may do: out of the table of rights (apps/identity/rbac.py), by no model."""

import re

from apps.agents.phases.wording import say
from apps.agents.types import RunView
from apps.identity import rbac
from apps.identity.principal import Principal
from apps.llm.language import words

_GRAPH = words.term_set(
    "node relationship graph label property dataset sample gene protein experiment publication file institution task"
    " workflow pathway result"
)
_RESOURCES: tuple[tuple[str, str], ...] = (
    ("index constraint schema trigger backup cache worker policy setting token database role permission user account"
     " instruction", "platform"),
    ("tenant quota limit", "tenants"),
    ("model provider instance key", "models"),
    ("job", "jobs"),
    ("session conversation", "sessions"),
    ("run", "agent-runs"),
    ("tool", "tools"),
    ("audit", "audit"),
)  # fmt: skip
_RESOURCE_OF = {term: resource for line, resource in _RESOURCES for term in words.term_set(line)}
_DELETES = words.term_set("delete cancel abort revoke stop")
_CREATES = words.term_set("create add import grant invite schedule start backup restore")
_READS = words.term_set("see read view list show get search query ask count vedere leggere") - {"ask"}
_WRITES_CYPHER = re.compile(r"\b(?:create|merge)\s*\(|\bmatch\s*\(.{0,300}\b(?:set|remove|delete)\b", re.I | re.DOTALL)
_WHO_MAY = re.compile(
    r"\bwho\s+(?:can|may|is\s+allowed|has)\b|\bchi\s+(?:può|puo|ha)\b|\bwhich\s+roles?\b", re.IGNORECASE
)
_OWN = re.compile(
    r"\b(?:am|may|can|could|do)\s+i\b|\bi\s+(?:am|have|can|may)\b|\bmy\s+(?:\w+\s+)?(?:permissions?|roles?|rights?|scopes?"
    r"|access)\b|\bposso\b|\bho\b|\bsono\b|\bi\s+miei\b|\bwho\s+am\s+i\b|\bchi\s+sono\b|\ballowed\s+to\s+do\b",
    re.IGNORECASE,
)


def principal_of(view: RunView) -> Principal:
    """The run's submitter, with what the run remembers of its rights."""
    return Principal(view.owner_sub, view.tenant_id, view.roles, view.scopes)


def may(view: RunView, permission: str) -> bool:
    """Whether the run's submitter has the permission."""
    return rbac.may(principal_of(view), permission)


def change_needs(text: str) -> str:
    """The permission that a change needs: of the platform's part that is named first, else of the graph."""
    said = words.all_terms(text[: words.READ_CHARS])
    if _WRITES_CYPHER.search(text):
        return f"graph:{_action(said)}"
    if "node" not in said and "relationship" not in said:
        for word in said:
            if word in _RESOURCE_OF:
                return _known(_RESOURCE_OF[word], _action(said))
    return _known("graph", _action(said))


def asked_about(text: str) -> str:
    """The permission that a question on rights is about; "" when it names none."""
    said = words.all_terms(text[: words.READ_CHARS])
    named = (_RESOURCE_OF[word] for word in said if word in _RESOURCE_OF and word not in ("permission", "role"))
    resource = next(named, "graph" if _GRAPH.intersection(said) else "")
    if not resource:
        return ""
    meant = set(said)
    reads = meant & _READS and not meant & (_DELETES | _CREATES | {"update", "write"})
    return _known(resource, "read" if reads else _action(said))


def answer(view: RunView, text: str, *, italian: bool) -> str:
    """The answer to a question on rights; "" when the table of rights does not hold it."""
    permission = asked_about(text)
    principal = principal_of(view)
    if permission and _WHO_MAY.search(text):
        roles = ", ".join(sorted(role for role in rbac.MATRIX if permission in rbac.MATRIX[role]))
        return say("who_may", italian, permission=permission, roles=roles)
    if not _OWN.search(text):
        return ""
    if permission:
        verdict = rbac.verdict(principal, permission)
        return say(
            "you_may" if verdict.allowed else "you_may_not", italian, permission=permission, reason=verdict.reason
        )
    held = ", ".join(sorted(rbac.permissions_of(principal))) or "-"
    roles = ", ".join(sorted(view.roles)) or "-"
    return say("who_you_are", italian, sub=view.owner_sub, roles=roles, permissions=held)


def missing_sentence(view: RunView, permission: str, *, italian: bool) -> str:
    """Why a wish is not carried out, with the right that is missing and who has it."""
    verdict = rbac.verdict(principal_of(view), permission)
    return say("missing_right", italian, permission=permission, reason=verdict.reason)


def facts(view: RunView) -> dict[str, list[str]]:
    """What a model may know of the asker's rights."""
    held = sorted(rbac.permissions_of(principal_of(view)))
    return {"roles": sorted(view.roles), "permissions": held}


def _action(said: list[str]) -> str:
    verb = next((word for word in said if word in _DELETES or word in _CREATES or word == "update"), "update")
    return "delete" if verb in _DELETES else "create" if verb in _CREATES else "update"


def _known(resource: str, action: str) -> str:
    """The permission, or the nearest that the table has."""
    for candidate in (action, "update", "create", "read"):
        if f"{resource}:{candidate}" in rbac.PERMISSIONS:
            return f"{resource}:{candidate}"
    return f"{resource}:read"
