"""The files of this folder, read once: they are part of the code, and a missing one stops the import."""

import json
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent


def _text(name: str) -> str:
    return (_HERE / f"{name}.md").read_text(encoding="utf-8").strip()


CLASSIFY = _text("classify")
PLAN = _text("plan")
ANSWER = _text("answer")
REFLECT = _text("reflect")
RESPOND = _text("respond")
REWRITE = _text("rewrite")
SUMMARIZE = _text("summarize")
CATALOGUE: list[dict[str, Any]] = json.loads((_HERE / "catalogue.json").read_text(encoding="utf-8"))["prompts"]
