"""The demo provider's sums: exact, small, and never code."""

import pytest

from apps.llm.language.arithmetic import NoSum, work_out


@pytest.mark.requirement("llm:demo-chats")
@pytest.mark.parametrize(
    ("sum_", "result"),
    [
        ("2+3*4", "14"),
        ("(1+2)**3", "27"),
        ("-2^2", "-4"),
        ("7/2", "3.5"),
        ("10 % 4", "2"),
        ("1/3", "0.3333333333"),
        ("2**-1", "0.5"),
    ],
)
def test_sums_are_worked_out(sum_: str, result: str) -> None:
    assert work_out(sum_) == result


@pytest.mark.requirement("llm:demo-bounded")
@pytest.mark.parametrize(
    "sum_", ["9**9**9**9", "1/0", "(" * 300 + "1", "2**65", "0**-1", "-" * 399 + "1", "2 +", "__import__('os')"]
)
def test_sums_that_are_none_or_too_large_are_refused(sum_: str) -> None:
    with pytest.raises(NoSum):
        work_out(sum_)
