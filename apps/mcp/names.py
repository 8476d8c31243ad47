"""Names of tools. The protocol takes dots; where a client's model does not, graph_query stands for graph.query."""

from functools import lru_cache

from apps.tools.spec import DECLARED


def shown(name: str, *, underscores: bool) -> str:
    """The tool's name as this client wants it."""
    return name.replace(".", "_") if underscores else name


def meant(name: str) -> str:
    """The tool that a caller means, however it is spelt; the name itself where it is no tool's."""
    return name if "." in name else _spelt_with_underscores(len(DECLARED)).get(name, name)


@lru_cache(maxsize=2)
def _spelt_with_underscores(_declared: int) -> dict[str, str]:
    every = [known for spec in DECLARED.values() for known in (*spec.aliases, spec.name)]
    return {known.replace(".", "_"): known for known in every}
