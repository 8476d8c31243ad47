"""Patterns as text, in the words of each engine where these differ."""

from typing import Literal

from apps.graph.cypher import tree
from apps.graph.cypher.spelling import name_before_brace, name_text

Dialect = Literal["opencypher", "memgraph"]
"""``memgraph``: shortest paths are ``-[*BFS ..n]-`` and ``-[*ALLSHORTEST ..n (r, n | 1)]-``. The rest is the same."""


class PatternPrinter:
    """Nodes, relationships, paths."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect

    def expression(self, expression: tree.Expr) -> str:
        raise NotImplementedError

    def path(self, path: tree.Path) -> str:
        text = "" if path.variable is None else name_text(path.variable) + " = "
        if path.shortest is None:
            return text + self.steps(path)
        if len(path.rels) != 1:
            raise ValueError("a shortest path of more or less than one relationship")
        if self.dialect == "memgraph":
            return text + self._searched(path)
        return f"{text}{'shortestPath' if path.shortest == 'one' else 'allShortestPaths'}({self.steps(path)})"

    def steps(self, path: tree.Path) -> str:
        text = self.node(path.nodes[0])
        for rel, node in zip(path.rels, path.nodes[1:], strict=True):
            text += self._rel(rel) + self.node(node)
        return text

    def node(self, node: tree.Node) -> str:
        text = "" if node.variable is None else name_before_brace(node.variable)
        if node.labels:
            text += ":" + ("|" if node.any_label else ":").join(map(name_text, node.labels))
        if node.properties is not None:
            text += (" " if text else "") + self.expression(node.properties)
        return f"({text})"

    def _rel(self, rel: tree.Rel, hops: str | None = None) -> str:
        text = "" if rel.variable is None else name_before_brace(rel.variable)
        if rel.types:
            text += ":" + "|".join(map(name_text, rel.types))
        if rel.hops is not None:
            text += hops_text(rel.hops) if hops is None else hops
        if rel.properties is not None:
            text += (" " if text else "") + self.expression(rel.properties)
        start = "<-" if rel.direction == "in" else "-"
        end = "->" if rel.direction == "out" else "-"
        return f"{start}[{text}]{end}" if text else start + end

    def _searched(self, path: tree.Path) -> str:
        """Memgraph's own notation for a shortest path."""
        (rel,) = path.rels
        hops = rel.hops or tree.Hops(1, 1)
        if path.shortest == "all":
            search = " *ALLSHORTEST" + ("" if hops.most is None else f" ..{hops.most}") + " (r, n | 1)"
        else:
            search = " *BFS" + (" " + bounds if (bounds := hops_text(hops)[1:]) else "")
        shown = tree.Rel(rel.direction, rel.variable, rel.types, hops, rel.properties)
        return self.node(path.nodes[0]) + self._rel(shown, search) + self.node(path.nodes[1])


def hops_text(hops: tree.Hops) -> str:
    """``*``, ``*2``, ``*1..3``, ``*1..``, ``*..3``."""
    if hops.least is None and hops.most is None:
        return "*"
    if hops.least == hops.most:
        return f"*{hops.least}"
    return f"*{'' if hops.least is None else hops.least}..{'' if hops.most is None else hops.most}"
