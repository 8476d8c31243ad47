"""Routes of models and providers: SPEC's group, and the predecessor's path to the same views."""

from django.urls import URLPattern

urlpatterns: list[URLPattern] = []
