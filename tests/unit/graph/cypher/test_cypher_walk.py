"""Walking and rebuilding trees, whatever their records are."""

from typing import Any

import pytest

from apps.graph.cypher import changes, tree
from apps.graph.cypher.parser import parse, parse_change
from apps.graph.cypher.printer import print_statement
from apps.graph.cypher.walk import children, levels, transform, walk
from tests.unit.graph.cypher.corpus import ACCEPTED

pytestmark = pytest.mark.requirement("cypher:walk")


def test_a_walk_meets_each_record_before_what_is_inside_it_in_the_order_of_the_text() -> None:
    expression = tree.Binary("AND", tree.Var("a"), tree.Call("f", (tree.Var("b"), tree.Var("c"))))

    met = [type(record).__name__ + getattr(record, "name", "") for record in walk(expression)]

    assert met == ["Binary", "Vara", "Callf", "Varb", "Varc"]


def test_children_come_out_of_tuples_in_tuples_and_not_out_of_texts() -> None:
    case = tree.Case(None, ((tree.Var("a"), tree.Var("b")), (tree.Var("c"), tree.Var("d"))), tree.Const("e"))
    mapped = tree.MapOf((("key", tree.Const(1)),))

    assert children(case) == [tree.Var("a"), tree.Var("b"), tree.Var("c"), tree.Var("d"), tree.Const("e")]
    assert children(mapped) == [tree.Const(1)]
    assert children(tree.HasLabels(tree.Var("n"), ("User", "Task"))) == [tree.Var("n")]
    assert levels(case) == 2


def test_every_name_of_a_variable_can_be_replaced_in_every_query() -> None:
    def marked(record: Any) -> Any:
        return tree.Var("x_" + record.name) if isinstance(record, tree.Var) else record

    for entry in ACCEPTED:
        statement = parse(entry.text)
        before = [record.name for record in walk(statement) if isinstance(record, tree.Var)]

        changed = transform(statement, marked)

        assert [record.name for record in walk(changed) if isinstance(record, tree.Var)] == [
            "x_" + one for one in before
        ]
        assert parse(print_statement(changed, mode=True)) == changed
        assert (changed is statement) == (not before)


def test_a_change_is_rebuilt_from_the_leaves_up() -> None:
    change = parse_change("MATCH (n) SET n.x = 1, n.y = 2")
    seen: list[str] = []

    def grown(record: Any) -> Any:
        seen.append(type(record).__name__)
        return tree.Const(record.value + 10) if isinstance(record, tree.Const) else record

    changed = transform(change, grown)

    assert changed == parse_change("MATCH (n) SET n.x = 11, n.y = 12")
    assert isinstance(changed, changes.Change) and changed.reading[0] is change.reading[0]
    assert seen == ["Node", "Path", "Match", "Const", "Assignment", "Const", "Assignment", "SetProperties", "Change"]
