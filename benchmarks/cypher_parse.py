"""What reading a query into a tree and printing it again costs, of the processor: the gate's first and last step.

.venv/bin/python benchmarks/cypher_parse.py
"""

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "platform"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from apps.graph.cypher.brackets import paired
from apps.graph.cypher.lexer import KEYWORDS, tokens
from apps.graph.cypher.parser import parse
from apps.graph.cypher.printer import print_statement
from apps.graph.cypher.walk import walk
from tests.unit.graph.cypher.corpus import ACCEPTED

CONDITIONS = " OR ".join(f"(t.duration_s > {number} AND u.user_name = 'name {number}')" for number in range(16))
KILOBYTE = (
    f"MATCH (u:User)-[:RUNS]->(t:Task {{status: $status}}) WHERE {CONDITIONS} WITH u, count(t) AS tasks "
    "RETURN u.user_name AS name, tasks ORDER BY tasks DESC LIMIT 20"
)


def taken_ms(call: Callable[[], object], times: int) -> list[float]:
    """What each call took of the processor, sorted."""
    taken = []
    for _ in range(times):
        began = time.thread_time()
        call()
        taken.append((time.thread_time() - began) * 1e3)
    return sorted(taken)


def around(text: str) -> str:
    return print_statement(parse(text))


def main() -> None:
    began = time.thread_time()
    parse("RETURN 1")
    print(f"{'loading the grammar, once a process':<44}{(time.thread_time() - began) * 1e3:9.1f} ms")
    each = sorted(statistics.median(taken_ms(lambda: around(entry.text), 15)) for entry in ACCEPTED)  # noqa: B023
    print(
        f"{f'{len(ACCEPTED)} queries of the corpus, parse and print':<44}{statistics.median(each):9.3f} ms median",
        end="",
    )
    print(f"{each[int(len(each) * 0.99)]:9.3f} ms p99")
    statement = parse(KILOBYTE)
    parts: dict[str, Callable[[], object]] = {
        f"{len(KILOBYTE)} characters: lexer": lambda: tokens(KILOBYTE, KEYWORDS),
        "  lexer and brackets": lambda: paired(tokens(KILOBYTE, KEYWORDS), KILOBYTE),
        "  parse": lambda: parse(KILOBYTE),
        "  print": lambda: print_statement(statement),
        "  parse and print": lambda: around(KILOBYTE),
        f"  a walk over its {len(list(walk(statement)))} records": lambda: list(walk(statement)),
    }
    for name, call in parts.items():
        taken = taken_ms(call, 400)
        print(f"{name:<44}{statistics.median(taken):9.3f} ms median{taken[395]:9.3f} ms p99")


if __name__ == "__main__":
    main()
