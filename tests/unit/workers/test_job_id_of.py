"""Which elements of a job queue stand for a job."""

import json
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as some

from workers.transport import JOB_PREFIX, envelope, is_job_queue, job_id_of

ID = str(UUID("1c72ec89-ce6d-4e5e-910c-5a73672ed998"))


@pytest.mark.requirement("queue:bare-ids-in")
@pytest.mark.parametrize(
    "item",
    [
        ID,
        ID.encode(),
        ID.upper(),
        f" {ID}\n",
        json.dumps({"job_id": ID}),
        json.dumps({"job_id": ID, "further": [1]}),
        json.dumps({"headers": {"task": "jobs.run", "id": ID}, "body": "x"}),
        json.dumps(envelope("jobs:queue:demo", ID)),
    ],
)
def test_an_id_is_recognised_in_every_shape_we_promise(item: bytes | str) -> None:
    assert job_id_of(item) == ID


@pytest.mark.requirement("queue:garbage")
@pytest.mark.parametrize(
    "item",
    [
        "", b"\x00", b"\xff\xfe", "null", "true", "[]", "{}", '"x"', "12", ID[:-1], f"{ID} {ID}",
        '{"job_id": null}', '{"job_id": ["x"]}', '{"headers": null}', '{"headers": {"id": "x"}}',
        json.dumps({"headers": {"task": "other.task", "id": ID}}), "[" * 100_000, '{"job_id": 1e999}',
    ],
)  # fmt: skip
def test_everything_else_is_no_job(item: bytes | str) -> None:
    assert job_id_of(item) is None


@pytest.mark.requirement("queue:garbage")
@given(item=some.binary(max_size=200) | some.text(max_size=200))
def test_nothing_at_all_makes_it_fail(item: bytes | str) -> None:
    found = job_id_of(item)

    assert found is None or str(UUID(found)) == found


@pytest.mark.requirement("queue:stock")
@pytest.mark.parametrize("name", ["maintenance", "celery", "jobs", "jobs:queued:x", "x:jobs:queue:demo"])
def test_only_the_prefix_makes_a_job_queue(name: str) -> None:
    assert not is_job_queue(name)
    assert is_job_queue(f"{JOB_PREFIX}{name}")
