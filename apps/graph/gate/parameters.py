"""The values that come with a query: JSON's kinds, of bounded size, under plain names."""

import math
from collections.abc import Mapping
from typing import Any

from apps.graph.gate.limits import Limits
from apps.graph.gate.names import is_plain
from apps.graph.gate.verdict import GateRefusal

_EACH_BYTES = 8


def check(parameters: Mapping[str, Any], limits: Limits) -> None:
    """GateRefusal for a name or a value that a server could read in more than one way, or that is too large."""
    if len(parameters) > limits.parameters:
        raise _refuse(f"A query may have {limits.parameters} parameters at most.")
    total = 0
    for name, value in parameters.items():
        if not isinstance(name, str) or not is_plain(name):
            raise _refuse(f"{str(name)[:60]!r} cannot be the name of a parameter.")
        total += _size(name, value, limits.parameter_depth)
        if total > limits.parameters_bytes:
            raise _refuse(f"The parameters are larger than {limits.parameters_bytes} bytes together.")


def _size(name: str, value: Any, depth: int) -> int:
    if depth == 0:
        raise _refuse(f"The parameter {name} is nested too deeply.")
    if value is None or isinstance(value, bool):
        return _EACH_BYTES
    if isinstance(value, str):
        return len(_encoded(name, value)) + _EACH_BYTES
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise _refuse(f"The parameter {name} is a number beyond 64 bits.")
        return _EACH_BYTES
    if isinstance(value, float):
        if not math.isfinite(value):
            raise _refuse(f"The parameter {name} is not a finite number.")
        return _EACH_BYTES
    if isinstance(value, list):
        return _EACH_BYTES + sum(_size(name, one, depth - 1) for one in value)
    if isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            raise _refuse(f"The parameter {name} is a map with keys that are no texts.")
        return _EACH_BYTES + sum(len(_encoded(name, key)) + _size(name, one, depth - 1) for key, one in value.items())
    raise _refuse(f"The parameter {name} is none of: text, number, true, false, null, list, map.")


def _encoded(name: str, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise _refuse(f"The parameter {name} holds half a character.") from error


def _refuse(message: str) -> GateRefusal:
    return GateRefusal("syntax", message)
