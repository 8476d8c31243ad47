"""What viz.render draws, read back by other people's readers of the same languages."""

import html
import json
import re
from pathlib import Path
from typing import Any

import pydot
import pytest
from markdown_it import MarkdownIt

from apps.graph.drawing.text import label_of
from apps.identity.principal import Principal
from apps.tenancy.models import Tenant
from apps.tenancy.services import change_tenant
from kernel.errors import ForbiddenError, ValidationError
from tests.factories import make_principal, make_tenant
from tests.tool_calls import call, result

pytestmark = pytest.mark.requirement("tools:viz")
NAUGHTY: list[str] = json.loads((Path(__file__).parents[2] / "data" / "blns" / "blns.json").read_text())
HOSTILE = [
    'a"] --> b["x', "a]\nclick n0 javascript:alert(1)", "</text><script>alert(1)</script>", "%%{init: {}}%%", "x %% y",
    "`**bold**`", "style a:b#35;", "end", "a\\", 'a\\"b', "\\N \\G", "<b>x</b>", "javascript:alert(1)", "#quot;",
    "![x](http://evil.example/?d=1)", "[x](javascript:alert(1))", "a|b", "| --- |", "http://evil.example", "&lt;", "",
    "\u202eesrever", "x\x01y", "--- title", "a;b", "subgraph x", "@{shape: x}",
]  # fmt: skip


@pytest.fixture(scope="module")
def open_tenant() -> Tenant:
    """A tenant that hides no personal data: what is drawn is what was given."""
    made = make_tenant()
    change_tenant(made.id, {"settings": {"pii_mode": "off"}}, by=None)
    return made


@pytest.fixture
def user(open_tenant: Tenant) -> Principal:
    return make_principal(open_tenant)


def rendered(user: Principal, **arguments: Any) -> str:
    return str(result(user, "viz.render", arguments)["text"])


def visible(text: str) -> str:
    """What of a text is drawn: on one line, without what cannot be seen, and not longer than a label."""
    return label_of(text)


def from_mermaid(line: str) -> str:
    """The label of a line of Mermaid, as Mermaid decodes it."""
    found = re.fullmatch(r'\s+n\d+\["([^"]*)"\]', line)
    assert found is not None, line
    return html.unescape(re.sub(r"#(\d+);", r"&#\1;", found[1]))


@pytest.mark.requirement("security:64")
def test_mermaid_draws_any_label_as_its_text(user: Principal) -> None:
    texts = [text for text in [*HOSTILE, *NAUGHTY] if text.strip()][:500]

    lines = rendered(
        user, action="graph_mermaid", nodes=[{"id": number, "label": text} for number, text in enumerate(texts)]
    ).splitlines()

    assert lines[0] == "flowchart LR" and len(lines) == len(texts) + 1
    for line, text in zip(lines[1:], texts, strict=True):
        assert from_mermaid(line).strip() == visible(text).strip()
        assert not re.search(r"[<>{}%`\\;](?<!\d;)", line), line


@pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")  # pydot asks pyparsing by its old names
@pytest.mark.requirement("security:64")
def test_dot_draws_any_label_as_its_text(user: Principal) -> None:
    texts = [text for text in [*HOSTILE, *NAUGHTY] if visible(text)][:150]
    edges = [{"from": 0, "to": number, "label": text} for number, text in enumerate(texts)]

    text = rendered(
        user, action="graph_dot", edges=edges, direction="TB",
        nodes=[{"id": number, "label": text} for number, text in enumerate(texts)],
    )  # fmt: skip
    (graph,) = pydot.graph_from_dot_data(text) or []

    assert graph.get_rankdir() == "TB"
    nodes = {one.get_name(): one for one in graph.get_nodes() if one.get_name() not in ("node",)}
    assert len(nodes) == len(texts) and len(graph.get_edges()) == len(texts)
    for number, label in enumerate(texts):
        written = nodes[f"n{number}"].get("label")
        assert written[1:-1].replace('\\"', '"').replace("\\\\", "\\") == visible(label)
        assert set(nodes[f"n{number}"].get_attributes()) == {"label"}


@pytest.mark.requirement("security:64")
def test_a_table_shows_any_cell_as_its_text(user: Principal) -> None:
    texts = [*HOSTILE, *NAUGHTY]

    text = rendered(user, action="table_markdown", columns=["a|b", "<i>"], rows=[[one, 1.5] for one in texts])
    page = MarkdownIt("gfm-like", {"linkify": False, "html": True}).render(text)

    cells = re.findall(r"<td>(.*?)</td>", page, re.DOTALL)[::2]
    assert len(cells) == len(texts)
    assert not re.search(r"<(?!/?(table|thead|tbody|tr|th|td)\b)", page), page
    for cell, given in zip(cells, texts, strict=True):
        wanted = " ".join(given.replace("\0", "").split())
        assert html.unescape(cell).strip() == (wanted if len(wanted) <= 500 else wanted[:499] + "…")


def test_a_graph_of_a_query_is_drawn_as_it_comes(user: Principal) -> None:
    graph = {
        "nodes": [{"uid": "u1", "labels": ["User"], "properties": {"user_name": "ada"}},
                  {"uid": "t1", "labels": ["Task"], "properties": {}}],
        "edges": [{"uid": None, "type": "RUNS", "start": "u1", "end": "t1", "properties": {}},
                  {"type": "RUNS", "start": "u1", "end": "t2"}],
    }  # fmt: skip

    mermaid = rendered(user, action="graph_mermaid", **graph).splitlines()

    assert mermaid[1:] == [
        '    n0["User u1"]', '    n1["Task t1"]', '    n2["t2"]', '    n0 -->|"RUNS"| n1', '    n0 -->|"RUNS"| n2',
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "line"),
    [([1, 2, 3, 4, 5, 6, 7, 8], "▁▂▃▄▅▆▇█"), ([0, None, 1], "▁ █"), ([5, 5], "▄▄"), ([-1e308, 1e308, 0.0], "▄▄▄")],
)
def test_a_sparkline_has_one_sign_a_number(user: Principal, values: list[Any], line: str) -> None:
    assert rendered(user, action="sparkline", values=values) == line


@pytest.mark.parametrize(
    "arguments",
    [
        {"action": "sparkline"},
        {"action": "graph_dot"},
        {"action": "graph_dot", "nodes": [{"label": "x"}]},
        {"action": "graph_mermaid", "edges": [{"from": "x"}]},
        {"action": "table_markdown", "rows": [[1]]},
        {"action": "table_markdown", "columns": ["a", "b"], "rows": [[1]]},
    ],
)
def test_what_cannot_be_drawn_is_said(user: Principal, arguments: dict[str, Any]) -> None:
    outcome = call(user, "viz.render", arguments)

    assert outcome.error is not None
    assert outcome.error["code"] == "invalid_arguments"


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"action": "graph_svg"},
        {"action": "graph_dot", "nodes": [{"id": "x"}], "direction": "LR; x"},
        {"action": "sparkline", "values": ["1"]},
        {"action": "graph_dot", "nodes": [{"id": str(number)} for number in range(501)]},
    ],
)
def test_wrong_input_is_refused(user: Principal, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        call(user, "viz.render", arguments)


def test_who_may_call_no_tool_draws_nothing(open_tenant: Tenant) -> None:
    with pytest.raises(ForbiddenError):
        call(make_principal(open_tenant, "viewer"), "viz.render", {"action": "sparkline", "values": [1]})
