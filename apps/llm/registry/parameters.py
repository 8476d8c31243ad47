"""What a model instance may send along with every request: settings of the model, never of the call or the connection.

An allow-list: a name that is not here, `messages`, `stream`, `base_url`, `extra_headers` among them, is refused.
"""

import re
from typing import Any

from kernel.errors import ValidationError

# OpenAI's names, those that servers of its kind added, and Ollama's options.
NUMBERS = frozenset({
    "temperature", "top_p", "top_k", "min_p", "typical_p", "tfs_z", "seed", "presence_penalty", "frequency_penalty",
    "repetition_penalty", "repeat_penalty", "repeat_last_n", "length_penalty", "mirostat", "mirostat_eta",
    "mirostat_tau", "num_ctx", "num_keep", "num_batch", "num_gpu", "main_gpu", "num_thread",
})  # fmt: skip
WORDS = frozenset({"reasoning_effort", "verbosity", "service_tier"})
SWITCHES = frozenset({"think", "parallel_tool_calls", "low_vram", "use_mmap", "penalize_newline"})
NAMES = NUMBERS | WORDS | SWITCHES
MOST = 1e15
WORD = re.compile("[A-Za-z0-9]{1,32}")


def checked_parameters(parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters; ValidationError with a fault for each that cannot be one."""
    faults = [fault for name, value in parameters.items() if (fault := _fault(name, value))]
    if faults:
        raise ValidationError("Request validation failed", errors=faults)
    return parameters


def _fault(name: str, value: Any) -> dict[str, Any] | None:
    if name in NUMBERS and isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MOST:
        return None
    if name in WORDS and isinstance(value, str) and WORD.fullmatch(value):
        return None
    if name in SWITCHES and isinstance(value, bool):
        return None
    if name in NAMES:
        kind = "a number" if name in NUMBERS else "a word" if name in WORDS else "true or false"
        return {"loc": ["body", "parameters", name], "msg": f"Input should be {kind}", "type": "parameter_type"}
    return {
        "loc": ["body", "parameters", name[:100]],
        "msg": f"No parameter of a model. Known are {', '.join(sorted(NAMES))}",
        "type": "parameter_unknown",
    }
