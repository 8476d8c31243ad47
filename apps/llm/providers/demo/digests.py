"""What rows say: how many, which columns, the span of numbers, the most frequent values, the first rows as a table."""

import json
import math
from collections import Counter
from typing import Any

from apps.llm.language import words
from apps.llm.providers.demo.phrases import say
from apps.llm.providers.demo.tables import Found, Row

SHOWN_ROWS = 5
SHOWN_COLUMNS = 8
SHOWN_CELL_CHARS = 60
SHOWN_VALUES = 3
PROFILED_COLUMNS = 12
DISTINCT_SHARE = 0.6  # of the rows: a column with more distinct values has no frequent ones
TEXT_CHARS = 1_500
_PICKS = ("max", "min", "mean", "sum")


def digest(found: Found, question: str, *, italian: bool) -> str:
    """An answer to the question out of what was found; honest when there is nothing."""
    if found.error:
        return say("tool_error", italian, error=shorten(found.error, 500))
    if found.rows is not None:
        return _of_rows(found, question, italian)
    if found.record is not None:
        return _of_record(found.record, question, italian)
    if not found.text:
        return say("nothing", italian)
    return shorten(found.text, TEXT_CHARS)


def asks_for_count(question: str) -> bool:
    """Whether a number of things is asked for: how many, quanti, count, number of."""
    said = words.all_terms(question)[:60]
    lowered = question[:1_000].lower()
    return "count" in said and any(
        mark in lowered
        for mark in ("how many", "count", "number of", "quant", "conta", "conteggio", "numero di", "numero total")
    )


def _of_rows(found: Found, question: str, italian: bool) -> str:
    rows = found.rows or []
    count = found.stated_count if found.stated_count is not None else len(rows)
    if not rows:
        if found.stated_count:
            return say("count_only", italian, count=found.stated_count)
        return "0. " + say("no_rows", italian) if asks_for_count(question) else say("no_rows", italian)
    names = columns_of(rows)
    alone = _single_number(rows, names)
    if alone is not None and (asks_for_count(question) or "count" in words.terms(alone[0])):
        return say("single_number", italian, number=shown(alone[1]), name=alone[0])
    more = found.is_cut and count <= len(rows)
    if asks_for_count(question) and not _filters(question, rows, names):
        key = "at_least" if more else "how_many"
        return say(key, italian, count=count)
    picked = _picked(rows, names, question, italian)
    parts = [picked] if picked else []
    filtered = _filters(question, rows, names) if asks_for_count(question) else None
    if filtered:
        column, value, matching = filtered
        parts.append(say("matching", italian, count=matching, column=column, value=value))
    parts.append(
        say(
            "rows_1" if count == 1 else "rows",
            italian,
            count=count,
            width=len(names),
            names=", ".join(names[:SHOWN_COLUMNS]),
        )
    )
    parts += _profile(rows, names, italian)
    parts.append(table(rows, names))
    if count > SHOWN_ROWS:
        parts.append(say("and_more", italian, count=count - min(SHOWN_ROWS, len(rows))))
    if more or found.is_cut:
        parts.append(say("cut", italian))
    return "\n\n".join(parts)


def _of_record(record: Row, question: str, italian: bool) -> str:
    if not record:
        return say("nothing", italian)
    wanted = set(words.terms(question))
    asked = [name for name in record if set(map(words.term, words.name_words(name))) & wanted]
    if asks_for_count(question):
        counts = [
            name
            for name in record
            if type(record[name]) in (int, float) and (name in asked or words.term(name) in ("count", "sum"))
        ]
        numbers = counts or [name for name in record if type(record[name]) in (int, float)]
        if len(numbers) == 1 or counts:
            return say("single_number", italian, number=shown(record[numbers[0]]), name=numbers[0])
    if 0 < len(asked) < len(record) and len(asked) <= SHOWN_VALUES:
        return "; ".join(f"{name}: {shown(record[name])}" for name in asked) + "."
    if len(record) == 1:
        name, value = next(iter(record.items()))
        return f"{name}: {shown(value)}." if name != "value" else f"{shown(value)}"
    lines = [f"- {name}: {shown(value)}" for name, value in list(record.items())[:20]]
    if len(record) > 20:
        lines.append(say("and_more", italian, count=len(record) - 20))
    return "\n".join(lines)


def columns_of(rows: list[Row]) -> list[str]:
    """Every column's name, in the order of first appearance."""
    return list(dict.fromkeys(str(name) for row in rows for name in row))


