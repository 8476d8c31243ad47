"""/v1/graph: queries, questions and changes, all through the same gate."""

from dataclasses import asdict
from typing import Any, TypeVar

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request

from apps.graph import asking, changing, documents, queries, schemas
from apps.graph.gate.verdict import GateRefusal, LayerReport
from apps.graph.nl2cypher.types import Answer
from apps.graph.results import graph_of
from apps.identity.permissions import principal_of
from kernel.errors import ValidationError
from kernel.web.api import ApiView
from kernel.web.fields import RequestBody
from kernel.web.parameters import NO_STORE, refuse_unknown
from kernel.web.schema import json_response, parse_body

TAGS = ["graph"]
Body = TypeVar("Body", bound=RequestBody)


class Schema(ApiView):
    """What there is."""

    @extend_schema(
        operation_id="get_graph_schema",
        summary="Labels, relationship types, properties, and how many there are",
        responses=schemas.SchemaOut,
        tags=TAGS,
    )
    def get(self, request: Request) -> HttpResponse:
        refuse_unknown(request)
        found = documents.schema_document(principal_of(request).tenant_id)
        return json_response(
            found, headers={"Cache-Control": "private, max-age=10", "Vary": "Authorization, X-Tenant-Id"}
        )


class Query(ApiView):
    """A query of one's own."""

    @extend_schema(
        operation_id="query_graph",
        summary="Run a query that reads",
        description="The gate rewrites the text so that it stays inside the tenant and its limits; `cypher` of the "
        "answer is what ran. docs/gate.md says what is refused and what to write instead.",
        request=schemas.QueryRequest,
        responses=schemas.QueryOut,
        tags=TAGS,
    )
    def post(self, request: Request) -> HttpResponse:
        body = _asked(schemas.QueryRequest, request)
        answer = queries.run(
            principal_of(request),
            body.cypher,
            body.parameters,
            limit=body.limit,
            timeout_s=None if body.timeout_ms is None else body.timeout_ms / 1000,
            page_token=body.page_token,
        )
        return json_response(_query_out(answer, draws=body.graph), headers=NO_STORE)


class Validate(ApiView):
    """What the gate would say."""

    @extend_schema(
        operation_id="validate_cypher",
        summary="Ask the gate about a query; nothing runs",
        request=schemas.ValidateRequest,
        responses=schemas.ValidateOut,
        tags=TAGS,
    )
    def post(self, request: Request) -> HttpResponse:
        body = _asked(schemas.ValidateRequest, request)
        try:
            passed = queries.inspected(principal_of(request), body.cypher, body.parameters)
        except GateRefusal as refusal:
            return json_response(_refused_out(refusal), headers=NO_STORE)
        said = {
            "valid": True,
            "cypher": passed.text,
            "parameters": queries.shown(passed.parameters),
            "columns": passed.columns,
            "row_limit": passed.row_limit - queries.ONE_MORE,
            "timeout_ms": round(passed.timeout_s * 1000),
            "layers": [asdict(layer) for layer in passed.layers],
            "refusal": None,
        }
        return json_response(said, headers=NO_STORE)


class Explain(ApiView):
    """How it would run."""

    @extend_schema(
        operation_id="explain_cypher",
        summary="The plan of a query or of a question; nothing runs",
        request=schemas.ExplainRequest,
        responses={200: schemas.PlanOut, 404: None},
        tags=TAGS,
    )
    def post(self, request: Request) -> HttpResponse:
        body = _asked(schemas.ExplainRequest, request)
        principal, question, reading = principal_of(request), body.question, ""
        cypher, parameters = body.cypher or "", dict(body.parameters)
        if question is not None:
            written = asking.write(principal, question, model=body.model)
            if written.refused:
                raise ValidationError(written.sentence, code="question_refused", **asdict(written)["refusal"])
            cypher, parameters, reading = written.cypher, dict(written.parameters), written.reading
        explained = queries.explain(principal, cypher, parameters)
        said = {
            "question": question,
            "reading": reading,
            "cypher": explained.passed.text,
            "parameters": queries.shown(explained.passed.parameters),
            "columns": explained.passed.columns,
            "server": explained.plan.engine,
            "plan": explained.plan.text,
            "layers": [asdict(layer) for layer in explained.passed.layers],
        }
        return json_response(said, headers=NO_STORE)


