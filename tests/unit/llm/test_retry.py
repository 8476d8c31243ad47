"""What follows from a failure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.llm.failures import FailureKind, ProviderFailure
from apps.llm.resilience import deadline
from apps.llm.resilience.retry import CONSEQUENCES, Allowance, RetryRules, next_wait_s

RULES = RetryRules(base_s=0.25, cap_s=5.0)


def wait(kind: FailureKind, *, tries: int = 1, left_s: float = 60, chance: float = 0.5, after_s: float | None = None):  # type: ignore[no-untyped-def]
    failure = ProviderFailure(kind, "x", retry_after_s=after_s)
    return next_wait_s(failure, tries=tries, max_retries=2, left_s=left_s, chance=chance, rules=RULES)


@pytest.mark.requirement("llm:retries")
def test_every_kind_of_failure_has_its_consequences() -> None:
    assert set(CONSEQUENCES) == set(FailureKind)


@pytest.mark.parametrize(
    "kind",
    [
        FailureKind.AUTH,
        FailureKind.BAD_REQUEST,
        FailureKind.NOT_FOUND,
        FailureKind.CONTEXT_LENGTH,
        FailureKind.CANCELLED,
        FailureKind.CIRCUIT_OPEN,
        FailureKind.BUDGET,
        FailureKind.INTERRUPTED,
    ],
)
@pytest.mark.requirement("llm:retries")
def test_what_would_fail_again_is_not_tried_again(kind: FailureKind) -> None:
    assert wait(kind) is None


@pytest.mark.requirement("llm:retries")
def test_waits_double_with_full_jitter_up_to_the_cap() -> None:
    assert [wait(FailureKind.SERVER, chance=0.0), wait(FailureKind.SERVER, chance=0.999)] == [0.0, 0.999 * 0.25]
    assert wait(FailureKind.SERVER, tries=2, chance=0.5) == 0.25
    assert wait(FailureKind.SERVER, tries=3) is None


@pytest.mark.requirement("llm:retries")
def test_what_the_provider_asks_for_is_waited_for_in_full_or_not_at_all() -> None:
    assert wait(FailureKind.RATE_LIMIT, after_s=3.0) == 3.0
    assert wait(FailureKind.RATE_LIMIT, after_s=5.1) is None
    assert wait(FailureKind.RATE_LIMIT, after_s=3.0, left_s=2.9) is None
    assert wait(FailureKind.RATE_LIMIT, after_s=1e9) is None


@given(
    kind=st.sampled_from(FailureKind),
    tries=st.integers(1, 10),
    left_s=st.floats(0, 100),
    chance=st.floats(0, 1, exclude_max=True),
    after_s=st.none() | st.floats(0, 1e12),
)
@pytest.mark.requirement("llm:retries")
def test_no_wait_is_negative_too_long_or_beyond_the_deadline(
    kind: FailureKind, tries: int, left_s: float, chance: float, after_s: float | None
) -> None:
    seconds = wait(kind, tries=tries, left_s=left_s, chance=chance, after_s=after_s)

    assert seconds is None or 0 <= seconds <= RULES.cap_s
    assert seconds is None or seconds < left_s


@pytest.mark.requirement("llm:gateway-no-storm")
def test_retries_are_few_beside_the_calls() -> None:
    allowance, made = Allowance(5.0, 5.0), 0

    for _ in range(1000):
        allowance = allowance.with_call(0.1)
        if left := allowance.take():
            allowance, made = left, made + 1

    assert made <= 1000 * 0.1 + 5


@given(left_s=st.floats(0, 1000), provider_s=st.floats(0.1, 600), followers=st.integers(0, 5))
@pytest.mark.requirement("llm:gateway-deadline")
def test_a_try_leaves_its_followers_time(left_s: float, provider_s: float, followers: int) -> None:
    seconds = deadline.try_s(left_s=left_s, provider_s=provider_s, followers=followers)

    assert seconds <= max(deadline.AT_LEAST_S, min(provider_s, left_s))
    assert not followers or left_s < 1 or seconds <= 0.6 * left_s
