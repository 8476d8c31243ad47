"""Tells django-oauth-toolkit the issuer's name, which is made from another setting."""

from django.apps import AppConfig


class IdentityConfig(AppConfig):
    """Who is asking."""

    name = "apps.identity"

    def ready(self) -> None:
        from oauth2_provider.settings import oauth2_settings

        from apps.identity.issuer import own_issuer

        oauth2_settings.OIDC_ISS_ENDPOINT = own_issuer()
