"""What the gate costs a query, from its text to the text that may run, beside reading the same text with ANTLR.

.venv/bin/python benchmarks/gate.py

Nothing is remembered from one query to the next: the one cache there is, of names that were printed, is emptied before
each. The peer only parses (openCypher's own grammar for ANTLR, its quickest mode): it neither checks nor rewrites.
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import report
from antlr4 import CommonTokenStream, InputStream, PredictionMode
from antlr4_cypher import CypherLexer, CypherParser

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "platform"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from apps.graph.cypher import tree
from apps.graph.cypher.parser import parse
from apps.graph.cypher.spelling import name_text
from apps.graph.cypher.walk import walk
from apps.graph.gate.check import inspect
from apps.graph.gate.verdict import GateRefusal
from tests.unit.graph.cypher.corpus import ACCEPTED

TENANT = "11111111-aaaa-4aaa-8aaa-111111111111"
MEDIAN_MS, P99_MS = 1.0, 5.0
CONDITIONS = " OR ".join(f"(t.duration_s > {number} AND u.user_name = 'name {number}')" for number in range(16))
KILOBYTE = (
    f"MATCH (u:User)-[:RUNS]->(t:Task {{status: $status}}) WHERE {CONDITIONS} WITH u, count(t) AS tasks "
    "RETURN u.user_name AS name, tasks ORDER BY tasks DESC LIMIT 20"
)
HARD = (
    "MATCH p = shortestPath((a:User {user_id: $a})-[*..5]-(b:File {file_id: $b})) WHERE length(p) > 1 "
    "CALL { WITH a OPTIONAL MATCH (a)-[:RUNS]->(t:Task) WHERE t.duration_s / 60 > 1 RETURN count(t) AS long } "
    "RETURN [n IN nodes(p) | n {.uid, kinds: labels(n)}] AS steps, long, "
    "EXISTS { MATCH (a)-[:WORKS_AT]->(i:Institution) WHERE toLower(i.country) = 'italy' } AS italian"
)


def values(text: str) -> dict[str, object]:
    """A value for each parameter: a number where rows are counted, else a text."""
    given: dict[str, object] = {}
    for part in walk(parse(text)):
        if isinstance(part, tree.Param):
            given.setdefault(part.name, "x")
        elif isinstance(part, tree.Projection):
            given |= {bound.name: 3 for bound in (part.skip, part.limit) if isinstance(bound, tree.Param)}
    return given


def taken_ms(call: Callable[[], object], times: int) -> list[float]:
    """What each call took of the processor."""
    taken = []
    for _ in range(times):
        name_text.cache_clear()
        began = time.thread_time()
        call()
        taken.append((time.thread_time() - began) * 1e3)
    return taken


def by_antlr(text: str) -> None:
    lexer = CypherLexer(InputStream(text))
    parser = CypherParser(CommonTokenStream(lexer))
    for part in (lexer, parser):
        part.removeErrorListeners()
    parser._interp.predictionMode = PredictionMode.SLL
    parser.script()


def passing(texts: list[str]) -> list[str]:
    """Those that the gate lets through, of up to 1 kB."""
    found = []
    for text in texts:
        try:
            inspect(text, values(text), tenant_id=TENANT)
        except GateRefusal:
            continue
        if len(text) <= 1024:
            found.append(text)
    return found


def main() -> None:
    options = report.arguments(__doc__, times=20)
    texts = passing([entry.text for entry in ACCEPTED])
    ours: list[float] = []
    theirs: list[float] = []
    ratios = []
    for text in texts:
        given = values(text)
        by_antlr(text)
        mine = taken_ms(lambda: inspect(text, given, tenant_id=TENANT), options.times)  # noqa: B023
        peer = taken_ms(lambda: by_antlr(text), max(2, options.times // 10))  # noqa: B023
        ours += mine
        theirs += peer
        ratios.append(statistics.median(mine) / statistics.median(peer))
    rows = [("corpus", len(texts), *_row(ours), *_row(theirs))]
    for name, text in (("1 kB", KILOBYTE), ("every kind of rewriting", HARD)):
        given = values(text)
        mine = taken_ms(lambda: inspect(text, given, tenant_id=TENANT), options.times * 10)  # noqa: B023
        rows.append((name, len(text), *_row(mine), *_row(taken_ms(lambda: by_antlr(text), options.times))))  # noqa: B023
    report.table(
        "The gate alone, ms of CPU a query",
        ("queries", "number, or characters", "median", "p99", "ANTLR's parse, median", "p99"),
        rows,
    )
    print(f"gate / ANTLR's parse, median of the corpus: {statistics.median(ratios):.2f}")
    print(f"median: {report.verdict(statistics.median(ours), MEDIAN_MS, at_most=True)}")
    print(f"p99:    {report.verdict(report.percentile(ours, 0.99), P99_MS, at_most=True)}")


def _row(taken: list[float]) -> tuple[str, str]:
    return f"{statistics.median(taken):.3f}", f"{report.percentile(taken, 0.99):.3f}"


if __name__ == "__main__":
    main()
