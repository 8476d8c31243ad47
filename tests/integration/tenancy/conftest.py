"""PostgreSQL as the application and as a superuser, for raw SQL."""

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.conf import settings

Connection = psycopg.Connection[Any]


def _connect(alias: str) -> Connection:
    database = settings.DATABASES[alias]
    return psycopg.connect(
        host=database["HOST"],
        port=database["PORT"],
        dbname=database["NAME"],
        user=database["USER"],
        password=database["PASSWORD"],
        autocommit=True,
    )


@pytest.fixture(scope="session")
def connect() -> Callable[[str], Connection]:
    """A connection of the test's own, as the role behind this alias."""
    return _connect


@pytest.fixture(scope="module")
def superuser(admin_url: str) -> Iterator[Connection]:
    with psycopg.connect(admin_url, autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="module")
def app() -> Iterator[Connection]:
    with _connect("default") as connection:
        yield connection
