"""Where things are: /, /v1/ and /metrics."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.views.decorators.http import require_safe
from drf_spectacular.utils import extend_schema
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from rest_framework.request import Request

from apps.llm.gauges import ProviderGauges
from apps.ops import queues
from apps.ops.schemas import IndexOut
from kernel.web.api import PublicView
from kernel.web.schema import json_response


@require_safe
def root(request: HttpRequest) -> HttpResponse:
    """A JSON index for programs, the API's documentation for people."""
    if "json" in request.headers.get("Accept", ""):
        return json_response(
            {
                "service": settings.SERVICE_NAME,
                "description": "Agents and long jobs over a bioinformatics graph",
                "versions": {"v1": "/v1/"},
                "docs": "/v1/docs",
                "metrics": "/metrics",
            }
        )
    return HttpResponseRedirect("/v1/docs")


class Index(PublicView):
    """The version, and where the documentation is."""

    @extend_schema(operation_id="index", summary="What answers here", responses=IndexOut, tags=["meta"])
    def get(self, request: Request) -> HttpResponse:
        return json_response(
            {
                "service": settings.SERVICE_NAME,
                "version": settings.VERSION,
                "env": settings.ENVIRONMENT,
                "docs": "/v1/docs",
                "openapi": "/v1/openapi.json",
                "health": "/v1/health/ready",
                "issuer": settings.OIDC_ISSUER or f"{settings.PUBLIC_URL}/oidc",
                "metrics": "/metrics",
            }
        )


class QueueDepth(Collector):
    """Length of every job list, read at scrape time; absent while Redis is."""

    def collect(self):
        depth = GaugeMetricFamily("jobs_queue_depth", "Ids on the queue's lists.", labels=["type", "priority"])
        dead = GaugeMetricFamily("jobs_dead_items", "Things kept aside on jobs:dead.")
        found = queues.depths()
        if found is None:
            return
        for (name, priority), length in found.jobs.items():
            depth.add_metric([name, priority], length)
        dead.add_metric([], found.dead)
        yield depth
        yield dead


REGISTRY.register(QueueDepth())
REGISTRY.register(ProviderGauges())


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus text of this process, with the queues' depth and how providers are."""
    return HttpResponse(generate_latest(REGISTRY), content_type=CONTENT_TYPE_LATEST)
