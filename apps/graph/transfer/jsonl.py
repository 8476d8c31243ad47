"""JSON lines, as APOC's export writes them:

{"type": "node", "id": UID, "labels": ["Task", "Blast"], "properties": {...}}
{"type": "relationship", "label": "RUNS", "start": {"id": UID}, "end": {"id": UID}, "properties": {...}}
"""

import json
from collections.abc import Iterator
from typing import Any

from apps.graph.records import Node, Record, RecordError
from apps.graph.transfer.formats import Format, Raw, RawEdge, RawNode
from apps.graph.transfer.sections import Section


class JsonLines(Format):
    name = "jsonl"

    def file_name(self, section: Section) -> str:
        return ""

    def head(self, section: Section) -> str:
        return ""

    def line(self, section: Section, record: Record) -> str:
        shown: dict[str, Any]
        if isinstance(record, Node):
            shown = {"type": "node", "id": record.uid, "labels": list(record.labels)}
        else:
            shown = {
                "type": "relationship",
                "label": record.type,
                "start": {"id": record.start},
                "end": {"id": record.end},
            }
        shown["properties"] = dict(record.properties)
        return json.dumps(shown, ensure_ascii=False, separators=(",", ":")) + "\n"

    def read(self, lines: Iterator[str], section: Section | None, heading: str) -> Iterator[Raw | None]:
        for line in lines:
            yield _record(line) if line.strip() else None


def _record(line: str) -> Raw:
    try:
        said = json.loads(line, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise RecordError("this is not JSON") from error
    if not isinstance(said, dict):
        raise RecordError("this is not a JSON object")
    properties = said.get("properties", {})
    if not isinstance(properties, dict):
        raise RecordError("properties are an object")
    if "tenant_id" in said:
        properties = {**properties, "tenant_id": said["tenant_id"]}
    if said.get("type") == "node":
        labels = said.get("labels")
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            raise RecordError("labels are a list of texts")
        return RawNode(labels, said.get("id"), properties)
    if said.get("type") == "relationship":
        type_, start, end = said.get("label"), said.get("start"), said.get("end")
        if not isinstance(type_, str) or not isinstance(start, dict) or not isinstance(end, dict):
            raise RecordError("a relationship has a label, a start and an end")
        return RawEdge(type_, start.get("id"), end.get("id"), properties)
    raise RecordError('type is "node" or "relationship"')


def _refuse(name: str) -> Any:
    raise ValueError(name)
