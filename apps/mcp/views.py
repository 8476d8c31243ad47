"""What Django itself answers about /mcp: the metadata, and that the door is elsewhere where a process has none."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from apps.mcp.metadata import document
from kernel.errors import UnavailableError

MAX_AGE_S = 300


@require_safe
def metadata(request: HttpRequest) -> HttpResponse:
    """RFC 9728. For every web page to read, as the issuer's own documents are."""
    headers = {"Cache-Control": f"public, max-age={MAX_AGE_S}", "Access-Control-Allow-Origin": "*"}
    return JsonResponse(document(), headers=headers)


@require_POST
@csrf_exempt
def not_here(request: HttpRequest) -> HttpResponse:
    """A process that speaks WSGI has no event loop for it."""
    raise UnavailableError("This server process does not serve MCP. Send it to one that runs config.asgi.")
