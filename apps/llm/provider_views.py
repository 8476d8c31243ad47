"""/v1/admin/models/providers: who runs models, and where. For administrators."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from apps.identity.permissions import principal_of
from apps.identity.standing import is_platform_admin
from apps.llm import circuits, monitoring, provider_schemas, selectors
from apps.llm.models import Provider
from apps.llm.registry import providers, trials
from apps.llm.requests import IF_MATCH, READ, owner_of
from apps.llm.schemas import parse_id
from kernel.web.api import ApiView
from kernel.web.parameters import NO_STORE, refuse_unknown, version_meant
from kernel.web.schema import json_if_changed, json_response, parse_body


class ProviderAll(ApiView):
    """List providers."""

    @extend_schema(
        operation_id="list_model_providers",
        summary="List providers of models",
        description="The tenant's own and the platform's, by priority.",
        responses=provider_schemas.ProviderList,
        tags=["providers"],
    )
    def get(self, request: Request) -> HttpResponse:
        refuse_unknown(request)
        rows = selectors.list_providers(principal_of(request).tenant_id)
        health = monitoring.health_of_all(row.id for row in rows)
        items = [shown(request, row, health_out(row, health[row.id])) for row in rows]
        return json_response({"items": items, "total": len(items)}, headers=READ)


class ProviderRegister(ApiView):
    """Make a provider."""

    @extend_schema(
        operation_id="register_model_provider",
        summary="Register a provider of models",
        description="The tenant's own, unless `scope` is `global`. Its address must be a public one, or allow-listed. "
        "Its key is stored encrypted and never shown.",
        request=provider_schemas.ProviderRegister,
        responses={201: provider_schemas.ProviderOut},
        tags=["providers"],
    )
    def post(self, request: Request) -> HttpResponse:
        refuse_unknown(request)
        principal, body = principal_of(request), parse_body(provider_schemas.ProviderRegister, request.data)
        row = providers.register_provider(
            tenant_id=owner_of(principal, scope=body.scope, tenant_id=body.tenant_id),
            name=body.name,
            type=body.type,
            base_url=body.base_url or "",
            api_key=body.api_key or "",
            config=body.config.model_dump(exclude_none=True),
            priority=body.priority,
            enabled=body.enabled,
            by=principal,
        )
        location = request.build_absolute_uri(f"/v1/admin/models/providers/{row.id}")
        return json_response(
            shown(request, row), status=201, headers={**NO_STORE, "Location": location, "ETag": etag_of(row)}
        )


class ProviderDetail(ApiView):
    """Read, change and delete a provider."""

    @extend_schema(
        operation_id="get_model_provider",
        summary="Read a provider",
        responses=provider_schemas.ProviderOut,
        tags=["providers"],
    )
    def get(self, request: Request, provider_id: str) -> HttpResponse:
        refuse_unknown(request)
        row = seen_provider(request, provider_id)
        headers = {**READ, "ETag": etag_of(row)}
        return json_if_changed(request, lambda: shown(request, row), headers)

    @extend_schema(
        operation_id="change_model_provider",
        summary="Change a provider",
        description="A base_url with another host takes the stored key away, unless a new one comes with it: the "
        "answer's `key_cleared` says so.",
        request=provider_schemas.ProviderChange,
        responses=provider_schemas.ProviderChanged,
        parameters=[IF_MATCH],
        tags=["providers"],
    )
    def patch(self, request: Request, provider_id: str) -> HttpResponse:
        refuse_unknown(request)
        row = seen_provider(request, provider_id)
        body = parse_body(provider_schemas.ProviderChange, request.data)
        version = version_meant(request, etag_of(row), row.version, "provider")
        changed = providers.change_provider(
            row.id, body.as_change(), by=principal_of(request), expected_version=version
        )
        return json_response(
            {**shown(request, changed.provider), "key_cleared": changed.key_cleared},
            headers={**NO_STORE, "ETag": etag_of(changed.provider)},
        )

    @extend_schema(
        operation_id="delete_model_provider",
        summary="Delete a provider and its key",
        description="Refused while it has model instances; the answer names them.",
        responses={204: None},
        parameters=[IF_MATCH],
        tags=["providers"],
    )
    def delete(self, request: Request, provider_id: str) -> HttpResponse:
        refuse_unknown(request)
        row = seen_provider(request, provider_id)
        version = version_meant(request, etag_of(row), row.version, "provider")
        providers.remove_provider(row.id, by=principal_of(request), expected_version=version)
        return HttpResponse(status=204, headers=NO_STORE)


class ProviderDefault(ApiView):
    """PUT makes it the main one."""

    @extend_schema(
        operation_id="make_model_provider_main",
        summary="Make a provider the main one",
        request=None,
        responses=provider_schemas.ProviderOut,
        tags=["providers"],
    )
    def put(self, request: Request, provider_id: str) -> HttpResponse:
        refuse_unknown(request)
        row = providers.make_main(parse_id(provider_id, "provider_id"), by=principal_of(request))
        return json_response(shown(request, row), headers={**NO_STORE, "ETag": etag_of(row)})


class ProviderMain(ApiView):
    """The main provider."""

    @extend_schema(
        operation_id="get_main_model_provider",
        summary="The main provider",
        description="The tenant's, else the platform's, else the first by priority.",
        responses={200: provider_schemas.MainProvider, 404: None},
        tags=["providers"],
    )
    def get(self, request: Request) -> HttpResponse:
        refuse_unknown(request)
        row = selectors.main_provider(principal_of(request).tenant_id)
        body = {"provider_id": row.id, "name": row.name, "type": row.type, "health": health_of(row)}
        return json_response(body, headers=READ)


class ProviderTest(ApiView):
    """POST asks the provider for its models."""

    @extend_schema(
        operation_id="test_model_provider",
        summary="Test the connection to a provider",
        description="Waits 5 s at most. A provider that fails is an answer, not an error.",
        request=None,
        responses=provider_schemas.ConnectionTest,
        tags=["providers"],
    )
    def post(self, request: Request, provider_id: str) -> HttpResponse:
        refuse_unknown(request)
        trial = trials.try_connection(parse_id(provider_id, "provider_id"), by=principal_of(request))
        return json_response(provider_schemas.trial_out(trial), headers=NO_STORE)


def seen_provider(request: Request, raw_id: str) -> Provider:
    """The provider of the path; another tenant's looks like one that never was."""
    return selectors.get_provider(principal_of(request).tenant_id, parse_id(raw_id, "provider_id"))


def etag_of(row: Provider) -> str:
    """Of a provider as it is now."""
    return provider_schemas.provider_etag(row)


def shown(request: Request, row: Provider, seen: dict[str, Any] | None = None) -> dict[str, Any]:
    """The provider; ``seen`` is its health where that was read already."""
    whole = row.tenant_id is not None or is_platform_admin(principal_of(request))
    health = health_of(row) if seen is None else seen
    return provider_schemas.provider_out(row, health, whole=whole)


def health_of(row: Provider) -> dict[str, Any]:
    """What the last look and the circuit breaker say."""
    return health_out(row, monitoring.health_of(row.id))


def health_out(row: Provider, seen: dict[str, Any] | None) -> dict[str, Any]:
    """The same where the last look is known."""
    return provider_schemas.health_out(seen, circuits.view(row.id).state)
