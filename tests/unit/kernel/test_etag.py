"""Entity tags: strong ones out, whatever clients make of them in."""

import pytest
from django.test import RequestFactory

from kernel.web.etag import not_modified, strong_etag

TAG = strong_etag("job", 1)


@pytest.mark.requirement("jobs:etag")
def test_a_tag_is_quoted_strong_and_depends_on_every_part() -> None:
    others = {strong_etag("job", 2), strong_etag("job1"), strong_etag("job", 1, None), strong_etag("1", "job")}

    assert TAG.startswith('"')
    assert TAG.endswith('"')
    assert strong_etag("job", 1) == TAG
    assert TAG not in others
    assert len(others) == 4


@pytest.mark.requirement("jobs:etag")
@pytest.mark.parametrize(
    ("header", "holds"),
    [
        (TAG, True),
        (TAG.strip('"'), True),
        (f"W/{TAG}", True),
        (f'"x", {TAG}', True),
        ("*", True),
        ("", False),
        ('"x"', False),
        (TAG[:-2] + '"', False),
        (TAG.upper(), TAG.upper() == TAG),
    ],
)
def test_if_none_match_is_read_leniently(header: str, holds: bool) -> None:
    request = RequestFactory().get("/", headers={"If-None-Match": header})

    assert not_modified(request, TAG) is holds


@pytest.mark.requirement("jobs:etag")
def test_a_request_without_the_header_holds_nothing() -> None:
    assert not_modified(RequestFactory().get("/"), TAG) is False
