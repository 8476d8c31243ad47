"""Routes of models and providers: SPEC's group, and the predecessor's path to the same views."""

from django.urls import path

from apps.llm import default_views, manifest_views, provider_views, views

PROVIDERS = "v1/admin/models/providers"
MANIFESTS = "v1/admin/models/manifests"

urlpatterns = [
    *(
        route
        for base in ("v1/models", "v1/admin/models")
        for route in (
            path(f"{base}/instances", views.InstanceList.as_view()),
            path(f"{base}/instances/<str:instance_id>", views.InstanceDetail.as_view()),
            path(f"{base}/instances/<str:instance_id>/tests", views.InstanceTests.as_view()),
            path(f"{base}/instances/<str:instance_id>/warm-up", views.InstanceWarmUp.as_view()),
            path(f"{base}/defaults", default_views.Defaults.as_view()),
            path(f"{base}/usage", default_views.Usage.as_view()),
            path(f"{base}/budget", default_views.TenantBudget.as_view()),
        )
    ),
    path(PROVIDERS, provider_views.ProviderAll.as_view()),
    path(f"{PROVIDERS}/register", provider_views.ProviderRegister.as_view()),
    path(f"{PROVIDERS}/main", provider_views.ProviderMain.as_view()),
    path(f"{PROVIDERS}/<str:provider_id>", provider_views.ProviderDetail.as_view()),
    path(f"{PROVIDERS}/<str:provider_id>/default", provider_views.ProviderDefault.as_view()),
    path(f"{PROVIDERS}/<str:provider_id>/test", provider_views.ProviderTest.as_view()),
    path(f"{MANIFESTS}/builtins", manifest_views.Builtins.as_view()),
    path(f"{MANIFESTS}/staged", manifest_views.Staged.as_view()),
    path(f"{MANIFESTS}/activations", manifest_views.Activations.as_view()),
    path(f"{MANIFESTS}/history", manifest_views.History.as_view()),
    path(f"{MANIFESTS}/rollbacks", manifest_views.Rollbacks.as_view()),
]
