"""security.validate and security.check: what is said of texts, queries and arguments; nothing runs."""

import time
from typing import Any

import pytest

from apps.audit.models import AuditLog
from apps.identity.principal import Principal
from apps.llm.models import LlmCall
from apps.tenancy.models import Tenant
from kernel.errors import ForbiddenError, ValidationError
from kernel.tenant_context import tenant_scope
from tests.factories import make_principal
from tests.tool_calls import call, result

pytestmark = pytest.mark.requirement("tools:security")


def validated(principal: Principal, **given: Any) -> dict[str, Any]:
    return result(principal, "security.validate", given)


def checked(principal: Principal, **given: Any) -> dict[str, Any]:
    return result(principal, "security.check", given)


@pytest.mark.parametrize(
    ("text", "looks_like"),
    [("x' OR '1'='1", "sql"), ("MATCH (n) DETACH DELETE n", "cypher"), ("a; rm -rf /", "command"),
     ("../../etc/passwd", "path traversal"), ("{{7*7}}", "template"), ("a\u200bb", "control characters")],
    ids=["sql", "cypher", "command", "path", "template", "invisible"],
)  # fmt: skip
def test_an_identifier_that_is_no_identifier_is_named(principal: Principal, text: str, looks_like: str) -> None:
    said = validated(principal, kind="identifier", text=text)

    assert (said["ok"], said["findings"][0]["looks_like"]) == (False, looks_like)


def test_a_harmless_text_is_just_that(principal: Principal) -> None:
    assert validated(principal, kind="text", text="How many genes are on chromosome 7?") == {
        "ok": True, "kind": "text", "findings": [], "gate": None,
    }  # fmt: skip


def test_personal_data_and_secrets_are_counted_and_not_repeated(principal: Principal) -> None:
    text = "Write to ada@example.org or bob@example.org, the key is sk-proj-abcdefghij1234567890."

    said = validated(principal, kind="text", text=text)

    assert said["findings"][0]["personal"] == [{"kind": "email", "count": 2}, {"kind": "secret", "count": 1}]
    assert "ada@example.org" not in str(said)


def test_the_end_of_a_long_text_is_looked_at_and_none_takes_long(principal: Principal) -> None:
    long = "select " * 14_000
    began = time.process_time()

    harmless = validated(principal, kind="text", text=long)
    ending = validated(principal, kind="text", text=long[:90_000] + "; drop table genes --")

    assert (harmless["ok"], ending["findings"][0]["looks_like"]) == (True, "sql")
    assert time.process_time() - began < 8  # all at once, the square of its length


def test_the_gates_verdict_is_given_layer_by_layer_and_leaves_no_refusal(principal: Principal) -> None:
    passed = validated(
        principal, kind="cypher", text="MATCH (g:Gene) WHERE g.symbol = $s RETURN g.name", parameters={"s": "TP53"}
    )
    refused = validated(principal, kind="cypher", text="MATCH (g:Gene) DELETE g")

    gate = passed["gate"]
    assert (passed["ok"], gate["columns"], len(gate["layers"])) == (True, ["g.name"], 6)
    assert "tenant_id: $__tenant" in gate["runs_as"]
    assert str(principal.tenant_id) not in str(passed)
    assert (refused["ok"], refused["gate"]["refused_by"], refused["gate"]["line"]) == (False, "syntax", 1)
    assert validated(principal, kind="cypher", text="MATCH (g:Gene)-[*1..9]->() RETURN g")["gate"]["hint"]
    with tenant_scope(principal.tenant_id):
        assert not AuditLog.objects.filter(tenant_id=principal.tenant_id, action="graph.query").exists()


def test_arguments_are_held_against_their_tools_schema(principal: Principal) -> None:
    said = validated(
        principal,
        kind="arguments",
        tool="errors.report",
        arguments={"action": "record", "limit": "7", "message": "from ada@example.org", "metadata": {"password": "x"}},
    )
    good = validated(principal, kind="arguments", tool="system.time", arguments={})

    found = {one["at"]: one for one in said["findings"]}
    assert found["limit"]["fault"]
    assert found["message"]["personal"] == [{"kind": "email", "count": 1}]
    assert found["metadata.password"]["personal"] == [{"kind": "field", "count": 1}]
    assert (said["ok"], good["ok"]) == (False, True)


def test_a_tool_that_one_may_not_call_looks_like_none(tenant: Tenant) -> None:
    guest = make_principal(tenant, "guest")

    answers = [
        call(guest, "security.validate", {"kind": "arguments", "tool": name, "arguments": {}}).error
        for name in ("security.audit", "security.nothing")
    ]

    assert [answer["code"] for answer in answers if answer] == ["tool_not_found"] * 2


