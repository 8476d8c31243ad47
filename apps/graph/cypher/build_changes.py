"""What each rule of change.lark means: from children to records of changes.py. See build.py."""

from typing import Any

from apps.graph.cypher import changes, tree
from apps.graph.cypher.build import Rules
from apps.graph.cypher.errors import Fault

Children = list[Any]


class ChangeRules(Rules):
    """All rules of grammar.lark and change.lark."""

    @staticmethod
    def change(children: Children) -> changes.Change:
        reading, writing, returning = children
        return changes.Change(tuple(reading) if reading else (), tuple(writing), returning)

    @staticmethod
    def create(children: Children) -> changes.Create:
        for path in children[0]:
            _check_written(path, "CREATE")
            if any(rel.direction == "both" for rel in path.rels):
                raise Fault("CREATE makes relationships with a direction: --> or <--.")
        return changes.Create(tuple(children[0]))

    @staticmethod
    def merge(children: Children) -> changes.Merge:
        _check_written(children[0], "MERGE")
        return changes.Merge(children[0])

    @staticmethod
    def merge_on_create(children: Children) -> changes.Merge:
        merge, assignments = children
        return changes.Merge(merge.path, (*merge.on_create, *assignments), merge.on_match)

    @staticmethod
    def merge_on_match(children: Children) -> changes.Merge:
        merge, assignments = children
        return changes.Merge(merge.path, merge.on_create, (*merge.on_match, *assignments))

    @staticmethod
    def set_properties(children: Children) -> changes.SetProperties:
        return changes.SetProperties(tuple(children[0]))

    @staticmethod
    def assign(children: Children) -> changes.Assignment:
        name, key, _, value = children
        return changes.Assignment(name.value, key.value, value)

    @staticmethod
    def assign_all(children: Children) -> changes.Assignment:
        return changes.Assignment(children[0].value, None, children[2])

    @staticmethod
    def remove(children: Children) -> changes.RemoveProperties:
        return changes.RemoveProperties(tuple(children[0]))

    @staticmethod
    def removal(children: Children) -> tuple[str, str]:
        return children[0].value, children[1].value

    @staticmethod
    def delete(children: Children) -> changes.Delete:
        return changes.Delete(tuple(name.value for name in children[0]))

    @staticmethod
    def detach_delete(children: Children) -> changes.Delete:
        return changes.Delete(tuple(name.value for name in children[0]), True)


def _check_written(path: tree.Path, word: str) -> None:
    if path.shortest is not None:
        raise Fault(f"{word} takes a plain pattern, no shortest path.")
    if any(node.any_label for node in path.nodes):
        raise Fault(f"{word} takes labels joined by :, no alternatives.")
    for rel in path.rels:
        if rel.hops is not None or len(rel.types) != 1:
            raise Fault(f"{word} takes relationships of one type and one hop: -[:TYPE]->.")
