"""Routes of the graph."""

from django.urls import path

from apps.graph import views

urlpatterns = [
    path("v1/graph/schema", views.Schema.as_view()),
    path("v1/graph/query", views.Query.as_view()),
    path("v1/graph/validate", views.Validate.as_view()),
    path("v1/graph/explain", views.Explain.as_view()),
    path("v1/graph/generate", views.Generate.as_view()),
    path("v1/graph/ask", views.Ask.as_view()),
    path("v1/graph/changes", views.Changes.as_view()),
]
