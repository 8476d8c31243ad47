"""Layer 1: which pages of other origins may read an answer. Exact origins only: no suffixes, no patterns (SPEC 2.1)."""

from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

ALLOW_ORIGIN = "Access-Control-Allow-Origin"
PREFLIGHT_VARY = ("Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers")


@dataclass(frozen=True)
class CorsPolicy:
    """Who may read what. ``origins`` holds origins as browsers write them, or ``*`` alone."""

    origins: frozenset[str]
    credentials: bool
    methods: tuple[str, ...]
    request_headers: tuple[str, ...]
    exposed_headers: tuple[str, ...]
    max_age_s: int

    @classmethod
    def from_settings(cls) -> "CorsPolicy":
        return cls(
            settings.CORS_ORIGINS,
            settings.CORS_CREDENTIALS,
            settings.CORS_METHODS,
            settings.CORS_REQUEST_HEADERS,
            settings.CORS_EXPOSED_HEADERS,
            settings.CORS_MAX_AGE_S,
        )

    def headers(self, origin: str | None) -> dict[str, str]:
        """For the answer to a request from ``origin``; nothing for one that may not read it."""
        granted = self._granted(origin)
        if granted:
            granted["Access-Control-Expose-Headers"] = ", ".join(self.exposed_headers)
        return granted

    def preflight_headers(self, origin: str | None, asked: str) -> dict[str, str]:
        """For the answer to a browser that asks first. A header that is not allowed is just not named."""
        granted = self._granted(origin)
        if granted:
            known = {name.lower(): name for name in self.request_headers}
            wanted = [known[name] for name in (part.strip().lower() for part in asked.split(",")) if name in known]
            granted["Access-Control-Allow-Methods"] = ", ".join(self.methods)
            granted["Access-Control-Allow-Headers"] = ", ".join(
                dict.fromkeys(wanted) if asked else self.request_headers
            )
            granted["Access-Control-Max-Age"] = str(self.max_age_s)
        return granted

    def _granted(self, origin: str | None) -> dict[str, str]:
        if origin is None:
            return {}
        if "*" in self.origins:  # never with credentials: config/settings/cors.py refuses to start
            return {ALLOW_ORIGIN: "*"}
        if origin not in self.origins:
            return {}
        granted = {ALLOW_ORIGIN: origin}
        if self.credentials:
            granted["Access-Control-Allow-Credentials"] = "true"
        return granted


class Cors:
    """Answers preflights without asking anybody else; adds its headers to every other answer, errors too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.policy = CorsPolicy.from_settings()

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        sent = request.META
        origin = sent.get("HTTP_ORIGIN")
        if request.method == "OPTIONS" and origin is not None and "HTTP_ACCESS_CONTROL_REQUEST_METHOD" in sent:
            asked = sent.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", "")
            preflight = HttpResponse(status=204, headers=self.policy.preflight_headers(origin, asked))
            del preflight["Content-Type"]
            patch_vary_headers(preflight, PREFLIGHT_VARY)
            return preflight
        response = self.get_response(request)
        if ALLOW_ORIGIN not in response:  # the issuer's public documents are everybody's
            for name, value in self.policy.headers(origin).items():
                response[name] = value
        patch_vary_headers(response, ("Origin",))
        return response
