"""The formats by name, and by the name of a file."""

from pathlib import Path

from apps.graph.errors import TransferRefusedError
from apps.graph.transfer.csv_table import Csv
from apps.graph.transfer.cypher_text import CypherText
from apps.graph.transfer.formats import Format
from apps.graph.transfer.jsonl import JsonLines

FORMATS: dict[str, Format] = {one.name: one for one in (JsonLines(), Csv(), CypherText())}
ENDINGS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".cypher": "cypher", ".cql": "cypher"}


def format_for(path: Path, name: str = "") -> Format:
    """The format called ``name``; without one, by the path's ending, a directory being CSV."""
    name = name or ENDINGS.get(path.suffix.lower(), "csv" if path.is_dir() or not path.suffix else "")
    if name not in FORMATS:
        raise TransferRefusedError(f"Say which format {path.name} is of: {', '.join(FORMATS)}.")
    return FORMATS[name]
