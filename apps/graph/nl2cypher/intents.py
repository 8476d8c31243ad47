"""What a question wants done: looked at only, changed, or fetched from where it may not."""

import re

_EXPLAIN = re.compile(
    r"""^(?:please\s+)?(?:explain|profile)\b[\s:,-]*(?:only\b[\s:,-]*)?(?:how\s+you\s+would\s+(?:answer|find)\b[\s:,-]*)?
      |[\s,;(-]*\b(?:but\s+)?(?:do\s+not|don['’]?t|without)\s+(?:execut|run)\w*(?:\s+(?:it|the\s+query|anything))?[\s),.;:-]*
      |[\s,;(]*\bexplain[\s-]only\b[\s):,]*|[\s,;(]*\b(?:just|only)\s+explain\b(?:\s+it)?[\s),:]*
      |^(?:show|give|tell)(?:\s+me)?\s+(?:only\s+)?the\s+(?:query\s+plan|plan|cypher|query)\s+(?:for|of|that)\b[\s:]*""",
    re.IGNORECASE | re.VERBOSE,
)
_CHANGES = (
    "delete", "drop", "remove", "erase", "wipe", "destroy", "truncate", "purge", "update", "set", "change", "modify",
    "rename", "create", "add", "insert", "merge", "alter", "detach", "overwrite", "replace", "assign", "unassign",
    "reset", "kill", "terminate", "shutdown", "grant", "revoke", "edit", "deduplicate", "nuke",
)  # fmt: skip
_CHANGES_WHEN_FIRST = (
    "clear", "mark", "make", "write", "import", "load", "store", "save", "cancel", "stop", "restart", "rerun", "move",
    "copy", "fix", "correct", "index", "reindex", "migrate",
)  # fmt: skip
_ASKING_FOR = (
    r"(?:please|kindly|now|then|also|just|can\s+you|could\s+you|would\s+you|will\s+you|i\s+want\s+(?:you\s+)?to|"
    r"i['’]?d\s+like\s+(?:you\s+)?to|i\s+would\s+like\s+(?:you\s+)?to|i\s+need\s+(?:you\s+)?to|let['’]?s|"
    r"go\s+ahead\s+and|you\s+(?:must|should)|permanently|immediately|quickly)"
)
_FIRST = rf"(?:^|[.;:!?]\s*)(?:{_ASKING_FOR}[\s,]+)*"
_LATER = rf"(?:^|[.;:,!?]\s*|\b(?:and|then|or|but)\s+)(?:{_ASKING_FOR}[\s,]+)*"
_WISHES = tuple(
    re.compile(rf"{where}(?:{'|'.join(verbs)})\b(?!\s*['’]s)\s+(?P<rest>.+)", re.IGNORECASE | re.DOTALL)
    for where, verbs in ((_LATER, _CHANGES), (_FIRST, _CHANGES_WHEN_FIRST))
)
_CYPHER_CHANGE = re.compile(
    r"\b(?:detach\s+delete|delete\s+\w+\s*$|merge\s*\(|create\s*\(|set\s+\w+\.\w+\s*=|remove\s+\w+[.:]|load\s+csv|drop\s+(?:index|constraint|graph|database))",
    re.IGNORECASE,
)
_ELSEWHERE = re.compile(
    r"\b(?:tenants?|tenant[\s_-]?id|(?:other|another|different|all)\s+(?:customers?|organi[sz]ations?['’]?s?\s+data|clients?)|cross[\s-]tenant)\b",
    re.IGNORECASE,
)


def without_explain(text: str) -> tuple[bool, str]:
    """Whether nothing may run ("explain", "profile, do not execute"), and the question without those words."""
    left = _EXPLAIN.sub(" ", text)
    stripped = re.sub(r"\s+", " ", left).strip(" ,:;")
    return stripped != text, stripped if stripped != text else text


def destructive_wish(text: str) -> str:
    """What is to be changed, as a question for it: "delete all failed tasks" -> "all failed tasks". The empty text when
    nothing is: "files created by blast tasks" tells, it does not order."""
    for wish in _WISHES:
        found = wish.search(_without_quotes(text))
        if found is not None:
            return text[found.start("rest") :].strip()
    return text if _CYPHER_CHANGE.search(text) else ""


def asks_elsewhere(text: str) -> bool:
    """Whether the question speaks of tenants: what is asked is always the asker's own."""
    return _ELSEWHERE.search(_without_quotes(text)) is not None


def _without_quotes(text: str) -> str:
    """The same length, with quoted values blanked: a file may be called 'delete me'."""
    return re.sub(r"\"[^\"]*\"|(?<!\w)'[^']+'(?!\w)|“[^”]*”", lambda found: "_" * len(found[0]), text)
