"""What a run remembers of its session: lines that were there before it, within a window, and a summary of older ones.

The summary is kept with the session and covers all lines up to ``summary_seq``; it moves on only when a new one is
written, so that a line is always either in the window's reach or in the summary. Of two runs that would move it on at
once, the first one's stays.
"""

from collections.abc import Callable
from typing import Any, LiteralString

from apps.agents.phases.window import SUMMARY_CHARS, Line, as_messages, summary_request, window
from apps.agents.types import RunView
from apps.llm.errors import CompletionError
from apps.llm.types import CompletionResult, Message
from kernel.tenant_context import tenant_statement

LINES_MAX = 400  # that are read of one session, the latest
LINE_CHARS = 20_000
Ask = Callable[[tuple[Message, ...]], CompletionResult]

# Before the run: what was said before its prompt, and the answers of the runs it waited for.
LINES: LiteralString = """
WITH run AS (
    SELECT created_at, COALESCE(started_at, clock_timestamp()) AS started_at FROM agent_runs WHERE id = %(run)s
)
SELECT sessions.summary, sessions.summary_seq, said.seq, said.type, said.text
FROM sessions LEFT JOIN LATERAL (
    SELECT seq, type, left(message, %(chars)s) AS text FROM session_steps, run
    WHERE session_id = sessions.id AND seq > sessions.summary_seq AND message IS NOT NULL
        AND (session_steps.created_at < run.created_at
            OR (type <> 'user' AND session_steps.created_at < run.started_at))
    ORDER BY seq DESC LIMIT %(most)s
) AS said ON true
WHERE sessions.id = %(session)s ORDER BY said.seq
"""
MOVE_ON: LiteralString = """
UPDATE sessions SET summary = %(summary)s, summary_seq = %(new_seq)s, updated_at = now(), version = version + 1
WHERE id = %(session)s AND summary_seq = %(old_seq)s
"""


def remember(view: RunView, ask: Ask, *, budget_tokens: int) -> tuple[Message, ...]:
    """The conversation before this run. ``ask`` writes a summary when the window overflows; where it fails, older lines
    are left out this time, and the next run tries again."""
    values = {"run": view.run_id, "session": view.session_id, "chars": LINE_CHARS, "most": LINES_MAX}
    rows = tenant_statement(view.tenant_id, LINES, values)
    if not rows:
        return ()
    summary, covered = str(rows[0]["summary"]), int(rows[0]["summary_seq"])
    lines = [Line(row["seq"], row["type"], row["text"]) for row in rows if row["seq"] is not None]
    seen = window(lines, budget_tokens)
    if seen.dropped:
        # To half of the window, so that the next runs need no new summary at once.
        older = window(lines, budget_tokens // 2).dropped
        try:
            summary = ask(summary_request(summary, older)).text.strip()[:SUMMARY_CHARS] or summary
        except CompletionError:
            return as_messages(summary, seen.kept)
        moved = {"session": view.session_id, "summary": summary, "new_seq": older[-1].seq, "old_seq": covered}
        _move_on(view, moved)
        return as_messages(summary, [line for line in lines if line.seq > older[-1].seq])
    return as_messages(summary, seen.kept)


def _move_on(view: RunView, values: dict[str, Any]) -> None:
    tenant_statement(view.tenant_id, MOVE_ON + " RETURNING id", values)