class Generate(ApiView):
    """From a question to a query."""

    @extend_schema(
        operation_id="generate_cypher",
        summary="The query for a question; nothing runs",
        request=schemas.GenerateRequest,
        responses={200: schemas.AnswerOut, 404: None},
        tags=TAGS,
    )
    def post(self, request: Request) -> HttpResponse:
        body = _asked(schemas.GenerateRequest, request)
        return json_response(
            _answer_out(asking.write(principal_of(request), body.question, model=body.model)), headers=NO_STORE
        )


class Ask(ApiView):
    """From a question to an answer."""

    @extend_schema(
        operation_id="ask_graph",
        summary="Ask the graph in words",
        description="The answer names the query, its parameters and the rows that it stands on. A question that is not "
        "understood is refused with the reason: `refused` is true, and nothing is guessed.",
        request=schemas.AskRequest,
        responses={200: schemas.AnswerOut, 404: None},
        tags=TAGS,
    )
    def post(self, request: Request) -> HttpResponse:
        body = _asked(schemas.AskRequest, request)
        answer = asking.ask(
            principal_of(request), body.question, model=body.model, summarize=body.summarize, row_limit=body.limit
        )
        return json_response(_answer_out(answer), headers=NO_STORE)


class Changes(ApiView):
    """What administrators write."""

    @extend_schema(
        operation_id="change_graph",
        summary="Change the graph, in two steps",
        description="Without `confirmation_token` nothing changes: the answer says what would, and brings the token. "
        "With it the same change is made, once.",
        request=schemas.ChangeRequest,
        responses=schemas.ChangeOut,
        tags=TAGS,
    )
    def post(self, request: Request) -> HttpResponse:
        body = _asked(schemas.ChangeRequest, request)
        principal = principal_of(request)
        if body.confirmation_token is None:
            proposed = changing.propose(principal, body.cypher, body.parameters)
            said: dict[str, Any] = {
                "executed": False,
                "cypher": proposed.cypher,
                "would_change": proposed.would_change,
                "confirmation_token": str(proposed.id),
                "expires_in_s": changing.EXPIRES_IN_S,
                "counters": None,
                "columns": [],
                "rows": [],
            }
        else:
            done = changing.carry_out(principal, body.cypher, body.parameters, token=body.confirmation_token)
            said = {
                "executed": True,
                "cypher": done.change.cypher,
                "would_change": done.change.would_change,
                "confirmation_token": None,
                "expires_in_s": None,
                "counters": asdict(done.written.counters),
                "columns": done.written.rows.columns,
                "rows": done.written.rows.rows,
            }
        return json_response(said, headers=NO_STORE)


def _asked(shape: type[Body], request: Request) -> Body:
    """The body of a POST, which takes nothing in the address."""
    refuse_unknown(request)
    return parse_body(shape, request.data)


def _query_out(answer: queries.Page, *, draws: bool) -> dict[str, Any]:
    rows, passed = answer.rows, answer.passed
    return {
        "columns": rows.columns,
        "rows": rows.rows,
        "row_count": len(rows.rows),
        "truncated": rows.truncated,
        "has_more": answer.next_token is not None,
        "next_page_token": answer.next_token,
        "graph": graph_of(rows) if draws else None,
        "cypher": passed.text,
        "parameters": queries.shown(passed.parameters),
        "sha256": passed.sha256,
        "layers": [asdict(layer) for layer in passed.layers],
        "elapsed_ms": rows.elapsed_ms,
        "stale": rows.stale,
    }


def _refused_out(refusal: GateRefusal) -> dict[str, Any]:
    place = refusal.position
    return {
        "valid": False,
        "cypher": None,
        "parameters": {},
        "columns": [],
        "row_limit": None,
        "timeout_ms": None,
        "layers": [asdict(LayerReport(refusal.layer, ok=False, note=refusal.message, elapsed_ms=0.0))],
        "refusal": {
            "layer": refusal.layer,
            "message": refusal.message,
            "hint": refusal.hint,
            "position": None if place is None else {"line": place[0], "column": place[1]},
        },
    }


def _answer_out(answer: Answer) -> dict[str, Any]:
    return {**asdict(answer), "row_count": len(answer.rows)}
