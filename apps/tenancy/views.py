"""/v1/tenants, and the predecessor's /v1/admin/tenants on the same views. DELETE stands in apps/ops/views/tenants.py,
because what it starts is a job."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

from asgiref.sync import sync_to_async
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from apps.identity.permissions import principal_of
from apps.identity.standing import is_platform_admin
from apps.tenancy import deletion, exports, onboarding, rights, schemas, selectors, services
from apps.tenancy.models import Tenant
from kernel import pagination
from kernel.clock import iso
from kernel.errors import BadRequestError
from kernel.web.api import ApiView
from kernel.web.etag import not_modified
from kernel.web.parameters import NO_STORE, refuse_unknown
from kernel.web.schema import json_response, parse_body

PREFIX_MAX_CHARS = 100
CHUNK_BYTES = 64 * 1024
IF_MATCH = OpenApiParameter("If-Match", str, OpenApiParameter.HEADER, description="ETag of the version meant.")


def seen_tenant(request: Request, raw_id: str) -> Tenant:
    """The tenant of the path if the caller may see it; another's looks like one that never was."""
    tenant_id = schemas.parse_tenant_id(raw_id)
    rights.require_sight(principal_of(request), tenant_id)
    return selectors.get_tenant(tenant_id)


def tenant_response(tenant: Tenant, status: int = 200, **more: Any) -> HttpResponse:
    """A tenant with its ETag."""
    headers = {"ETag": schemas.tenant_etag(tenant), "Cache-Control": "private, no-cache", "Vary": "Authorization"}
    return json_response({**schemas.tenant_out(tenant), **more}, status=status, headers=headers)


class TenantList(ApiView):
    """Make a tenant with all it needs; list those the caller may see."""

    @extend_schema(
        operation_id="list_tenants",
        summary="List tenants",
        description="Administrators of the platform see all tenants, everybody else the own one.",
        parameters=[
            OpenApiParameter("status", str, enum=[*Tenant.Status.values]),
            OpenApiParameter("q", str, description="How name or slug begin, in any case."),
            OpenApiParameter("limit", int, description="1 to 50; 25 by default."),
            OpenApiParameter("page_token", str, description="next_page_token of the page before."),
        ],
        responses=schemas.TenantPage,
        tags=["tenants"],
    )
    def get(self, request: Request) -> HttpResponse:
        refuse_unknown(request, frozenset({"status", "q", "limit", "page_token"}))
        principal, asked = principal_of(request), request.query_params
        statuses = [status for status in asked.get("status", "").split(",") if status]
        unknown = [status for status in statuses if status not in Tenant.Status.values]
        if unknown:
            raise BadRequestError(
                f"status: unknown value {unknown[0][:50]!r}. Use {', '.join(Tenant.Status.values)}.",
                code="invalid_filter",
            )
        prefix = asked.get("q", "")
        if "\0" in prefix or len(prefix) > PREFIX_MAX_CHARS:
            raise BadRequestError(f"q: at most {PREFIX_MAX_CHARS} characters, no NUL.", code="invalid_filter")
        limit = pagination.parse_limit(asked.get("limit"))
        only = None if is_platform_admin(principal) else principal.tenant_id
        scope = f"tenants:{principal.tenant_id}:{principal.sub}:{only}:{statuses}:{prefix}"
        after = pagination.decode_cursor(asked.get("page_token"), scope=scope)
        tenants, total = selectors.list_tenants(only=only, statuses=statuses, prefix=prefix, after=after, limit=limit)
        offset = after.offset if after else 0
        token = None
        if len(tenants) > limit:
            tenants = tenants[:limit]
            last = pagination.Cursor(tenants[-1].created_at, tenants[-1].id, offset + limit)
            token = pagination.encode_cursor(last, scope=scope)
        items = [schemas.tenant_out(tenant) for tenant in tenants]
        body = pagination.page(items, total=total, limit=limit, offset=offset, token=token)
        return json_response(body, headers={"Cache-Control": "private, no-cache", "Vary": "Authorization"})

    @extend_schema(
        operation_id="create_tenant",
        summary="Make a tenant with all it needs",
        request=schemas.TenantCreate,
        responses={201: schemas.TenantCreated},
        tags=["tenants"],
    )
    def post(self, request: Request) -> HttpResponse:
        refuse_unknown(request)
        rights.require_platform_admin(principal_of(request))
        body = parse_body(schemas.TenantCreate, request.data)
        admin = None
        if body.admin is not None:
            admin = {"email": body.admin.email, "username": body.admin.username or body.admin.email}
        tenant, account = onboarding.onboard(
            name=body.name,
            slug=body.slug,
            admin_email=body.admin_email or (body.admin.email if body.admin else ""),
            metadata=body.metadata,
            tenant_settings=body.settings.model_dump(mode="json", exclude_unset=True),
            admin=admin,
            by=principal_of(request),
        )
        response = tenant_response(tenant, status=201, admin=schemas.first_admin_out(account))
        response["Location"] = request.build_absolute_uri(f"/v1/tenants/{tenant.id}")
        response["Cache-Control"] = "no-store"
        return response


