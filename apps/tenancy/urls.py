"""Routes of tenants. /v1/tenants/{id} itself stands in apps/ops/urls.py: its DELETE starts a job."""

from django.urls import path

from apps.tenancy import views

PREFIXES = ("v1/tenants", "v1/admin/tenants")  # SPEC's and the predecessor's

urlpatterns = [
    route
    for prefix in PREFIXES
    for route in (
        path(prefix, views.TenantList.as_view()),
        path(f"{prefix}/exports/<str:name>", views.TenantExport.as_view()),
        path(f"{prefix}/<str:tenant_id>/suspend", views.TenantSuspend.as_view()),
        path(f"{prefix}/<str:tenant_id>/resume", views.TenantResume.as_view()),
        path(f"{prefix}/<str:tenant_id>/deletion-preview", views.TenantDeletionPreview.as_view()),
    )
]
