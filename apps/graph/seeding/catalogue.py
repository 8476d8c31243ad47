"""What stands by itself in the seed data: genes, proteins, pathways, tools, samples, publications and the like."""

import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from apps.graph.records import Node
from apps.graph.schema import CHROMOSOMES, ORGANISMS, RESULT_TYPES, TISSUES, TOOL_TYPES, label_named
from apps.graph.seeding import biology, words

DAYS = 1600
FIRST_DAY = date(2022, 1, 1)
Properties = dict[str, Any]


def generate(users: int, *, seed: int, uid: Callable[[str], str]) -> Iterator[Node]:
    """All of it; how much grows with the number of users."""
    makers: tuple[tuple[str, int, Callable[[int, random.Random], Properties]], ...] = (
        ("Gene", len(biology.GENES) + users // 2, _gene),
        ("Protein", len(biology.GENES) + users // 2, _protein),
        ("Pathway", len(biology.PATHWAYS) + users // 50, _pathway),
        ("Tool", len(biology.TOOLS) + users // 50, _tool),
        ("Workflow", len(biology.WORKFLOWS) + users // 20, _workflow),
        ("Dataset", 5 + users // 4, _dataset),
        ("Sample", 10 + users, _sample),
        ("Experiment", 6 + users // 2, _experiment),
        ("Publication", 6 + users // 2, _publication),
        ("Result", 10 + users, _result),
    )
    for label, how_many, make in makers:
        for number in range(how_many):
            dice = random.Random(f"{seed}:{label}:{number}")
            yield Node(label, uid(f"{label.lower()}:{number}"), make(number, dice))


def _sometimes(dice: random.Random, share: float, **properties: Any) -> Properties:
    return properties if dice.random() < share else {}


def _moment(dice: random.Random) -> str:
    when = datetime(2022, 1, 1, tzinfo=UTC) + timedelta(minutes=dice.randrange(DAYS * 1440))
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def _gene(number: int, dice: random.Random) -> Properties:
    if number < len(biology.GENES):
        symbol, name, chromosome = biology.GENES[number]
    else:
        symbol, name, chromosome = f"LOC{100000 + number}", f"uncharacterised locus {number}", dice.choice(CHROMOSOMES)
    return {"id": f"gene-{number:05d}", "symbol": symbol, "name": name, "chromosome": chromosome}


def _protein(number: int, dice: random.Random) -> Properties:
    name = f"{biology.GENES[number][0]} protein" if number < len(biology.GENES) else f"hypothetical protein {number}"
    sequence = "M" + "".join(dice.choices(biology.AMINO_ACIDS, k=dice.randint(40, 120)))
    function = _sometimes(dice, 0.8, function=dice.choice(biology.FUNCTIONS))
    return {"id": f"prot-{number:05d}", "name": name, "sequence": sequence, **function}


def _pathway(number: int, dice: random.Random) -> Properties:
    if number < len(biology.PATHWAYS):
        name, description = biology.PATHWAYS[number]
        return {"id": f"path-{number:04d}", "name": name, **_sometimes(dice, 0.8, description=description)}
    return {"id": f"path-{number:04d}", "name": f"Pathway {number}"}


def _tool(number: int, dice: random.Random) -> Properties:
    if number < len(biology.TOOLS):
        name, version, type_ = biology.TOOLS[number]
    else:
        name, version, type_ = f"script-{number}", f"0.{dice.randint(1, 9)}", dice.choice(TOOL_TYPES)
    return {"id": f"tool-{number:04d}", "name": name, "version": version, "type": type_}


def _workflow(number: int, dice: random.Random) -> Properties:
    name, steps, inputs = biology.WORKFLOWS[number % len(biology.WORKFLOWS)]
    again = number // len(biology.WORKFLOWS)
    name = f"{name} {again + 1}" if again else name
    return {"id": f"wf-{number:04d}", "name": name, "steps": steps + min(again, 3), "inputs": list(inputs)}


def _dataset(number: int, dice: random.Random) -> Properties:
    organism = dice.choice(ORGANISMS)
    described = _sometimes(dice, 0.7, description=f"{dice.choice(words.SUBJECTS).capitalize()} of {organism}.")
    version = f"{dice.randint(1, 3)}.{dice.randint(0, 9)}"
    return {"id": f"ds-{number:04d}", "name": f"{organism} collection {number}", "version": version, **described}


def _sample(number: int, dice: random.Random) -> Properties:
    organism = dice.choices(ORGANISMS, (30, 20, 8, 8, 8, 6, 6, 6, 5, 3))[0]
    tissue = _sometimes(dice, 0.85, tissue=dice.choice(TISSUES))
    return {"id": f"sample-{number:05d}", "name": f"Sample {number:05d}", "organism": organism, **tissue}


def _experiment(number: int, dice: random.Random) -> Properties:
    protocols = next(one.values for one in label_named("Experiment").properties if one.name == "protocol")
    day = FIRST_DAY + timedelta(days=dice.randrange(DAYS))
    protocol = dice.choice(protocols)
    return {
        "id": f"exp-{number:05d}",
        "name": f"{protocol} run {number}",
        "protocol": protocol,
        "date": day.isoformat(),
    }


def _publication(number: int, dice: random.Random) -> Properties:
    title = dice.choice(words.TITLE_PATTERNS).format(
        gene=dice.choice(biology.GENES)[0],
        tissue=dice.choice(TISSUES),
        organism=dice.choice(ORGANISMS),
        pathway=dice.choice(biology.PATHWAYS)[0],
    )
    doi = _sometimes(dice, 0.85, doi=f"10.99999/seed.{number:05d}")
    year, journal = dice.randint(2015, 2026), dice.choice(words.JOURNALS)
    return {"id": f"pub-{number:05d}", "title": title, "journal": journal, "year": year, **doi}


def _result(number: int, dice: random.Random) -> Properties:
    metrics = json.dumps({"items": dice.randint(1, 5000), "seconds": dice.randint(1, 3600)})
    score = _sometimes(dice, 0.8, score=round(dice.random(), 3))
    type_ = dice.choice(RESULT_TYPES)
    return {"id": f"res-{number:05d}", "type": type_, "metrics": metrics, "timestamp": _moment(dice), **score}
