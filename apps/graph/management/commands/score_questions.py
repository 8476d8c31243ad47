"""`manage.py score_questions --tenant demo`: ask every question of a set; hold the answers against the right ones."""

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apps.graph import asking, queries
from apps.graph.gate.verdict import Passed
from apps.graph.nl2cypher import pipeline, scoring
from apps.graph.nl2cypher.types import Fetched
from apps.graph.results import Rows
from apps.identity.principal import Principal
from apps.identity.rbac import scopes_of
from apps.tenancy.selectors import tenant_by_slug
from kernel.errors import PlatformError

QUESTIONS = Path("tests/data/questions")
SHOWN = 200


class Command(BaseCommand):
    help = "Score the answers to a set of questions on a seeded graph (seed_graph --tenant T --users 40)."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", default="demo", help="The tenant's slug.")
        parser.add_argument("--model", help="A model instance; the default model when absent.")
        parser.add_argument(
            "--questions", type=Path, help="A file of questions; all of tests/data/questions if absent."
        )
        parser.add_argument(
            "--quiet", action="store_true", help="The figures alone, not each answer that is not right."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = tenant_by_slug(options["tenant"])
        if tenant is None:
            raise CommandError(f"There is no tenant {options['tenant']}.")
        principal = Principal("score_questions", tenant.id, frozenset({"user"}), frozenset(scopes_of(["user"])))
        chosen = options["questions"]
        paths = [chosen] if chosen else sorted((Path(settings.BASE_DIR) / QUESTIONS).glob("*.json"))
        for path in paths:
            began = time.monotonic()
            try:
                score = run(principal, scoring.load(path), model=options["model"])
            except (PlatformError, OSError, ValueError) as error:
                raise CommandError(f"{path.name}: {error}") from error
            self._report(path.stem, score, time.monotonic() - began, quiet=options["quiet"])

    def _report(self, name: str, score: scoring.Score, elapsed_s: float, *, quiet: bool) -> None:
        for one in score.scored if not quiet else ():
            if one.verdict != "right":
                said = one.answer.sentence if one.answer.refused else one.answer.cypher
                self.stdout.write(f"  {one.verdict:9} {one.question}: {one.phrasing}\n            {said[:SHOWN]}")
        asked = len(score.scored)
        self.stdout.write(
            f"{name}: {asked} phrasings in {elapsed_s:.1f} s: {score.accuracy:.1%} right, "
            f"{score.count('refused')} refused that have an answer, {score.count('wrong')} wrong, "
            f"{score.count('elsewhere')} wrong but confident about another label or relationship, "
            f"{score.silent_refusals} refusals without a reason"
        )
        written = ", ".join(f"{source} {number}" for source, number in score.sources.most_common())
        self.stdout.write(f"  queries written by: {written}")
        for stage, (median, longest) in score.stage_ms().items():
            self.stdout.write(f"  {stage:10} median {median:8.2f} ms, longest {longest:8.2f} ms")


def run(principal: Principal, questions: list[scoring.Asked], *, model: str | None = None) -> scoring.Score:
    """Every phrasing asked in this caller's name; a query that was run for one phrasing is not run for the next.
    CommandError when no reference finds anything: the graph is empty."""
    score = scoring.Score()
    ports = asking.ports_for(principal, model=model)
    remembered: dict[tuple[str, str], Rows] = {}

    def read(passed: Passed) -> Fetched:
        key = (passed.text, repr(sorted(passed.parameters.items())))
        if key not in remembered:
            remembered[key] = queries.read(principal, passed)
        return remembered[key]

    ports = replace(ports, read=read)
    found_any = False
    for asked in questions:
        expected = None
        if asked.reference:
            expected = read(queries.inspected(principal, asked.reference, {})).rows
            found_any = found_any or any(value for row in expected for value in row)
        for phrasing in asked.phrasings:
            answer = pipeline.answer(phrasing, ports)
            score.scored.append(scoring.judge(asked, phrasing, answer, expected))
    if not found_any:
        raise CommandError("No reference finds anything: seed the graph first (manage.py seed_graph).")
    return score
