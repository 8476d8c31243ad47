"""The stream of records: first what is looked up (institutions, genes, tools), then each user with what they had run.

The same seed and size give the same records; nothing but counters is held, so a million nodes need no memory.
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from apps.graph.records import Edge, Node, Record
from apps.graph.schema import COUNTRIES, DEPARTMENTS, INSTITUTION_TYPES, ROLES
from apps.graph.seeding import catalogue, words
from apps.graph.seeding.runs import Runs

DEFAULT_SEED = 1
USERS_FOR_AN_INSTITUTION = 8
USERS_FOR_A_REFERENCE = 20


@dataclass(frozen=True, slots=True)
class Size:
    """How much there will be. ``tasks`` and ``files`` come out of the users' habits."""

    users: int

    @property
    def institutions(self) -> int:
        return max(3, self.users // USERS_FOR_AN_INSTITUTION)

    @property
    def references(self) -> int:
        """Databases that everybody searches."""
        return 4 + self.users // USERS_FOR_A_REFERENCE


def generate(users: int, *, seed: int, uid: Callable[[str], str]) -> Iterator[Record]:
    """Every record, nodes before the relationships that name them. ``uid`` makes a uid of a name like ``user:17``."""
    size = Size(users)
    for number in range(size.institutions):
        yield _institution(number, _dice(seed, "institution", number), uid)
    yield from catalogue.generate(users, seed=seed, uid=uid)
    runs = Runs(size.references, uid)
    yield from runs.references(_dice(seed, "references", 0))
    for number in range(users):
        dice = _dice(seed, "user", number)
        user = _user(number, dice, uid)
        yield user
        yield from _workplaces(user, size, dice, uid)
        yield from runs.of_user(user.uid, number, dice)


def _dice(seed: int, what: str, number: int) -> random.Random:
    return random.Random(f"{seed}:{what}:{number}")


def _institution(number: int, dice: random.Random, uid: Callable[[str], str]) -> Node:
    kind = INSTITUTION_TYPES[number % len(INSTITUTION_TYPES)]
    place = words.PLACES[number % len(words.PLACES)]
    again = number // (len(words.PLACES) * len(INSTITUTION_TYPES))
    name = words.INSTITUTION_PATTERNS[kind].format(place=place) + (f" {again + 1}" if again else "")
    properties = {"id": f"inst-{number:04d}", "name": name, "country": dice.choice(COUNTRIES), "type": kind}
    return Node("Institution", uid(f"institution:{number}"), properties)


def _user(number: int, dice: random.Random, uid: Callable[[str], str]) -> Node:
    first, last = dice.choice(words.FIRST_NAMES), dice.choice(words.LAST_NAMES)
    name = f"{first[0].lower()}.{last.lower()}{number}"
    properties = {"user_id": str(1000 + number), "firstName": first, "lastName": last, "user_name": name}
    if dice.random() < 0.9:
        properties["email"] = f"{name}@example.org"
    return Node("User", uid(f"user:{number}"), properties)


def _workplaces(user: Node, size: Size, dice: random.Random, uid: Callable[[str], str]) -> Iterator[Edge]:
    """One workplace; a few people have two, and very few none. The first institutions are the large ones."""
    how_many = dice.choices((0, 1, 2), (3, 87, 10))[0]
    weights = [1 / (rank + 1) for rank in range(size.institutions)]
    chosen = dict.fromkeys(dice.choices(range(size.institutions), weights, k=how_many))
    for number in chosen:
        properties = {
            "since": dice.randint(2005, 2025),
            "role": dice.choices(ROLES, (8, 25, 30, 12, 18, 7))[0],
            "department": dice.choice(DEPARTMENTS),
        }
        yield Edge("WORKS_AT", user.uid, uid(f"institution:{number}"), properties)
