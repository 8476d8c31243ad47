"""The names that patterns bring."""

from collections.abc import Callable

from apps.graph.cypher import tree
from apps.graph.gate.expressions import Env, Kind, elements, free_names, names_of_path
from apps.graph.gate.names import plain, refuse
from apps.graph.gate.verdict import GateRefusal

Check = Callable[[tree.Expr, Env], None]


def known_with(paths: tuple[tree.Path, ...], env: Env, check: Check) -> Env:
    """What is known after these patterns. Their property maps, which ``check`` looks at, see what was known before."""
    after = dict(env)
    for path in paths:
        for part in elements(path):
            if part.properties is not None:
                _check_map(part.properties, env, paths, check)
    for path in paths:
        for node in path.nodes:
            if node.variable is not None:
                _add(node.variable, "node", after)
        for rel in path.rels:
            if rel.variable is not None:
                if rel.hops is not None and rel.variable in after:
                    raise refuse(f"{rel.variable} is known already.", "Name a path of several hops only once.")
                _add(rel.variable, "relationships" if rel.hops is not None else "relationship", after)
        if path.variable is not None:
            if path.variable in after:
                raise refuse(f"{path.variable} is known already.", "Give the path another name.")
            after[plain(path.variable)] = "path"
    return after


def _check_map(properties: tree.MapOf, env: Env, paths: tuple[tree.Path, ...], check: Check) -> None:
    for _, value in properties.entries:
        try:
            check(value, env)
        except GateRefusal as unknown:
            here = {name for path in paths for name in names_of_path(path)}
            if free_names(value) & here:
                raise refuse(
                    "The properties of a pattern cannot refer to names of the same MATCH.", "Compare them in WHERE."
                ) from unknown
            raise


def _add(name: str, kind: Kind, env: Env) -> None:
    known = env.get(name)
    if known is None:
        env[plain(name)] = kind
    elif known not in (kind, "value"):
        raise refuse(f"{name} is a {known} and cannot be a {kind} as well.", "Choose another name.")
