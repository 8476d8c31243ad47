"""Uids of nodes: they begin with what stands for their tenant, so that none can make one that is another's. Pure."""

import hashlib
from uuid import UUID, uuid4

TENANT_DIGITS = 12
OWN_DIGITS = 20


def uid_for(tenant_id: UUID | str, name: str) -> str:
    """The uid of what a tenant calls ``name``: always the same one."""
    return _beginning(tenant_id) + hashlib.sha256(f"{tenant_id}\0{name}".encode()).hexdigest()[:OWN_DIGITS]


def new_uid(tenant_id: UUID | str) -> str:
    """A uid that nobody has."""
    return _beginning(tenant_id) + uuid4().hex[:OWN_DIGITS]


def is_of_tenant(tenant_id: UUID | str, uid: str) -> bool:
    """Whether ``uid`` can only be this tenant's."""
    return uid.startswith(_beginning(tenant_id)) and len(uid) == TENANT_DIGITS + 1 + OWN_DIGITS


def _beginning(tenant_id: UUID | str) -> str:
    return hashlib.sha256(f"tenant {tenant_id}".encode()).hexdigest()[:TENANT_DIGITS] + "-"
