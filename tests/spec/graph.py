"""The graph: its door, dialects, schema, seed data, import and export, REST."""

GRAPH: dict[str, tuple[str, str]] = {
    "graph:read": ("issue 5", "A query's rows come ready for JSON, and as nodes and edges for drawing."),
    "graph:read-only": ("security R27", "Nothing that comes by the reading way changes the graph."),
    "graph:timeout": ("SPEC 8", "A query that takes too long is ended on the server, which is idle afterwards."),
    "graph:cancel": ("issue 5", "A query that nobody wants any more is ended on the server."),
    "graph:rows": (
        "SPEC 8",
        "Rows and bytes beyond the limits are not fetched, and the answer says that there are more.",
    ),
    "graph:tenant-wall": (
        "security R28",
        "An answer that holds anything of another tenant, or of none, is thrown away.",
    ),
    "graph:wall-audited": ("security R28", "An answer that was thrown away leaves an audit row and is counted."),
    "graph:errors": (
        "security 89",
        "An error of the graph tells a caller what to do and nothing of what is in the graph.",
    ),
    "graph:away": ("security F24", "A graph that is away, or frozen, costs one caller a wait and the others none."),
    "graph:recovers": ("security F24", "A graph that is back is used again within seconds, without anybody's doing."),
    "graph:stale": (
        "security F25",
        "A graph that was emptied, exchanged or restored from an older copy is noticed and said.",
    ),
    "graph:hung-up": ("issue 5", "A read that the server hung up on is asked once more, and a change is not."),
    "graph:bulkhead": ("security F24", "A process has at most eight queries under way."),
    "graph:write": ("issue 5", "A change is whole or absent, tells its counts, and can be tried without being made."),
    "graph:races": ("issue 5", "Changes that race for one node make it once, and none is lost."),
    "graph:explain": ("SPEC 8", "EXPLAIN gives the server's plan and runs nothing."),
    "graph:dialects": ("issue 5", "What differs between ArcadeDB, Memgraph and Neo4j is in one module for each."),
    "graph:laying": (
        "issue 5",
        "Constraints and indexes of every label are made in the server's dialect, any number of times.",
    ),
    "graph:seed": (
        "issue 5",
        "Seeding makes a believable graph of every label and relationship, the same for the same seed.",
    ),
    "graph:seed-streams": ("issue 5", "Seed data of any size are a stream that does not fill the memory."),
    "graph:transfer": (
        "issue 5",
        "A graph that is exported and imported again is the same, as JSON lines, CSV and Cypher.",
    ),
    "graph:transfer-again": ("issue 5", "Importing what is there already changes nothing."),
    "graph:import-resumes": (
        "issue 5",
        "An import that was killed goes on where it stopped, and the graph ends the same.",
    ),
    "graph:export-resumes": ("issue 5", "An export that was interrupted goes on, and the file ends the same."),
    "graph:import-refuses": (
        "security 97",
        "An import takes only what the schema knows and is nobody else's, and names the line.",
    ),
    "graph:import-own-tenant": ("security 97", "No file can name or change another tenant's node."),
    "graph:counts": ("issue 5", "Nodes and relationships of a tenant are counted by label and type."),
    "graph:erased-with-tenant": ("SPEC 9.1", "A deleted tenant's graph is exported and erased with it."),
    "graph:transfer-exact": ("issue 5", "What an export writes, an import reads back the same, whatever is in it."),
    "graph:import-cypher-runs-nothing": (
        "security 97",
        "A file of Cypher is read as data, and no statement of it is run.",
    ),
    "graph:seed-again": ("issue 5", "Seeding again changes nothing."),
    # -- /v1/graph
    "graph:query-api": ("SPEC 3", "A query answers rows, a drawing, and the text that really ran."),
    "graph:paging": ("issue 5", "An ordered query is read page by page without a gap; more rows are said to be there."),
    "graph:same-gate": ("issue 5", "Every path into the graph has the same gate, and its refusals are audited."),
    "graph:explain-api": ("SPEC 7.1", "Explaining a query or a question runs nothing."),
    "graph:ask-api": ("SPEC 8", "A question is answered with its query and rows, or refused with a reason."),
    "graph:schema-api": ("SPEC 9.3", "The schema names 14 labels and 4 types, with the tenant's own numbers."),
    "graph:api-rights": ("SPEC 2.3", "Who may read the graph and who may change it is the matrix's."),
    "graph:api-tenants": ("SPEC 2.5", "Nothing of another tenant's graph reaches a caller by any path."),
    "graph:changes": ("issue 5", "A change is shown first and made once, by whom it was shown to, within minutes."),
    "graph:api-input": ("SPEC 2.6", "Wrong input to the graph is refused with a reason."),
}
