"""What is wrong with a text, where, and what to do instead."""

from kernel.errors import ValidationError


class CypherSyntaxError(ValidationError):
    """The text is not Cypher of the allowed subset. ``line`` and ``column`` count from 1; ``expected`` may be empty."""

    code = "cypher_syntax"

    def __init__(self, problem: str, text: str = "", at: int = 0, *, found: str = "", expected: tuple[str, ...] = ()):
        """``at``: where in ``text``, in characters; ``problem``: a sentence that says what to do."""
        before = text[:at]
        self.line = before.count("\n") + 1
        self.column = at - (before.rfind("\n") + 1) + 1
        self.found = found
        self.expected = expected
        detail = f"Line {self.line}, column {self.column}: {problem}"
        where = {"line": self.line, "column": self.column, "found": found, "expected": list(expected)}
        error = {"loc": ["query"], "msg": detail, "type": "cypher_syntax", "ctx": where}
        super().__init__(detail, errors=[error])


class Fault(Exception):
    """Something that the grammar takes and that is still wrong. ``at``: where; None is the token read last."""

    def __init__(self, problem: str, at: int | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.at = at
