"""How a partial change of a tenant is laid over what is there (RFC 7396: null removes a member of an object)."""

from typing import Any

import pydantic

from apps.tenancy.config import TenantSettings
from kernel.errors import ValidationError
from kernel.faults import faults_of
from kernel.payloads import unstorable

METADATA_MAX_BYTES = 16_384


def merged(old: Any, change: Any) -> Any:
    """``old`` with ``change`` laid over it, objects member by member."""
    if not isinstance(change, dict):
        return change
    result = dict(old) if isinstance(old, dict) else {}
    for name, value in change.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def merged_settings(old: dict[str, Any], change: dict[str, Any]) -> dict[str, Any]:
    """The whole validated settings document. ValidationError names the path of each fault."""
    document = merged(old, change)
    try:
        return TenantSettings.model_validate(document).model_dump(mode="json")
    except pydantic.ValidationError as error:
        raise ValidationError("Request validation failed", errors=faults_of(error, "body", "settings")) from error


def checked_metadata(metadata: dict[str, Any]) -> dict[str, Any]:
    """``metadata`` if PostgreSQL can hold it and it is not too large."""
    reason = unstorable(metadata)
    if reason is None and len(str(metadata).encode(errors="replace")) > METADATA_MAX_BYTES:
        reason = f"metadata may have {METADATA_MAX_BYTES} bytes at most"
    if reason is not None:
        raise ValidationError(
            "Request validation failed", errors=[{"loc": ["body", "metadata"], "msg": reason, "type": "metadata"}]
        )
    return metadata


def changed_leaves(old: Any, new: Any, at: str = "") -> dict[str, list[Any]]:
    """Path -> [old, new] of every value that differs, for the audit log."""
    if isinstance(old, dict) and isinstance(new, dict):
        found: dict[str, list[Any]] = {}
        for name in sorted(old.keys() | new.keys()):
            found |= changed_leaves(old.get(name), new.get(name), f"{at}.{name}" if at else name)
        return found
    return {} if old == new else {at: [old, new]}
