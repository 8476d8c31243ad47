"""/v1/auth, and /oidc unless another issuer is trusted."""

from django.conf import settings
from django.urls import include, path
from oauth2_provider.views import RevokeTokenView, UserInfoView

from apps.identity import oidc_views, views

oidc_urlpatterns = [
    path(".well-known/openid-configuration", oidc_views.discovery, name="oidc-discovery"),
    path(".well-known/jwks.json", oidc_views.jwks, name="oidc-jwks"),
    path("authorize", oidc_views.page(oidc_views.ConsentView.as_view()), name="oidc-authorize"),
    path("token", oidc_views.throttled(oidc_views.TokenView.as_view()), name="oidc-token"),
    path("revoke", oidc_views.throttled(RevokeTokenView.as_view()), name="oidc-revoke"),
    path("introspect", oidc_views.throttled(oidc_views.IntrospectView.as_view()), name="oidc-introspect"),
    path("userinfo", UserInfoView.as_view(), name="oidc-userinfo"),
    path("login", oidc_views.page(oidc_views.SignInView.as_view()), name="oidc-login"),
    path("account", oidc_views.page(oidc_views.account), name="oidc-account"),
    path("logout", oidc_views.page(oidc_views.sign_out), name="oidc-logout"),
]

urlpatterns = [
    path("v1/auth/me", views.MeView.as_view(), name="auth-me"),
    path("v1/auth/permissions", views.PermissionsView.as_view(), name="auth-permissions"),
    path("v1/auth/introspect", views.IntrospectView.as_view(), name="auth-introspect"),
    *([] if settings.OIDC_ISSUER else [path("oidc/", include(oidc_urlpatterns))]),
]
