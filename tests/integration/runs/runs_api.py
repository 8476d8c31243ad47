"""How tests start runs over the API and wait for their ends."""

from typing import Any

from tests.clients import Answer, Api, wait_for

PATH = "/v1/agent-runs"
ENDED = ("succeeded", "failed", "cancelled")


def start(
    caller: Api, prompt: str = "What is 6 * 7?", query: str = "", *, key: str | None = None, **fields: Any
) -> Answer:
    """POST a run."""
    return caller.post(f"{PATH}{query}", {"prompt": prompt, **fields}, **({"Idempotency_Key": key} if key else {}))


def started(caller: Api, prompt: str = "What is 6 * 7?", **fields: Any) -> str:
    """POST a run that is accepted; its id."""
    answer = start(caller, prompt, **fields)
    assert answer.status == 201, answer.body
    return str(answer.json["id"])


def run(caller: Api, run_id: str) -> dict[str, Any]:
    answer = caller.get(f"{PATH}/{run_id}")
    assert answer.status == 200, answer.body
    return dict(answer.json)


def ended(caller: Api, run_id: str) -> dict[str, Any]:
    """The run once it has ended."""
    return wait_for(
        lambda: (seen := run(caller, run_id)) and seen["status"] in ENDED and seen,
        what=f"run {run_id} ending",
    )
