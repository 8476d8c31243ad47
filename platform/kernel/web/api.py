"""The base of our REST views: DRF's, less what the layers before it have done already."""

from typing import Any

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request
from rest_framework.views import APIView


class OnlyJson(DefaultContentNegotiation):
    """Answers are JSON whatever is asked for; a client that cannot read them says so by its own error."""

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        return renderers[0], renderers[0].media_type


class ApiView(APIView):
    """No throttles, no versions: apps.edge does the one, the path says the other."""

    content_negotiation_class = OnlyJson

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.format_kwarg = None
        request.accepted_renderer, request.accepted_media_type = self.perform_content_negotiation(request)
        self.perform_authentication(request)
        self.check_permissions(request)


class PublicView(ApiView):
    """Answers without a token; no caller is looked up."""

    authentication_classes = []
    permission_classes = []
