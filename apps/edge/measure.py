"""Counts and times requests by route, never by raw path: its cardinality belongs to whoever calls."""

import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from kernel import metrics

NO_ROUTE = "unmatched"


class Measure:
    """http_requests_total and http_request_duration_seconds."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        response = self.get_response(request)
        if isinstance(response, HttpResponse) and "Content-Length" not in response:
            response["Content-Length"] = str(len(response.content))  # else some servers answer in chunks
        match = request.resolver_match
        route = f"/{match.route}" if match else NO_ROUTE
        method = request.method if request.method in KNOWN_METHODS else "other"
        metrics.HTTP_REQUESTS.labels(method, route, response.status_code).inc()
        metrics.HTTP_DURATION.labels(method, route).observe(time.perf_counter() - began)
        return response


KNOWN_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
