"""Names for requests, limits for bodies, and one shape for every error."""

import io
import json
from collections.abc import Callable

import pytest
from django.conf import settings
from django.http import HttpResponse
from django.test import Client, RequestFactory

from apps.edge import errors as edge_errors
from apps.edge.input_guard import InputGuard, nesting_exceeds
from tests.integration.identity.conftest import bearer

ME = "/v1/auth/me"


@pytest.mark.requirement("edge:trace")
def test_sane_ids_are_echoed(client: Client) -> None:
    response = client.get(ME, headers={"X-Request-Id": "abc-1.2:3_x", "X-Correlation-Id": "corr-7"})

    assert response["X-Request-Id"] == "abc-1.2:3_x"
    assert response["X-Correlation-Id"] == "corr-7"
    assert response.json()["correlation_id"] == "corr-7"
    assert response.json()["request_id"] == "abc-1.2:3_x"


@pytest.mark.requirement("edge:trace")
@pytest.mark.parametrize("sent", ["", "a b", "x" * 129, "é", "<script>", '"quoted"'])
def test_other_ids_are_replaced(client: Client, sent: str) -> None:
    response = client.get(ME, headers={"X-Request-Id": sent.encode().decode("latin-1")})

    assert len(response["X-Request-Id"]) == 32
    assert response["X-Correlation-Id"] == response["X-Request-Id"]


@pytest.mark.requirement("edge:content-type")
@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/json", ""],
)
def test_a_body_that_is_not_json_is_a_415(client: Client, token_for: Callable[..., str], content_type: str) -> None:
    response = client.generic("POST", ME, b"{}", content_type=content_type, headers=bearer(token_for()))

    assert response.status_code == 415
    assert response["Content-Type"] == "application/problem+json"


@pytest.mark.requirement("edge:content-type")
def test_a_post_without_a_body_needs_no_content_type(client: Client, token_for: Callable[..., str]) -> None:
    response = client.generic("POST", ME, b"", content_type="", headers=bearer(token_for()))

    assert response.status_code == 405
    assert "GET" in response["Allow"]


@pytest.mark.requirement("edge:body-size")
def test_a_body_larger_than_the_limit_is_a_413(client: Client, token_for: Callable[..., str]) -> None:
    body = b'"' + b"x" * settings.MAX_BODY_BYTES + b'"'
    response = client.generic("POST", ME, body, content_type="application/json", headers=bearer(token_for()))

    assert response.status_code == 413


@pytest.mark.requirement("edge:body-size")
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'"' + b"x" * settings.MAX_BODY_BYTES + b'"', 413),
        (b"[" * 65 + b"]" * 65, 400),
        (b'{"a": 1}', 200),
        (b"", 200),
    ],
    ids=["too large", "too deep", "good", "empty"],
)
def test_a_body_of_undeclared_length_is_read_and_capped(body: bytes, status: int) -> None:
    request = RequestFactory(SERVER_NAME="127.0.0.1").post(
        ME, content_type="application/json", HTTP_TRANSFER_ENCODING="chunked"
    )
    request.META.update({"CONTENT_LENGTH": "", "wsgi.input": io.BytesIO(body)})

    guard = InputGuard(lambda request: guard.process_view(request) or HttpResponse(request.body))
    response = guard(request)

    assert response.status_code == status
    assert status != 200 or response.content == body


@pytest.mark.requirement("edge:body-size")
@pytest.mark.parametrize("length", ["-1", "1e3", "0x10", "١"])
def test_a_length_that_is_no_number_is_a_400(client: Client, token_for: Callable[..., str], length: str) -> None:
    response = client.generic(
        "POST", ME, b"{}", content_type="application/json", CONTENT_LENGTH=length, headers=bearer(token_for())
    )

    assert response.status_code == 400


@pytest.mark.requirement("edge:depth")
@pytest.mark.parametrize(
    ("body", "exceeds"),
    [
        (b"[" * 64 + b"]" * 64, False),
        (b"[" * 65 + b"]" * 65, True),
        (b'{"a":' * 65 + b"1" + b"}" * 65, True),
        (b'["' + b"[" * 500 + b'"]', False),
        (b'["\\"' + b"[" * 500 + b'"]', False),
        (b"[" + b"[]," * 500 + b"1]", False),
        (b"[" * 100_000, True),
    ],
)
def test_depth_counts_brackets_outside_strings(body: bytes, exceeds: bool) -> None:
    assert nesting_exceeds(body, 64) is exceeds


@pytest.mark.requirement("edge:depth")
def test_a_body_nested_too_deeply_is_a_400(client: Client, token_for: Callable[..., str]) -> None:
    body = b"[" * 1000 + b"]" * 1000
    response = client.generic("POST", "/v1/jobs", body, content_type="application/json", headers=bearer(token_for()))

    assert response.status_code == 400
    assert response.json()["code"] == "too_deep"


@pytest.mark.requirement("edge:depth")
def test_the_body_of_a_stranger_is_not_even_read(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.edge.input_guard._read", None)

    response = client.generic("POST", ME, b"{}", content_type="application/json")

    assert response.status_code == 401


@pytest.mark.requirement("edge:host")
def test_a_foreign_host_name_is_a_400(client: Client, token_for: Callable[..., str]) -> None:
    response = client.get(ME, headers={"Host": "evil.example", **bearer(token_for())})

    assert response.status_code == 400
    assert b"evil" not in response.content


@pytest.mark.requirement("edge:errors")
def test_an_unknown_path_is_a_problem(client: Client, token_for: Callable[..., str]) -> None:
    response = client.get("/v1/nothing", headers=bearer(token_for()))

    assert response.status_code == 404
    assert response["Content-Type"] == "application/problem+json"
    assert response["X-Request-Id"]


@pytest.mark.requirement("edge:errors")
def test_an_unforeseen_error_is_logged_once_and_tells_nothing(
    client: Client, token_for: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import structlog

    def broken(sub: str) -> None:
        raise RuntimeError("secret detail")

    monkeypatch.setattr("apps.identity.views.username_of", broken)
    monkeypatch.setattr("apps.edge.errors.log", structlog.get_logger("edge"))  # one that was used is not captured
    client.raise_request_exception = False

    with structlog.testing.capture_logs() as lines:
        response = client.get(ME, headers=bearer(token_for()))

    assert response.status_code == 500
    assert response["Content-Type"] == "application/problem+json"
    assert b"secret" not in response.content
    assert response.json()["correlation_id"] == response["X-Correlation-Id"]
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["unhandled_error"]


@pytest.mark.requirement("edge:errors")
def test_the_handler_for_errors_of_inner_layers_answers_like_any_other() -> None:
    request = RequestFactory(SERVER_NAME="127.0.0.1").get(ME)

    try:
        raise KeyError("secret detail")
    except KeyError:
        response = edge_errors.server_error(request)

    assert response.status_code == 500
    assert json.loads(response.content)["code"] == "internal_error"
    assert b"secret" not in response.content


@pytest.mark.requirement("edge:errors")
def test_a_page_of_the_framework_is_replaced_and_keeps_its_names() -> None:
    request = RequestFactory(SERVER_NAME="127.0.0.1").get(ME)
    page = HttpResponse("<h1>Bad Request</h1>", status=400, headers={"X-Request-Id": "r-1"})

    response = edge_errors.ErrorHandler(lambda request: page)(request)

    assert json.loads(response.getvalue())["status"] == 400
    assert response["X-Request-Id"] == "r-1"
