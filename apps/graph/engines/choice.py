"""Which dialect a server speaks, from what it says of itself."""

from apps.graph.engines.arcadedb import ArcadeDB
from apps.graph.engines.dialect import Dialect
from apps.graph.engines.memgraph import Memgraph
from apps.graph.engines.neo4j5 import Neo4j

WHO_ARE_YOU = "CALL dbms.components() YIELD name RETURN name"
"""Asked of a server that calls itself Neo4j: Memgraph may, too (--bolt-server-name-for-init), and refuses this."""


def by_agent(agent: str) -> Dialect | None:
    """The dialect of a server whose handshake said ``agent``; None when it must be asked more (WHO_ARE_YOU)."""
    if "ArcadeDB" in agent:
        return ArcadeDB()
    if "Memgraph" in agent:
        return Memgraph()
    return None


def by_components(names: list[str] | None) -> Dialect:
    """The dialect of a server that answered WHO_ARE_YOU with these names, or refused to (None)."""
    return Neo4j() if names and any(name.startswith("Neo4j") for name in names) else Memgraph()
