"""/admin. Its own layers stand around it (layers.py); the API's table of permissions does not speak of it."""

from django.urls import include, path
from django.views.generic import RedirectView

from apps.backoffice import notices
from apps.backoffice.layers import page
from apps.backoffice.pages import site
from apps.backoffice.sign_in import Callback, SignIn, sign_out
from apps.backoffice.sign_in_limit import limited

own = [
    path("login/", limited(page(SignIn.as_view())), name="login"),
    path("logout/", page(sign_out), name="logout"),
    path("oidc/callback", limited(page(Callback.as_view())), name="callback"),
    path("signed-out", page(notices.signed_out), name="signed_out"),
]

urlpatterns = [
    path("admin", RedirectView.as_view(url="/admin/")),
    path("admin/", include(([*own, *site.get_urls()], "admin"), namespace="admin")),
]
