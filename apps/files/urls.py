"""Routes of files."""

from django.urls import path

from apps.files import views

urlpatterns = [
    path("v1/files", views.FileList.as_view()),
    path("v1/files/<str:file_id>", views.FileDetail.as_view()),
    path("v1/files/<str:file_id>/content", views.FileContent.as_view()),
]