# -- security.check
@pytest.mark.parametrize(
    ("role", "text", "category", "needs", "allowed"),
    [("user", "Hello", "CHAT", None, True), ("user", "How many users are there?", "GRAPH", "graph:read", True),
     ("guest", "How many users are there?", "GRAPH", "graph:read", False),
     ("user", "Which permissions do I have?", "SECURITY", None, True),
     ("user", "Create a node for the gene TP53", "ADMIN", "graph:create", False),
     ("curator", "Create a node for the gene TP53", "ADMIN", "graph:create", True),
     ("admin", "Drop the whole database", "DANGEROUS", None, False)],
    ids=["chat", "graph", "guest", "security", "user", "curator", "dangerous"],
)  # fmt: skip
def test_a_prompts_intent_is_told_with_what_it_needs(
    tenant: Tenant, role: str, text: str, category: str, needs: str | None, *, allowed: bool
) -> None:
    said = checked(make_principal(tenant, role), action="intent", text=text)

    intent = said["intent"]
    assert (intent["category"], intent["needs"], intent["allowed"], said["ok"]) == (category, needs, allowed, allowed)
    assert intent["source"] in ("catalogue", "rules")
    with tenant_scope(tenant.id):
        assert not LlmCall.objects.filter(tenant_id=tenant.id).exists()


def test_what_nobody_sees_is_left_out_and_counted(principal: Principal) -> None:
    intent = checked(principal, action="intent", text="how many us\u200bers are there")["intent"]

    assert (intent["category"], intent["hidden"]) == ("GRAPH", 1)


@pytest.mark.parametrize(
    ("given", "ok"),
    [({"action": "cypher", "cypher": "MATCH (g:Gene) RETURN count(g)"}, True),
     ({"action": "cypher", "text": "MATCH (g:Gene) RETURN count(g)"}, True),
     ({"action": "cypher", "cypher": "CALL dbms.procedures()"}, False),
     ({"action": "validate", "cypher": "MATCH (x:Nothing) RETURN x"}, False),
     ({"action": "validate", "text": "MATCH (g:Gene) RETURN g", "kind": "cypher"}, True),
     ({"action": "validate", "text": "gene-7", "kind": "identifier"}, True),
     ({"action": "validate", "text": "x'; drop table y --"}, False)],
    ids=["query", "as-text", "procedure", "unknown-label", "kind", "identifier", "sql"],
)  # fmt: skip
def test_texts_and_queries_are_checked(principal: Principal, given: dict[str, Any], *, ok: bool) -> None:
    assert checked(principal, **given)["ok"] is ok


@pytest.mark.parametrize(
    ("name", "given"),
    [("security.validate", {"kind": "cypher", "text": "MATCH (g:Gene) RETURN g"}),
     ("security.check", {"action": "cypher", "cypher": "MATCH (g:Gene) RETURN g"})],
    ids=["validate", "check"],
)  # fmt: skip
def test_the_gates_verdict_is_for_who_may_read_the_graph(tenant: Tenant, name: str, given: dict[str, Any]) -> None:
    refused = call(make_principal(tenant, "guest"), name, given)

    assert refused.error is not None
    assert (refused.http_status, refused.error["required_permission"]) == (403, "graph:read")
    with pytest.raises(ForbiddenError):
        call(make_principal(tenant, "viewer"), name, given)


@pytest.mark.parametrize(
    ("name", "given"),
    [("security.validate", {"kind": "poem", "text": "x"}), ("security.validate", {"kind": "text", "text": 7}),
     ("security.validate", {"kind": "text", "text": "x" * 100_001}), ("security.check", {"action": "guess"}),
     ("security.check", {"text": "x"})],
    ids=["kind", "number", "long", "action", "no-action"],
)  # fmt: skip
def test_what_does_not_fit_is_refused(principal: Principal, name: str, given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        call(principal, name, given)


@pytest.mark.parametrize(
    ("name", "given", "code"),
    [("security.validate", {"kind": "text"}, "text_missing"), ("security.check", {"action": "intent"}, "text_missing"),
     ("security.check", {"action": "cypher"}, "cypher_missing"),
     ("security.check", {"action": "validate"}, "text_missing"),
     ("security.validate", {"kind": "arguments", "tool": "system.time"}, "arguments_missing"),
     ("security.validate", {"kind": "cypher", "text": "x" * 20_001}, "cypher_too_long")],
    ids=["text", "intent", "cypher", "validate", "arguments", "long-query"],
)  # fmt: skip
def test_what_is_missing_is_said(principal: Principal, name: str, given: dict[str, Any], code: str) -> None:
    failed = call(principal, name, given)

    assert failed.error is not None
    assert failed.error["code"] == code
