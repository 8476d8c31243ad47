"""Layer 2: nothing but reading, and only functions that are known by exact name.

That nothing writes is true by construction: the tree has no clause that does, and no procedure can be called in it.
What is left are functions: a server's own may read files, know users, or write.
"""

from collections.abc import Iterable
from typing import Any

from apps.graph.cypher import tree
from apps.graph.cypher.walk import transform
from apps.graph.gate.draft import Draft
from apps.graph.gate.functions import FUNCTIONS, INSTEAD
from apps.graph.gate.names import did_you_mean
from apps.graph.gate.verdict import GateRefusal


def only_known_functions(draft: Draft) -> tuple[Draft, str]:
    """Every function is on the list, with as many arguments as it takes; names get one spelling."""
    query, names = with_known_functions(draft.query, draft.records)
    return draft.with_query(query), f"Reads only; functions: {', '.join(names) or 'none'}."


def with_known_functions(query: Any, records: Iterable[Any]) -> tuple[Any, list[str]]:
    """Any tree with its functions in one spelling, and their names. GateRefusal for one that is not on the list."""
    calls = [part for part in records if type(part) is tree.Call]
    for call in calls:
        check_function(call)
    if any(call.name != FUNCTIONS[call.name.lower()].name or call.name == "exists" for call in calls):
        query = transform(query, _spell)
    return query, sorted({FUNCTIONS[call.name.lower()].name for call in calls})


def check_function(call: tree.Call) -> None:
    """GateRefusal for a function that is not on the list, or with a wrong number of arguments."""
    function = FUNCTIONS.get(call.name.lower())
    if function is None:
        hint = INSTEAD.get(call.name.lower())
        if hint is None and "." in call.name:
            hint = "Functions of modules are not available."
        raise GateRefusal(
            "read-only", f"{call.name}() is not among the allowed functions.", hint or did_you_mean(call.name, _NAMES)
        )
    if not function.least <= len(call.arguments) <= function.most:
        takes = str(function.least) if function.least == function.most else f"{function.least} to {function.most}"
        raise GateRefusal("read-only", f"{function.name}() takes {takes} arguments, not {len(call.arguments)}.")
    if function.name == "exists" and not isinstance(call.arguments[0], tree.Prop):
        raise GateRefusal("read-only", "exists() takes a property or a pattern.", "Write n.name IS NOT NULL.")


def _spell(part: Any) -> Any:
    if not isinstance(part, tree.Call):
        return part
    name = FUNCTIONS[part.name.lower()].name
    if name == "exists":  # not in every server
        return tree.IsNull(part.arguments[0], negated=True)
    return tree.Call(name, part.arguments, part.distinct)


_NAMES = tuple(one.name for one in FUNCTIONS.values())
