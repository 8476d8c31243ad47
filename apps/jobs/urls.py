"""Routes of jobs. The stream at /v1/jobs/{id}/events is apps/jobs/routing.py's; here is its page form."""

from django.urls import path

from apps.jobs import views

urlpatterns = [
    path("v1/jobs", views.JobList.as_view()),
    path("v1/jobs/types", views.JobTypes.as_view()),
    path("v1/jobs/stats", views.JobStats.as_view()),
    path("v1/jobs/<str:job_id>", views.JobDetail.as_view()),
    path("v1/jobs/<str:job_id>/events", views.JobEventPage.as_view()),
    path("v1/jobs/<str:job_id>/retry", views.JobRetry.as_view()),
    path("v1/admin/jobs", views.AdminJobList.as_view()),
    path("v1/admin/jobs/<str:job_id>", views.AdminJobDetail.as_view()),
]
