"""/v1/tenants/{id}: apps/tenancy/views.py's resource, and how to delete it."""

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from apps.ops.offboarding import begin_offboarding
from apps.tenancy import schemas, views
from kernel.web.schema import json_response


class TenantDetail(views.TenantDetail):
    """Read, change and delete a tenant."""

    @extend_schema(
        operation_id="delete_tenant",
        summary="Export and erase a tenant",
        description="The second of two steps: `confirm` is the confirmation that the tenant's deletion-preview gives. "
        "The tenant is closed at once; the job exports its data, then erases it.",
        parameters=[OpenApiParameter("confirm", str, description="From the deletion-preview; good for ten minutes.")],
        responses={202: schemas.OffboardingAccepted},
        tags=["tenants"],
    )
    def delete(self, request: Request, tenant_id: str) -> HttpResponse:
        views.refuse_unknown(request, frozenset({"confirm"}))
        principal = views.principal_of(request)
        tenant = views.seen_tenant(request, tenant_id)
        job_id = begin_offboarding(
            principal,
            tenant,
            confirm=request.query_params.get("confirm"),
            request_id=str(getattr(request, "request_id", "")),
        )
        return json_response(
            {"tenant_id": tenant.id, "status": "deleting", "job_id": job_id},
            status=202,
            headers={"Location": request.build_absolute_uri(f"/v1/jobs/{job_id}"), "Cache-Control": "no-store"},
        )
