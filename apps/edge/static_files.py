"""/static/: the documentation's scripts and styles, from the installed packages, by whitenoise."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from whitenoise.middleware import WhiteNoiseMiddleware


class StaticFiles(WhiteNoiseMiddleware):
    """whitenoise, answering whole files: its file stream is synchronous, which an ASGI server could only buffer."""

    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponse:
        answer = static_file.get_response(request.method, request.META)
        body = b"" if answer.file is None else answer.file.read()
        if answer.file is not None:
            answer.file.close()
        return HttpResponse(body, status=answer.status, headers=dict(answer.headers))
