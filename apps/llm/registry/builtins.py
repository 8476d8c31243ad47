"""The manifests that come with the platform: apps/llm/builtins/*.json."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from kernel.errors import NotFoundError

FOLDER = Path(__file__).resolve().parents[1] / "builtins"


@lru_cache(maxsize=1)
def all_builtins() -> dict[str, dict[str, Any]]:
    """Name -> {description, is_template, document}. A template is to be filled in before it is staged."""
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in sorted(FOLDER.glob("*.json"))}


def document_of(name: str) -> dict[str, Any]:
    """The builtin's document; NotFoundError for a name that is none."""
    found = all_builtins().get(name)
    if found is None:
        raise NotFoundError(
            f"There is no builtin manifest of this name. Known are {', '.join(all_builtins())}.",
            code="builtin_not_found",
        )
    document: dict[str, Any] = found["document"]
    return document
