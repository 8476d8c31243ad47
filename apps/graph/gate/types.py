"""The type of what an expression gives, where it can be seen."""

from apps.graph.cypher import tree
from apps.graph.gate.things import Known, properties_named
from apps.graph.schema import PropertyType

_TEXTS = ("tolower", "toupper", "trim", "ltrim", "rtrim", "replace", "substring", "left", "right", "tostring", "type")
_GIVES: dict[str, PropertyType] = {
    **dict.fromkeys(_TEXTS, "text"),
    **dict.fromkeys(("tointeger", "size", "length", "count", "sign"), "integer"),
    **dict.fromkeys(("tofloat", "ceil", "floor", "round", "sqrt", "exp", "log", "log10", "sin", "cos", "tan", "asin",
                     "acos", "atan", "atan2", "pi", "e", "rand", "avg"), "decimal"),
    **dict.fromkeys(("split", "labels", "keys"), "texts"),
    **dict.fromkeys(("toboolean", "exists"), "boolean"),
}  # fmt: skip
_AS_ITS_ARGUMENT = frozenset(("abs", "sum", "min", "max", "reverse", "tail"))
_TRUTHS = ("OR", "XOR", "AND", "IN", "STARTS WITH", "ENDS WITH", "CONTAINS", "=~")


def type_of(expression: tree.Expr, known: Known) -> PropertyType | None:
    """None: it cannot be seen."""
    match expression:
        case tree.Const(value):
            return _of_value(value)
        case tree.Param(name):
            return _of_value(known.given.get(name))
        case tree.Var(name):
            return _one({_of_value(value) for value in known.values.get(name, [])})
        case tree.Prop(tree.Var(name), key) if name in known.things:
            types = {one.type for one in properties_named(known.things[name], key)}
            return _one({"text" if type_ in ("date", "time") else type_ for type_ in types})
        case tree.Prop(tree.Var(name), key):
            rows = known.values.get(name, [])
            return _one({_of_value(row.get(key)) if isinstance(row, dict) else None for row in rows})
        case tree.Call(name, arguments) if name.lower() in _AS_ITS_ARGUMENT and arguments:
            return type_of(arguments[0], known)
        case tree.Call(name, arguments) if name.lower() == "coalesce":
            return _one({type_of(one, known) for one in arguments})
        case tree.Call(name):
            return _GIVES.get(name.lower())
        case tree.CountAll():
            return "integer"
        case tree.Unary(operator, operand):
            return "boolean" if operator == "NOT" else type_of(operand, known)
        case tree.Binary(operator, left, right):
            return "boolean" if operator in _TRUTHS else _joined(operator, type_of(left, known), type_of(right, known))
        case tree.Compare() | tree.IsNull() | tree.HasLabels() | tree.Quantifier() | tree.Exists():
            return "boolean"
        case tree.ListOf(items):
            return "texts" if all(type_of(item, known) == "text" for item in items) else None
        case tree.ListComprehension(_, source, _, None):
            return type_of(source, known)
        case tree.Case(_, branches, otherwise):
            results = [result for _, result in branches] + ([] if otherwise is None else [otherwise])
            return _one({type_of(one, known) for one in results})
        case _:
            return None


def _of_value(value: object) -> PropertyType | None:
    match value:
        case bool():
            return "boolean"
        case str():
            return "text"
        case int():
            return "integer"
        case float():
            return "decimal"
        case list() if all(isinstance(one, str) for one in value):
            return "texts"
        case _:
            return None


def _joined(operator: str, left: PropertyType | None, right: PropertyType | None) -> PropertyType | None:
    both = {left, right}
    if operator == "+" and left == "texts" and right in ("texts", "text"):
        return "texts"
    if operator == "+" and both == {"text"}:
        return "text"
    if both == {"integer"} and operator != "^":
        return "integer"
    return "decimal" if both <= {"integer", "decimal"} else None


def _one(types: "set[PropertyType | None]") -> PropertyType | None:
    return types.pop() if len(types) == 1 else None
