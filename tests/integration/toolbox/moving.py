"""What the tests of tools that move data share: files of a caller's, and the graph as the server keeps it."""

from typing import Any
from uuid import UUID

from apps.files import disk
from apps.files.receiving import Upload, receive
from apps.graph import client
from apps.graph.loading import load
from apps.graph.records import Edge, Node
from apps.graph.uids import uid_for
from apps.identity.principal import Principal

GENES = "id,symbol,name,chromosome\ng1,TP53,tumor protein p53,17\ng2,BRCA1,breast cancer 1,17\n"


def gene(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"g{number}", "symbol": f"GENE{number}", "name": f"gene {number}", "chromosome": "1", **more}


def sent(principal: Principal, content: str | bytes, name: str = "table.csv") -> str:
    """The id of a file of the caller's."""
    data = content.encode() if isinstance(content, str) else content
    return str(receive(principal, Upload(name, "text/plain"), iter([data])).id)


def content_of(principal: Principal, file_id: str) -> bytes:
    return disk.content(principal.tenant_id, UUID(file_id)).read_bytes()


def stored(principal: Principal, label: str) -> list[dict[str, Any]]:
    """The tenant's nodes of a label as the server keeps them, in order of their key."""
    text = f"MATCH (n:{label}) WHERE n.tenant_id = $tenant RETURN properties(n) AS properties"
    rows = client.read(text, {"tenant": str(principal.tenant_id)}, tenant_id=principal.tenant_id).rows
    return sorted((row[0] for row in rows), key=str)


def sow_genes(principal: Principal, number: int) -> None:
    load(principal.tenant_id, [Node("Gene", uid_for(principal.tenant_id, f"gene {n}"), gene(n)) for n in range(number)])


def sow_work(principal: Principal) -> None:
    """Two people who run two tasks."""
    tenant_id = principal.tenant_id
    people = [Node("User", uid_for(tenant_id, f"user {n}"), {
        "user_id": str(n), "firstName": "A", "lastName": "B", "user_name": f"ab{n}", "email": f"ab{n}@example.org",
    }) for n in range(2)]  # fmt: skip
    tasks = [
        Node("Task", uid_for(tenant_id, f"task {n}"), {
            "task_id": f"t{n}", "status": "completed", "start": f"202{n}-01-01T00:00:00Z",
        })
        for n in range(2)
    ]  # fmt: skip
    runs = [Edge("RUNS", one.uid, other.uid) for one, other in zip(people, tasks, strict=True)]
    load(tenant_id, [*people, *tasks, *runs])
