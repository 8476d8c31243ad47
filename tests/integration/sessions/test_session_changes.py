"""PATCH /v1/sessions/{id}, and what a second prompt does while a run of its session is open."""

from typing import Any
from uuid import UUID

import pytest

from apps.identity.principal import Principal
from tests.by_hand_runs import HandRun
from tests.clients import Api
from tests.integration.runs.runs_api import run, start, started

PATH = "/v1/sessions"


def begin(caller: Api, **fields: Any) -> str:
    return str(caller.post(PATH, fields).json["id"])


@pytest.mark.requirement("sessions:change")
def test_a_session_is_changed_by_its_owner_and_by_nobody_else(api: Api, colleague: Api, admin: Api) -> None:
    path = f"{PATH}/{begin(api, title='First', manager='default')}"
    before = api.get(path)

    changed = api.patch(path, {"title": "Second", "when_busy": "reject", "manager": None})
    late = api.patch(path, {"title": "Third"}, If_Match=before.headers["etag"])
    same = api.patch(path, {"title": "Second"}, If_Match=changed.headers["etag"])
    by_colleague, by_admin = colleague.patch(path, {"title": "x"}), admin.patch(path, {"title": "x"})
    unknown, wrong = api.patch(path, {"owner_sub": "x"}), api.patch(path, {"when_busy": "wait"})
    seen = api.get(path)

    assert (before.json["when_busy"], before.json["manager"]) == ("enqueue", "default")
    assert (changed.status, changed.json["title"], changed.json["when_busy"]) == (200, "Second", "reject")
    assert (changed.json["manager"], changed.json["version"]) == (None, before.json["version"] + 1)
    assert (late.status, same.status, same.json["version"]) == (412, 200, changed.json["version"])
    assert (by_colleague.status, by_admin.status) == (404, 403)
    assert (unknown.status, wrong.status) == (422, 422)
    assert seen.json == changed.json and seen.headers["etag"] == changed.headers["etag"]


@pytest.mark.requirement("sessions:change")
def test_a_session_that_has_ended_cannot_be_changed(api: Api) -> None:
    path = f"{PATH}/{begin(api)}"
    api.delete(path)

    answer = api.patch(path, {"title": "late"})

    assert (answer.status, answer.json["code"]) == (409, "session_not_active")


@pytest.mark.requirement("sessions:change")
def test_while_a_run_is_open_another_waits_is_refused_or_takes_its_place(api: Api, principal: Principal) -> None:
    session = begin(api)
    first = HandRun(principal, session_id=UUID(session))

    waiting = started(api, session_id=session)
    waits_for = run(api, waiting)["waits_for"]
    api.patch(f"{PATH}/{session}", {"when_busy": "reject"})
    refused = start(api, session_id=session)
    api.patch(f"{PATH}/{session}", {"when_busy": "interrupt"})
    last = started(api, session_id=session)

    assert waits_for == str(first.id)
    assert (refused.status, refused.json["code"]) == (409, "session_busy")
    assert [run(api, str(run_id))["status"] for run_id in (first.id, waiting)] == ["cancelled", "cancelled"]
    assert run(api, last)["status"] in ("queued", "running", "succeeded")