def table(rows: list[Row], names: list[str]) -> str:
    """The first rows in Markdown."""
    names = names[:SHOWN_COLUMNS]
    lines = ["| " + " | ".join(cell(name) for name in names) + " |", "|" + " --- |" * len(names)]
    lines += ["| " + " | ".join(cell(row.get(name, "")) for name in names) + " |" for row in rows[:SHOWN_ROWS]]
    return "\n".join(lines)


def numbers_in(rows: list[Row], name: str) -> list[float]:
    """The column's numbers; empty when most of its values are something else."""
    values = [row[name] for row in rows if row.get(name) is not None]
    found = [value for value in values if type(value) in (int, float) and abs(value) < 1e300]
    return found if found and len(found) * 2 > len(values) else []


def _profile(rows: list[Row], names: list[str], italian: bool) -> list[str]:
    if len(rows) < 2:
        return []
    lines = []
    for name in names[:PROFILED_COLUMNS]:
        numbers = numbers_in(rows, name)
        last = words.name_words(name)[-1:]
        if numbers and words.term(last[0] if last else "") not in ("id", "seq"):
            mean = math.fsum(numbers) / len(numbers)
            lines.append(
                "- "
                + say("span", italian, name=name, least=shown(min(numbers)), most=shown(max(numbers)), mean=shown(mean))
            )
        elif not numbers:
            values = [str(row[name]) for row in rows if isinstance(row.get(name), str | bool)]
            frequent = Counter(values).most_common(SHOWN_VALUES)
            if values and frequent[0][1] > 1 and len(set(values)) <= max(2.0, DISTINCT_SHARE * len(values)):
                counted = ", ".join(f"{cell(value)} ({times})" for value, times in frequent)
                lines.append("- " + say("frequent", italian, name=name, values=counted))
    return ["\n".join(lines)] if lines else []


def _single_number(rows: list[Row], names: list[str]) -> tuple[str, float] | None:
    if len(rows) != 1:
        return None
    numbers = [(name, rows[0][name]) for name in names if type(rows[0].get(name)) in (int, float)]
    return numbers[0] if len(numbers) == 1 and len(names) <= 2 else None


def _picked(rows: list[Row], names: list[str], question: str, italian: bool) -> str:
    """The largest, smallest, mean or sum of a column that the question names, or of the only one with numbers."""
    said = words.all_terms(question)
    wish = next((word for word in said if word in _PICKS), None)
    if wish is None:
        return ""
    numeric = [name for name in names if numbers_in(rows, name)]
    named = [name for name in numeric if set(map(words.term, words.name_words(name))) & set(said)]
    column = next(iter(named or (numeric if len(numeric) == 1 else [])), None)
    if column is None:
        return ""
    numbers = numbers_in(rows, column)
    if wish in ("mean", "sum"):
        value = math.fsum(numbers) / (len(numbers) if wish == "mean" else 1)
        return say(wish, italian, name=column, value=shown(value))
    extreme = max(numbers) if wish == "max" else min(numbers)
    row = next(row for row in rows if row.get(column) == extreme)
    rest = ", ".join(f"{name}: {cell(row[name])}" for name in names[:SHOWN_COLUMNS] if name != column and name in row)
    return say(wish, italian, name=column, value=shown(extreme), row=f" ({rest})" if rest else "")


def _filters(question: str, rows: list[Row], names: list[str]) -> tuple[str, str, int] | None:
    """How many rows have the value that the question names, where a column has it: "how many failed"."""
    said = set(words.terms(question))
    for name in names[:PROFILED_COLUMNS]:
        counted = Counter(row[name] for row in rows if isinstance(row.get(name), str))
        if 1 < len(counted) <= 50:
            for value, times in counted.items():
                meant = words.terms(value)
                if meant and set(meant) <= said:
                    return name, value, times
    return None


def cell(value: Any) -> str:
    """One line without what would end a Markdown cell."""
    return shorten(shown(value), SHOWN_CELL_CHARS).replace("|", "\\|")


def shown(value: Any) -> str:
    """A value as people write it: numbers short, structures as JSON, text on one line."""
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "-"}[value]
    if isinstance(value, int):
        return str(value) if value.bit_length() < 400 else "a very large number"
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e15 else f"{value:.6g}"
    if isinstance(value, list | dict):
        return shorten(json.dumps(value, ensure_ascii=False, default=str), 300)
    return " ".join(str(value)[:2_000].split())


def shorten(text: str, chars: int) -> str:
    """At most so many characters, cut at a word, with three dots for the rest."""
    if len(text) <= chars:
        return text
    head = text[: chars - 3]
    at = head.rfind(" ")
    return (head[:at] if at > chars // 2 else head) + "..."
