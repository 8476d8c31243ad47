"""Routes of sessions, under SPEC's path and the predecessor's, of agents and of runs."""

from django.urls import path

from apps.agents.definitions import views as agent_views
from apps.agents.runs import views as run_views
from apps.agents.sessions import views

urlpatterns = [
    route
    for base in ("v1/sessions", "v1/agents/sessions")
    for route in (
        path(base, views.SessionList.as_view()),
        path(f"{base}/<str:session_id>", views.SessionDetail.as_view()),
        path(f"{base}/<str:session_id>/runs", run_views.SessionRuns.as_view()),
        path(f"{base}/<str:session_id>/steps", views.SessionSteps.as_view()),
        path(f"{base}/<str:session_id>/steps/<str:step_id>", views.SessionStepDetail.as_view()),
    )
]
urlpatterns += [  # after v1/agents/sessions, which is no agent
    path("v1/agents", agent_views.AgentList.as_view()),
    path("v1/agents/<str:name>", agent_views.AgentDetail.as_view()),
    path("v1/agents/<str:name>/versions", agent_views.AgentVersions.as_view()),
]
urlpatterns += [  # the stream at .../events is apps/agents/routing.py's; here is its page form
    path("v1/agent-runs", run_views.RunList.as_view()),
    path("v1/agent-runs:run", run_views.RunAlias.as_view()),
    path("v1/agent-runs/<str:run_id>", run_views.RunDetail.as_view()),
    path("v1/agent-runs/<str:run_id>/steps", run_views.RunSteps.as_view()),
    path("v1/agent-runs/<str:run_id>/outputs", run_views.RunOutputs.as_view()),
    path("v1/agent-runs/<str:run_id>/tape", run_views.RunTape.as_view()),
    path("v1/agent-runs/<str:run_id>/events", run_views.RunEventPageView.as_view()),
    path("v1/agent-runs/<str:run_id>/resume", run_views.RunResume.as_view()),
]
