"""What the pages name is there: links lead to pages and headings, and every module that is named exists."""

import re
from pathlib import Path

import pytest

from tests.architecture.source import ROOT

PAGES = [ROOT / "README.md", ROOT / "benchmarks/README.md", *sorted((ROOT / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
MODULE = re.compile(r"`((?:[\w.]+/)*\w+\.(?:py|sql))`")
ROOMS = ("apps", "platform", "workers", "tests", "benchmarks", "deploy")
FILES = [f"/{path.relative_to(ROOT)}" for room in ROOMS for path in (ROOT / room).rglob("*.*")] + ["/manage.py"]


def anchors(page: Path) -> set[str]:
    """The headings of a page, as its links name them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    text = page.read_text()

    lost = [
        f"{target}#{anchor}"
        for target, anchor in LINK.findall(text)
        if not (there := (page.parent / target if target else page).resolve()).exists()
        or (anchor and anchor not in anchors(there))
    ]

    assert lost == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_module_that_a_page_names_exists(page: Path) -> None:
    named = {name for name in MODULE.findall(page.read_text()) if "NAME" not in name}

    assert sorted(name for name in named if not any(file.endswith(f"/{name}") for file in FILES)) == []
