"""The settings in force and the edge's limits, for platform administrators. Secrets are masked where they are read."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase

from apps.backoffice.rights import SETTINGS, require
from apps.backoffice.site import site


@site.page("settings/", name="settings")
def settings_in_force(request: HttpRequest) -> HttpResponseBase:
    """Every environment variable, its value and where it differs from the default; then the limits made of them."""
    require(request, SETTINGS)
    registry: dict[str, Any] = settings.ENV_REGISTRY
    variables = [
        (
            setting.name,
            setting.shown or "empty",
            "" if setting.shown == setting.default or setting.secret else setting.default or "",
            setting.help,
        )
        for setting in sorted(registry.values(), key=lambda setting: setting.name)
    ]
    factor = settings.RATE_LIMIT_FACTOR
    limits = [(f"Role {role}", round(limit * factor)) for role, limit in settings.RATE_LIMITS_BY_ROLE.items()]
    limits += [
        ("A tenant's callers together", round(settings.RATE_LIMIT_TENANT * factor)),
        ("A route, all callers", round(settings.RATE_LIMIT_ROUTE * factor)),
        *((route, round(limit * factor)) for route, limit in settings.RATE_LIMITS_BY_ROUTE.items()),
    ]
    return site.show(
        request,
        "table.html",
        "Settings in force",
        tables=[
            ("Environment", ("Variable", "Value", "Default, where it differs", "Meaning"), variables),
            ("Requests a minute", ("Who", "Limit"), limits),
        ],
        intro=f"This process: version {settings.VERSION}, environment {settings.ENVIRONMENT}. Changes need restarts.",
    )
