"""The message that starts a run is put together without Celery: it must be what Celery itself would send."""

import json
from uuid import uuid4

import pytest

from apps.agents.runs import dispatch
from kernel.redis_client import client
from kernel.task_names import TaskName


@pytest.mark.requirement("runs:dispatch")
def test_a_message_is_what_celery_sends():
    from workers.celery import app

    run_id = str(uuid4())
    key = f"test-{uuid4()}"
    app.send_task(TaskName.RUN_START, args=(run_id,), queue=key)
    theirs = json.loads(client().rpop(key))

    ours = json.loads(dispatch.message(run_id))

    import base64

    assert theirs.keys() == ours.keys()
    assert json.loads(base64.b64decode(theirs["body"])) == json.loads(ours["body"])
    assert ours["headers"].keys() <= theirs["headers"].keys() | {"traceparent", "request_id", "request_correlation_id"}
    same = ("lang", "task", "argsrepr", "kwargsrepr", "parent_id", "group", "ignore_result")
    assert {name: ours["headers"][name] for name in same} == {name: theirs["headers"][name] for name in same}
    assert ours["properties"].keys() <= theirs["properties"].keys() | {"priority"}


def test_what_goes_first_is_taken_first(monkeypatch):
    key = f"test-{uuid4()}"
    monkeypatch.setattr(dispatch, "QUEUE", key)
    ids = [uuid4() for _ in range(4)]

    dispatch.send(ids[:2])
    dispatch.send(ids[2:], first=True)

    taken = [json.loads(client().rpop(key))["headers"]["argsrepr"] for _ in ids]
    assert taken == [repr((str(run_id),)) for run_id in (ids[2], ids[3], ids[0], ids[1])]
