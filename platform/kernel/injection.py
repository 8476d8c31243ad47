"""Text that has no business in an identifier: pieces of SQL, Cypher, shell, templates, paths, and invisible characters.

For names, ids and filters only. Free text is never judged: a question about DROP TABLE is a question. Nothing relies on
this alone; values travel as parameters everywhere. It turns an attack into a refusal that says which field it was in.
Every repetition that could begin anywhere is bounded: the time grows with the text's length, not with its square.
"""

import re

_PLAIN = re.compile(r"[A-Za-z0-9_:@+=,-]+(?:\.[A-Za-z0-9_:@+=,-]+)*").fullmatch
_KINDS = {
    "control characters": re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"),
    "path traversal": re.compile(
        r"(?:^|[/\\])\.\.(?:[/\\]|$)|%2e%2e|%00|^(?:file|gopher|dict|php|jar):", re.IGNORECASE
    ),
    "template": re.compile(r"\{\{|\{%|\$\{|#\{|<%|<\?|<[a-z/!]", re.IGNORECASE),
    "cypher": re.compile(
        r"\b(?:detach\s+delete|load\s+csv|(?:optional\s+)?match\s*\(|merge\s*\(|create\s*\(|unwind\s+\S+\s+as"
        r"|call\s+(?:\{|[a-z_]\w*\.\w)|remove\s+\w+\.|return\s+\w+\s*(?:;|//|limit\b|$))"
        r"|[)}\]]\s*(?:detach|delete|set|return|with|match|where|create|merge)\b",
        re.IGNORECASE,
    ),
    "sql": re.compile(
        r"\b(?:union\s+(?:all\s+)?select|select\b.{1,300}?\bfrom|insert\s+into|delete\s+from|update\s+\w+\s+set"
        r"|(?:drop|alter|truncate|create)\s+(?:table|database|schema|role|user|view|index|function)"
        r"|pg_sleep|sleep\s*\(|benchmark\s*\(|waitfor\s+delay|xp_\w+|information_schema|pg_catalog)\b"
        r"|['\"`)]\s*(?:or|and|union|having|group\s+by|order\s+by)\b|\b(?:or|and)\s+(['\"]?)\w+\1\s*=\s*\1\w+"
        r"|['\"`;]\s*--|--\s*$|/\*|\*/|;\s*(?:drop|delete|insert|update|alter|create|truncate|exec|select|grant)\b",
        re.IGNORECASE,
    ),
    "command": re.compile(
        r"\$\(|`|[;|&\n]\s{0,30}(?:/\w+){0,10}/?(?:rm|cat|ls|id|whoami|curl|wget|nc|ncat|bash|sh|zsh|python\d?|perl|ruby|php|ping"
        r"|chmod|chown|sudo|kill|powershell|cmd|echo|env|touch|sleep|nslookup|dig|eval|exec)\b|\|\||&&|>\s*/|<\s*/",
        re.IGNORECASE,
    ),
}


def find(text: str) -> str | None:
    """What the text looks like: "sql", "cypher", "command", "template", "path traversal", "control characters"."""
    if _PLAIN(text):
        return None
    return next((kind for kind, pattern in _KINDS.items() if pattern.search(text)), None)