class TenantDetail(ApiView):
    """Read and change a tenant."""

    @extend_schema(operation_id="get_tenant", summary="Read a tenant", responses=schemas.TenantOut, tags=["tenants"])
    def get(self, request: Request, tenant_id: str) -> HttpResponse:
        refuse_unknown(request)
        tenant = seen_tenant(request, tenant_id)
        if not_modified(request, schemas.tenant_etag(tenant)):
            return HttpResponse(status=304, headers={"ETag": schemas.tenant_etag(tenant), "Vary": "Authorization"})
        return tenant_response(tenant)

    @extend_schema(
        operation_id="change_tenant",
        summary="Change a tenant",
        description="Objects are merged; null removes a member. A tenant's own administrator cannot change quotas and "
        "the tenant's own request rate.",
        request=schemas.TenantChange,
        responses=schemas.TenantOut,
        parameters=[IF_MATCH],
        tags=["tenants"],
    )
    def patch(self, request: Request, tenant_id: str) -> HttpResponse:
        refuse_unknown(request)
        tenant = seen_tenant(request, tenant_id)
        body = parse_body(schemas.TenantChange, request.data)
        version = schemas.version_meant(request.headers.get("If-Match"), tenant, required=True)
        changed = services.change_tenant(
            tenant.id, body.as_change(), by=principal_of(request), expected_version=version
        )
        return tenant_response(changed)


class TenantStatus(ApiView):
    """POST moves the tenant to ``status``."""

    status = Tenant.Status.ACTIVE

    def _move(self, request: Request, tenant_id: str) -> HttpResponse:
        refuse_unknown(request)
        tenant = seen_tenant(request, tenant_id)
        version = schemas.version_meant(request.headers.get("If-Match"), tenant, required=False)
        moved = services.set_tenant_status(tenant.id, self.status, by=principal_of(request), expected_version=version)
        return tenant_response(moved)


class TenantSuspend(TenantStatus):
    """Its callers get 403 within a second; nothing is lost."""

    status = Tenant.Status.SUSPENDED

    @extend_schema(
        operation_id="suspend_tenant",
        summary="Suspend a tenant",
        request=None,
        responses=schemas.TenantOut,
        parameters=[IF_MATCH],
        tags=["tenants"],
    )
    def post(self, request: Request, tenant_id: str) -> HttpResponse:
        return self._move(request, tenant_id)


class TenantResume(TenantStatus):
    """The end of a suspension."""

    @extend_schema(
        operation_id="resume_tenant",
        summary="Resume a suspended tenant",
        request=None,
        responses=schemas.TenantOut,
        parameters=[IF_MATCH],
        tags=["tenants"],
    )
    def post(self, request: Request, tenant_id: str) -> HttpResponse:
        return self._move(request, tenant_id)


class TenantDeletionPreview(ApiView):
    """The first of the two steps of deleting a tenant."""

    @extend_schema(
        operation_id="preview_tenant_deletion",
        summary="What deleting a tenant would erase, counted",
        responses=schemas.DeletionPreview,
        tags=["tenants"],
    )
    def get(self, request: Request, tenant_id: str) -> HttpResponse:
        refuse_unknown(request)
        tenant = seen_tenant(request, tenant_id)
        rights.require_platform_admin(principal_of(request))
        counts, confirmation, expires_at = deletion.preview(tenant)
        body = {
            "tenant": schemas.tenant_out(tenant),
            "counts": counts,
            "confirmation": confirmation,
            "expires_at": iso(expires_at),
        }
        return json_response(body, headers=NO_STORE)


class TenantExport(ApiView):
    """What an offboarding left behind: a zip of NDJSON files."""

    @extend_schema(
        operation_id="download_tenant_export",
        summary="Download the export of a deleted tenant",
        responses={(200, "application/zip"): OpenApiTypes.BINARY},
        tags=["tenants"],
    )
    def get(self, request: Request, name: str) -> HttpResponse | StreamingHttpResponse:
        refuse_unknown(request)
        rights.require_platform_admin(principal_of(request))
        path = exports.path_of(name)
        services.note_download(name, by=principal_of(request))
        headers = {
            **NO_STORE,
            "Content-Disposition": f'attachment; filename="{name}"',
            "Content-Length": str(path.stat().st_size),
        }
        return StreamingHttpResponse(_chunks(request._request, path), content_type="application/zip", headers=headers)


def _chunks(request: HttpRequest, path: Path) -> Iterator[bytes] | AsyncIterator[bytes]:
    """The file a piece at a time, in the manner of the server: a synchronous iterator would be read whole by ASGI."""
    return _read_async(path) if isinstance(request, ASGIRequest) else _read(path)


def _read(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            yield chunk


async def _read_async(path: Path) -> AsyncIterator[bytes]:
    pieces = _read(path)
    following = sync_to_async(lambda: next(pieces, b""), thread_sensitive=False)
    while chunk := await following():
        yield chunk
