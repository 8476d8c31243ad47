"""Routes of sessions, under SPEC's path and the predecessor's, of agents and of runs."""

from django.urls import path

from apps.agents import agent_views, views

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
urlpatterns += [  # after v1/agents/sessions, which is no agent
    path("v1/agents", agent_views.AgentList.as_view()),
    path("v1/agents/<str:name>", agent_views.AgentDetail.as_view()),
    path("v1/agents/<str:name>/versions", agent_views.AgentVersions.as_view()),
]
