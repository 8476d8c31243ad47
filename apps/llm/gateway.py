"""The one door to language models (SPEC 8 step 1, 11).

    result = gateway.complete(CompletionRequest(tenant_id, sub, (Message("user", "Hello"),)))

    with gateway.stream(request) as stream:
        for piece in stream:
            ...
    result = stream.result

Both choose the model, hold its price against the budgets, keep to the circuit breaker and the limit of calls at once,
try again and fall back, book what it cost, and raise an apps.llm.errors.CompletionError when nobody answered.
"""

from collections.abc import Generator
from types import TracebackType

from apps.llm.calling.course import Course
from apps.llm.types import CompletionRequest, CompletionResult


def complete(request: CompletionRequest) -> CompletionResult:
    """The whole answer. Blocks for at most ``request.deadline_s``."""
    course = Course(request, streaming=False)
    for _ in course.run():
        raise AssertionError("a course that does not stream gave a piece")
    return course.result


def stream(request: CompletionRequest) -> "CompletionStream":
    """The answer as it comes. Another model stands in only until the first piece was given out."""
    return CompletionStream(Course(request, streaming=True))


class CompletionStream:
    """Pieces of text, none empty; once they are all taken, ``result`` is the whole.

    Leaving it early closes the connection to the provider at once; what was produced is paid for.
    """

    def __init__(self, course: Course) -> None:
        self._course = course
        self._pieces = course.run()

    def __iter__(self) -> Generator[str, None, None]:
        return self._pieces

    def __enter__(self) -> "CompletionStream":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop here. Nothing happens to a stream that has ended."""
        self._pieces.close()

    @property
    def result(self) -> CompletionResult:
        """The whole answer; RuntimeError before the last piece was taken."""
        return self._course.result
