"""Whether a tenant's graph takes changes. A feature flag of the tenant says so; every writer passes here.

There is one graph server for all: this is what can be switched of it, tenant by tenant.
"""

from uuid import UUID

from apps.graph.errors import GraphReadOnlyError
from apps.tenancy.resolver import tenant_config

FLAG = "graph_read_only"  # of TenantSettings.features


def is_read_only(tenant_id: UUID) -> bool:
    """As of a second ago at most."""
    config = tenant_config(tenant_id)
    return config is not None and config.settings.features.get(FLAG, False)


def require_writable(tenant_id: UUID | str) -> None:
    """GraphReadOnlyError while the tenant's graph takes no changes."""
    if is_read_only(tenant_id if isinstance(tenant_id, UUID) else UUID(tenant_id)):
        raise GraphReadOnlyError(
            "Your tenant's graph is read-only at the moment. An administrator of the tenant can switch it back: "
            "tool db.switch, target read-write."
        )
