"""What the rules of grammar.lark for patterns mean: from children to nodes, relationships and paths."""

from typing import Any

from apps.graph.cypher import tree
from apps.graph.cypher.errors import Fault
from apps.graph.cypher.lexer import Token

Children = list[Any]
_BAR = object()
_MIXED_LABELS = "Labels are joined by : (all of them) or by | (one of them), not by both."


class PatternRules:
    """See build.py for how lark calls these."""

    @staticmethod
    def path(children: Children) -> tree.Path:
        steps = children[0]
        return tree.Path(tuple(steps[::2]), tuple(steps[1::2]))

    @staticmethod
    def shortest_path(children: Children) -> tree.Path:
        word, steps = children
        if len(steps) != 3:
            raise Fault(f"{word.value}( ) takes one relationship between two nodes.", word.at)
        return tree.Path(
            (steps[0], steps[2]), (steps[1],), None, "all" if word.value.lower() == "allshortestpaths" else "one"
        )

    @staticmethod
    def named_path(children: Children) -> tree.Path:
        name, _, path = children
        return tree.Path(path.nodes, path.rels, name.value, path.shortest)

    @staticmethod
    def longer(children: Children) -> list[Any]:
        steps: list[Any] = children[0]
        steps += children[1:]
        return steps

    @staticmethod
    def three(children: Children) -> list[Any]:
        return children

    @staticmethod
    def node(children: Children) -> tree.Node:
        name, labels, properties = children
        if labels is None:
            return tree.Node(None if name is None else name.value, properties=properties)
        any_label = labels[-1] is _BAR
        if any_label:
            labels.pop()
        return tree.Node(
            None if name is None else name.value, tuple(label.value for label in labels), any_label, properties
        )

    @staticmethod
    def and_label(children: Children) -> list[Any]:
        labels, label = children
        if labels[-1] is _BAR:
            raise Fault(_MIXED_LABELS, label.at)
        labels.append(label)
        return labels

    @staticmethod
    def or_label(children: Children) -> list[Any]:
        labels, label = children
        if labels[-1] is _BAR:
            labels.pop()
        elif len(labels) > 1:
            raise Fault(_MIXED_LABELS, label.at)
        labels += (label, _BAR)
        return labels

    @staticmethod
    def bare_relationship(children: Children) -> tree.Rel:
        from_right, to_right = children[0].value
        return tree.Rel(_direction(from_right, to_right))

    @staticmethod
    def relationship(children: Children) -> tree.Rel:
        opened, name, types, hops, properties, closed = children
        return tree.Rel(
            _direction(opened.value, closed.value),
            None if name is None else name.value,
            tuple(one.value for one in types) if types else (),
            hops,
            properties,
        )

    @staticmethod
    def exact_hops(children: Children) -> tree.Hops:
        number = _whole(children[1])
        return tree.Hops(number, number)

    @staticmethod
    def range_hops(children: Children) -> tree.Hops:
        return tree.Hops(_whole(children[1]), _whole(children[2]))


def _direction(from_right: bool, to_right: bool) -> Any:
    if from_right == to_right:
        return "both"
    return "in" if from_right else "out"


def _whole(number: Token | None) -> int | None:
    if number is None:
        return None
    if not isinstance(number.value, int):
        raise Fault("The number of hops is a whole number.", number.at)
    return number.value
