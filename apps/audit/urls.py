"""/v1/admin/audit."""

from django.urls import path

from apps.audit import views

urlpatterns = [
    path("v1/admin/audit", views.AuditList.as_view()),
    path("v1/admin/audit/export", views.AuditExport.as_view()),
    path("v1/admin/audit/verify", views.AuditVerify.as_view()),
]
