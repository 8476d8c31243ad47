"""Every subject's file, imported for what it registers at the site."""

from apps.backoffice import (  # noqa: F401
    agent_runs,
    agent_sessions,
    agents,
    audit,
    jobs,
    llm_calls,
    llm_defaults,
    llm_manifests,
    llm_models,
    llm_providers,
    overview,
    settings_page,
    signed_in,
    tenants,
    tool_approvals,
    tool_invocations,
    tool_manifests,
    tool_policies,
    users,
)
from apps.backoffice.site import site

__all__ = ["site"]
