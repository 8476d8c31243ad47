"""Under Django: who may be asked for a token. /mcp itself is answered before Django (config/asgi.py)."""

from django.urls import path

from apps.mcp import views

urlpatterns = [
    path(".well-known/oauth-protected-resource", views.metadata, name="mcp-metadata"),
    path(".well-known/oauth-protected-resource/mcp", views.metadata, name="mcp-metadata-of-path"),
    path("mcp", views.not_here, name="mcp"),
]
