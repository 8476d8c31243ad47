"""What users had run: tasks one after the other, the files they read and the files they wrote."""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from apps.graph.records import Edge, Node, Record
from apps.graph.schema import BLAST_TYPES, ORGANISMS
from apps.graph.seeding import biology, words

BEGIN = datetime(2022, 1, 10, 8, tzinfo=UTC)
BLAST_VERSIONS = ("2.13.0", "2.14.1", "2.15.0", "2.16.0")
TASKS_MOST = 120  # of one user; most have fewer than ten
KINDS = ("Blast", "CreateDb", "SearchbyTaxon", "Bold", "Command", None)
KIND_WEIGHTS = (36, 12, 15, 9, 18, 10)
STATUS_WEIGHTS = {"completed": 78, "failed": 12, "running": 4, "queued": 3, "cancelled": 3}
NUCLEOTIDE_QUERIES = ("blastn", "blastx", "tblastx")
NUCLEOTIDE_DATABASES = ("blastn", "tblastn", "tblastx")


@dataclass(slots=True)
class _Shelf:
    """What one user has at hand: the last few files, by what they are good for. ``now``: when their last task ended."""

    now: datetime
    fastas: list[Node]
    databases: list[tuple[str, str]]  # uid, dbtype


class Runs:
    """Numbers tasks and files through; users come in their order."""

    def __init__(self, references: int, uid: Callable[[str], str]) -> None:
        self._references = references
        self._uid = uid
        self._tasks = 0
        self._files = 0

    def references(self, dice: random.Random) -> Iterator[Node]:
        """Databases that everybody may search, which no task made."""
        for number in range(self._references):
            dbtype = ("nucl", "prot")[number % 2]
            organism = ORGANISMS[number % len(ORGANISMS)].split()[0].lower()
            stem, id_ = f"reference_{organism}_{number}", f"reference-{number:03d}"
            properties = _about(id_, stem, _ending(dbtype), dice) | {"dbtype": dbtype}
            yield Node("File", self._uid(f"reference:{number}"), properties, "BlastDb")

    def of_user(self, user: str, number: int, dice: random.Random) -> Iterator[Record]:
        """The user's tasks and files. Few users have very many, most a handful, some none."""
        how_many = 0 if dice.random() < 0.06 else min(TASKS_MOST, int(2 * dice.paretovariate(1.4)))
        shelf = _Shelf(BEGIN + timedelta(hours=dice.randrange(24 * 900)), [], [])
        for _ in range(how_many):
            if not shelf.fastas or dice.random() < 0.35:
                upload = self._fasta(f"{dice.choice(words.SUBJECTS)}_{number}_{len(shelf.fastas) + 1}", dice)
                shelf.fastas = [*shelf.fastas[-5:], upload]
                yield upload
            shelf.now += timedelta(minutes=int(dice.expovariate(1 / 4000)) + 1)
            yield from self._task(user, shelf, dice)

    def _task(self, user: str, shelf: _Shelf, dice: random.Random) -> Iterator[Record]:
        status = dice.choices(list(STATUS_WEIGHTS), list(STATUS_WEIGHTS.values()))[0]
        kind = dice.choices(KINDS, KIND_WEIGHTS)[0]
        query = dice.choice(shelf.fastas)
        own, database = self._particulars(kind, query, shelf, status, dice)
        properties: dict[str, Any] = {"task_id": f"task-{self._tasks:06d}", "status": status, **own}
        if status != "queued":
            properties["start"] = shelf.now.strftime("%Y-%m-%dT%H:%M:%SZ")
        if status in ("completed", "failed"):
            properties["duration_s"] = int(dice.lognormvariate(5, 1.2)) + 1
            shelf.now += timedelta(seconds=properties["duration_s"])
        if dice.random() < 0.3:
            properties["tags"] = sorted(dice.sample(words.TAGS, dice.randint(1, 3)))
        task = Node("Task", self._uid(f"task:{self._tasks}"), properties, kind)
        self._tasks += 1
        yield task
        yield Edge("RUNS", user, task.uid)
        if kind != "SearchbyTaxon":
            yield Edge("INPUT", query.uid, task.uid)
        if database is not None:
            yield Edge("INPUT", database, task.uid)
        if status == "completed":
            for file in self._outputs(task, query, shelf, dice):
                yield file
                yield Edge("OUTPUT", task.uid, file.uid)

    def _particulars(
        self, kind: str | None, query: Node, shelf: _Shelf, status: str, dice: random.Random
    ) -> tuple[dict[str, Any], str | None]:
        """A task's properties by its kind, and the database it searches."""
        if kind == "Blast":
            blasttype = dice.choices(BLAST_TYPES, (40, 30, 15, 10, 5))[0]
            years = (shelf.now - BEGIN).days / 500
            properties: dict[str, Any] = {
                "blast_version": BLAST_VERSIONS[min(3, int(years + dice.random()))],
                "blasttype": blasttype,
            }
            if dice.random() < 0.8:
                properties["evalue"] = dice.choice((10.0, 1e-3, 1e-5, 1e-10, 1e-30))
            return properties, self._database(shelf, "nucl" if blasttype in NUCLEOTIDE_DATABASES else "prot", dice)
        if kind == "CreateDb":
            return {"dbtype": dice.choices(("nucl", "prot"), (70, 30))[0]}, None
        if kind == "SearchbyTaxon":
            taxon = dice.choice(ORGANISMS)
            return {"taxon": taxon, "taxon_id": biology.TAXON_IDS[taxon]}, None
        if kind == "Bold":
            return {"marker": dice.choices(("COI-5P", "ITS", "matK", "rbcL"), (60, 20, 10, 10))[0]}, None
        if kind == "Command":
            command = dice.choice(words.PLAIN_COMMANDS).format(file=query.properties["user_filename"])
            codes = {"completed": 0, "failed": dice.choice((1, 2, 127, 137))}
            return {"command": command} | ({"exit_code": codes[status]} if status in codes else {}), None
        return {}, None

    def _database(self, shelf: _Shelf, dbtype: str, dice: random.Random) -> str:
        """One of the user's own, or of the references; the first of those are searched the most."""
        own = [uid for uid, type_ in shelf.databases if type_ == dbtype]
        if own and dice.random() < 0.4:
            return dice.choice(own)
        fitting = range(0 if dbtype == "nucl" else 1, self._references, 2)
        return self._uid(f"reference:{dice.choices(fitting, [1 / (rank + 1) for rank in range(len(fitting))])[0]}")

    def _outputs(self, task: Node, query: Node, shelf: _Shelf, dice: random.Random) -> Iterator[Node]:
        stem = f"{str(query.properties['user_filename']).rsplit('.', 1)[0][:40]}_{task.properties['task_id']}"
        match task.kind:
            case "Blast":
                yield self._file(stem, "xml", dice, "Xml")
                if dice.random() < 0.6:
                    yield self._file(stem, dice.choice(("fasta", "txt")), dice, "BlastedSeq", hits=dice.randint(0, 500))
            case "CreateDb":
                dbtype = str(task.properties["dbtype"])
                made = self._file(stem, _ending(dbtype), dice, "BlastDb", dbtype=dbtype)
                shelf.databases = [*shelf.databases[-3:], (made.uid, dbtype)]
                yield made
            case "SearchbyTaxon":
                made = self._fasta(stem, dice)
                shelf.fastas = [*shelf.fastas[-5:], made]
                yield made
            case "Bold":
                yield self._file(stem, dice.choice(("csv", "txt")), dice)
            case _:
                yield self._file(stem, dice.choice(("txt", "csv", "log")), dice)

    def _fasta(self, stem: str, dice: random.Random) -> Node:
        return self._file(
            stem, dice.choices(("fasta", "fa"), (80, 20))[0], dice, "Fasta", sequences=dice.randint(1, 9999)
        )

    def _file(self, stem: str, extension: str, dice: random.Random, kind: str | None = None, **own: Any) -> Node:
        number, self._files = self._files, self._files + 1
        properties = _about(f"file-{number:06d}", stem, extension, dice) | own
        return Node("File", self._uid(f"file:{number}"), properties, kind)


def _about(file_id: str, stem: str, extension: str, dice: random.Random) -> dict[str, Any]:
    return {
        "file_id": file_id,
        "user_filename": f"{stem}.{extension}",
        "size": int(dice.lognormvariate(13, 2)),
        "extension": extension,
        "bucket_name": dice.choice(words.BUCKETS),
    }


def _ending(dbtype: str) -> str:
    return "nsq" if dbtype == "nucl" else "psq"
