"""The graph: where it is, who reads and who writes, how long and how much a query may take."""

from config.env import env

GRAPH_URL = env.url("GRAPH_URL", None, "The graph over Bolt.", ("bolt", "bolt+s", "neo4j", "neo4j+s"))
GRAPH_AUTH = (
    env.text("AGENTIC_GRAPH_USER", "", "Bolt user that may write."),
    env.secret("AGENTIC_GRAPH_PASSWORD", "", "Its password."),
)
GRAPH_READER_AUTH = (
    env.text("AGENTIC_GRAPH_READER_USER", "", "Bolt user that may only read."),
    env.secret("AGENTIC_GRAPH_READER_PASSWORD", "", "Its password."),
)
GRAPH_TIMEOUT_S = env.number("AGENTIC_GRAPH_TIMEOUT_S", 5.0, "Seconds a query of the graph may take.", 0.1)
GRAPH_ROW_LIMIT = 1000  # rows of one answer
GRAPH_ANSWER_BYTES = 4 << 20  # of one answer, roughly; further rows are not fetched
GRAPH_CONNECT_S = 2.0  # to connect, and to be answered when seeing whether the server is back
GRAPH_AT_ONCE = 8  # queries under way, for each process
GRAPH_SLOT_WAIT_S = 1.0  # how long a query waits for its turn
GRAPH_AWAY_S = 2.0  # how long a server that was away is left alone before one query tries it
GRAPH_EPOCH_CHECK_S = 3.0  # how old a process's knowledge of the graph's epoch may be
