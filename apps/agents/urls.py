"""Routes of sessions: SPEC's group, and the predecessor's path to the same views."""

from django.urls import path

from apps.agents import views

urlpatterns = [
    route
    for base in ("v1/sessions", "v1/agents/sessions")
    for route in (
        path(base, views.SessionList.as_view()),
        path(f"{base}/<str:session_id>", views.SessionDetail.as_view()),
        path(f"{base}/<str:session_id>/steps", views.SessionSteps.as_view()),
        path(f"{base}/<str:session_id>/steps/<str:step_id>", views.SessionStepDetail.as_view()),
    )
]
