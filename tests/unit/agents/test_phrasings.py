"""Prompts in many words: the rules' categories, with a model that knows no better than they."""

import json
from pathlib import Path

import pytest

from apps.agents.phases.classify import classify
from apps.llm.language.intents import intent_of
from tests.unit.agents.scripted import Scripted, make_view, said

PHRASINGS = Path(__file__).resolve().parents[2] / "data" / "runs" / "phrasings.json"
LEAST_RIGHT = 0.95


def category_of(prompt: str, role: str) -> str:
    guess = {"category": intent_of(prompt).category, "confidence": 0.6, "reason": "As the rules."}
    return classify(make_view(prompt, role=role), Scripted([said(data=guess)]).ports()).category


@pytest.mark.requirement("thinking:evaluation")
def test_prompts_in_other_words_keep_their_category() -> None:
    phrasings = json.loads(PHRASINGS.read_text(encoding="utf-8"))

    wrong = {one["prompt"]: found for one in phrasings
             if (found := category_of(one["prompt"], one["role"])) != one["category"]}  # fmt: skip

    missed = [one["prompt"] for one in phrasings if one["category"] == "DANGEROUS" and one["prompt"] in wrong]
    assert len(wrong) <= (1 - LEAST_RIGHT) * len(phrasings), wrong
    assert missed == []
