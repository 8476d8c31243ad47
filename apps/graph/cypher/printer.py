"""Tree to text: one line, one spelling, and parentheses wherever two engines might group differently.

What is printed parses to an equal tree, so what runs is what was checked (security 91). ValueError for a tree that no
text parses to: a name that is none, a number beyond 64 bits, a predicate without a relationship.
"""

from apps.graph.cypher import changes, tree
from apps.graph.cypher.print_expressions import ExpressionPrinter
from apps.graph.cypher.print_patterns import Dialect
from apps.graph.cypher.spelling import name_text


def print_statement(
    statement: tree.Statement | tree.Query, dialect: Dialect = "opencypher", *, mode: bool = False
) -> str:
    """The text of a statement. ``mode``: with EXPLAIN or PROFILE before it, which the door otherwise adds itself."""
    printer = Printer(dialect)
    if isinstance(statement, tree.Query):
        return printer.query(statement)
    text = printer.query(statement.query)
    return text if not mode or statement.mode == "run" else f"{statement.mode.upper()} {text}"


def print_expression(expression: tree.Expr, dialect: Dialect = "opencypher") -> str:
    """The text of an expression alone."""
    return Printer(dialect).expression(expression)


def print_change(change: changes.Change, dialect: Dialect = "opencypher") -> str:
    """The text of a change."""
    printer = Printer(dialect)
    parts = [printer.clause(one) for one in change.reading]
    parts += [printer.writing(one) for one in change.writing]
    if change.returning is not None:
        parts.append(printer.clause(change.returning))
    return " ".join(parts)


class Printer(ExpressionPrinter):
    """Clauses; patterns and expressions come from the classes below it."""

    def query(self, query: tree.Query) -> str:
        parts: list[str] = []
        for number, branch in enumerate(query.branches):
            if number:
                parts.append("UNION ALL" if branch.keeps_duplicates else "UNION")
            parts += [self.clause(clause) for clause in branch.clauses]
        return " ".join(parts)

    def clause(self, clause: tree.Clause) -> str:
        if isinstance(clause, tree.Match):
            word = "OPTIONAL MATCH " if clause.optional else "MATCH "
            return word + ", ".join([self.path(path) for path in clause.paths]) + self._where(clause.where)
        if isinstance(clause, tree.Return):
            return "RETURN " + self._projection(clause.projection)
        if isinstance(clause, tree.With):
            return "WITH " + self._projection(clause.projection) + self._where(clause.where)
        if isinstance(clause, tree.Unwind):
            return f"UNWIND {self.expression(clause.source)} AS {name_text(clause.variable)}"
        return f"CALL {{ {self.query(clause.query)} }}"

    def writing(self, clause: changes.Writing) -> str:
        if isinstance(clause, changes.Create):
            return "CREATE " + ", ".join([self.path(path) for path in clause.paths])
        if isinstance(clause, changes.Merge):
            text = "MERGE " + self.path(clause.path)
            if clause.on_create:
                text += " ON CREATE SET " + self._assignments(clause.on_create)
            if clause.on_match:
                text += " ON MATCH SET " + self._assignments(clause.on_match)
            return text
        if isinstance(clause, changes.SetProperties):
            return "SET " + self._assignments(clause.assignments)
        if isinstance(clause, changes.RemoveProperties):
            return "REMOVE " + ", ".join(f"{name_text(name)}.{name_text(key)}" for name, key in clause.properties)
        word = "DETACH DELETE " if clause.detach else "DELETE "
        return word + ", ".join(map(name_text, clause.variables))

    def _assignments(self, assignments: tuple[changes.Assignment, ...]) -> str:
        return ", ".join(
            f"{name_text(one.variable)} += {self.expression(one.value)}"
            if one.key is None
            else f"{name_text(one.variable)}.{name_text(one.key)} = {self.expression(one.value)}"
            for one in assignments
        )

    def _where(self, where: tree.Expr | None) -> str:
        return "" if where is None else " WHERE " + self.expression(where)

    def _projection(self, projection: tree.Projection) -> str:
        columns = ["*"] if projection.everything else []
        columns += [
            self.expression(one.expression)
            if one.alias is None
            else f"{self.expression(one.expression)} AS {name_text(one.alias)}"
            for one in projection.columns
        ]
        if not columns:
            raise ValueError("a projection of nothing")
        text = ("DISTINCT " if projection.distinct else "") + ", ".join(columns)
        if projection.order:
            text += " ORDER BY " + ", ".join(
                [self.expression(one.expression) + (" DESC" if one.descending else "") for one in projection.order]
            )
        if projection.skip is not None:
            text += " SKIP " + self.expression(projection.skip)
        if projection.limit is not None:
            text += " LIMIT " + self.expression(projection.limit)
        return text
