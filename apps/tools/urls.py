"""Routes of tools. A tool's name has a dot, so that none is called like the two beside them."""

from django.urls import path

from apps.tools import approval_views, invocation_views, views

urlpatterns = [
    path("v1/tools", views.ToolList.as_view()),
    path("v1/tools/invocations", invocation_views.Invocations.as_view()),
    path("v1/tools/approvals", approval_views.Approvals.as_view()),
    path("v1/tools/approvals/<str:approval_id>", approval_views.ApprovalDetail.as_view()),
    path("v1/tools/<str:name>", views.ToolDetail.as_view()),
    path("v1/tools/<str:name>/invocations", invocation_views.ToolInvocations.as_view()),
    path("v1/tools/<str:name>/invocations/<str:invocation_id>", invocation_views.InvocationDetail.as_view()),
]
