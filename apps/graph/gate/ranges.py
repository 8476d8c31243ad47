"""How long a range() may become. Its bounds must be numbers that can be told before the query runs."""

from collections.abc import Callable, Mapping
from typing import Any

from apps.graph.cypher import tree
from apps.graph.gate.limits import Limits
from apps.graph.gate.verdict import GateRefusal


def length_of_range(
    call: tree.Call, parameters: Mapping[str, Any], limits: Limits, count_of: Callable[[tree.Expr], float]
) -> float:
    """Elements of ``range(from, to, step)``. GateRefusal when they cannot be told or are too many.

    A bound is a whole number, a parameter that is one, or a size() or length() with a number added or taken off;
    ``count_of`` estimates the size of the latter's argument.
    """
    bounds = [_bound(argument, parameters, count_of) for argument in call.arguments]
    low, high = bounds[0], bounds[1]
    step = bounds[2] if len(bounds) > 2 else (1.0, 1.0)
    if 0 in step or step[0] != step[1]:
        raise GateRefusal("depth", "The step of range() must be a whole number other than 0.")
    span = high[1] - low[0] if step[0] > 0 else low[1] - high[0]
    length = max(0.0, span // abs(step[0]) + 1)
    if length > limits.range_length:
        raise GateRefusal(
            "depth",
            f"This range() may have {length:.0f} elements; {limits.range_length} are allowed.",
            "Take a smaller range.",
        )
    return max(length, 1.0)


def _bound(
    argument: tree.Expr, parameters: Mapping[str, Any], count_of: Callable[[tree.Expr], float]
) -> tuple[float, float]:  # fmt: skip
    """The least and the most that the number can be."""
    match argument:
        case tree.Const(value) if type(value) is int:
            return float(value), float(value)
        case tree.Param(name):
            value = parameters.get(name)
            if type(value) is int:
                return float(value), float(value)
        case tree.Unary("-", operand):
            least, most = _bound(operand, parameters, count_of)
            return -most, -least
        case tree.Binary("+", left, right):
            one, other = _bound(left, parameters, count_of), _bound(right, parameters, count_of)
            return one[0] + other[0], one[1] + other[1]
        case tree.Binary("-", left, right):
            one, other = _bound(left, parameters, count_of), _bound(right, parameters, count_of)
            return one[0] - other[1], one[1] - other[0]
        case tree.Call("size" | "length", (counted,)):
            return 0.0, count_of(counted)
    raise GateRefusal(
        "depth",
        "How long this range() becomes cannot be told.",
        "Use numbers, parameters, or size(list) with a number added or taken off.",
    )
