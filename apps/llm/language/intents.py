"""Which of the platform's categories a request is of (SPEC 7.1): CHAT, GRAPH, SECURITY, ADMIN, DANGEROUS, EXPLAIN."""

import re
from dataclasses import dataclass
from typing import Literal

from apps.llm.language import arithmetic, words

Category = Literal["CHAT", "GRAPH", "SECURITY", "ADMIN", "DANGEROUS", "EXPLAIN"]
CATEGORIES: tuple[Category, ...] = ("CHAT", "GRAPH", "SECURITY", "ADMIN", "DANGEROUS", "EXPLAIN")


@dataclass(frozen=True, slots=True)
class Intent:
    """``confidence`` from 0 to 1; ``because``: the words that decided."""

    category: Category
    confidence: float
    because: str


_GRAPH_NOUNS = words.term_set(
    "user institution task file dataset sample experiment publication gene protein pathway workflow result node"
    " relationship graph label property path neighbor neighbour organism chromosome sequence fasta blast blastdb"
)
_STRONG_GRAPH_NOUNS = _GRAPH_NOUNS - {"user", "file", "task", "result", "path", "label", "property"}
_PLATFORM_NOUNS = words.term_set("job session event error metric model provider tool tenant run health quota cache")
_PROGRAMS = frozenset({"blast", "fasta", "blastdb"})
_ASKING = words.term_set(
    "count list search get average sum max min sort compare which limit degree centrality community connected"
    " shortest group distribution most fewest between"
)
_ADMIN_NOUNS = words.term_set(
    "index constraint node relationship user tenant role label property job model provider key quota setting backup"
    " cache limit session dataset sample gene protein experiment publication file institution task workflow pathway"
    " schema instance worker token policy trigger default config graph database"
)
_ADMIN_VERBS = words.term_set(
    "create update assign grant revoke enable disable configure restart restore import rotat stop start cancel retry"
    " invite promote attach link set delete add backup schedule switch abilita disabilita configura assegna revoca"
    " riavvia concedi schedul pianificare"
)
_CONTAINERS = words.term_set("database graph schema table backup audit everything bucket")
_BREADTH = frozenset({"all"})
_DESTRUCTIVE = frozenset({"delete", "formatta", "shutdown", "nuke", "clear", "reset", "overwrit"})
_DANGEROUS_TEXT = re.compile(
    r"\bdetach\s+delete\b|\bdrop\s+(?:the\s+)?(?:database|graph|table|schema|tenant|user|all|everything)\b"
    r"|\btruncate\b|\brm\s+-rf?\b"
    r"|\bshut\s*down\b|\bspegni\b|\bkill\s+(?:all|every|the\s+(?:server|database|cluster))\b|\bload\s+csv\b"
    r"|\b(?:match\s*\(.{0,200}\bdelete\b)|\bfactory\s+reset\b|\b(?:export|dump|download|esporta|scarica)\s+(?:all"
    r"|everything|the\s+(?:whole|entire)"
    r"|tutti|tutte|tutto|l'intero|l'intera)\b|\bwhile\s+true\b|\b(?:forever|per sempre|endlessly|all'infinito)\b",
    re.IGNORECASE,
)
# Words that ask for destruction by themselves, as a command: not "how do enzymes destroy proteins?".
_RUINOUS = re.compile(
    r"^(?!\W*(?:how|why|what|which|who|when|where|does|do|is|are|come|perché|cosa|quali?)\b)"
    r".{0,400}?\b(?:nuke|wipe(?:\s+out)?|obliterat\w+|annihilat\w+|destroy|purge|raze|rm|get(?:ting)?\s+rid\s+of"
    r"|throw\s+(?:away|out)|clean\s+out|blow\s+away|make\s+\w+(?:\s+\w+){0,3}\s+disappear|sbarazza\w*|fai\s+piazza\s+pulita"
    r"|distrugg\w+|rad(?:i|ere)\s+al\s+suolo)\s+\S+",
    re.IGNORECASE | re.DOTALL,
)
_EMPTIES = re.compile(
    r"\b(?:empty|flush|blank)\s+(?:out\s+)?(?:the|all|every|this|that|our|my)\s+(?:\w+\s+){0,2}(?:database|graph|table|tables"
    r"|bucket|buckets|tenant|queue|queues|store|index|audit|log|logs|everything)\b"
    r"|\b(?:kill|stop|cancel|terminate|abort)\s+(?:all|every|everything)\b"
    r"|\b(?:want|wish|need|like|voglio|vorrei)\b.{0,60}\b(?:gone|deleted|removed|erased|wiped|cancellat\w+|eliminat\w+)\b",
    re.IGNORECASE,
)
# Bulk deletion in the other languages of our users' neighbours: French, Spanish, Portuguese, German.
_DANGEROUS_ABROAD = re.compile(
    r"\b(?:supprim\w+|effac\w+|détrui\w+|borr(?:a|ar|e|en|ad)|elimin(?:a|e|en)|destruy\w+|apag(?:a|ar|ue)|exclu\w+"
    r"|lösch\w*|loesch\w*|vernicht\w*|entfern\w*)\s+(?:\w+\s+){0,2}(?:tou(?:t|te|s|tes)|tod[oa]s?|alles?|aller|sämtliche\w*"
    r"|la\s+base|le\s+graphe|el\s+grafo|die\s+datenbank|den\s+graphen)\b",
    re.IGNORECASE,
)
# A question about what was destroyed, or how: it asks for nothing to be.
_ASKS_ABOUT = re.compile(
    r"^\W*(?:how\s+(?:do|does|did|are|were|is|was|many|much|often)|which|what|who|when|where|why|whose|were|was|did|have|has"
    r"|quali|quale|quanti|quante|chi|quando|perché|come\s+(?:fanno|fa))\b(?!.{0,80}\band\s+(?:then\s+)?(?:delete|remove|drop"
    r"|erase|wipe|purge|destroy)\b)(?!.{0,80}\b(?:e|poi)\s+(?:cancell|elimin))",
    re.IGNORECASE | re.DOTALL,
)
_EXPLAIN = re.compile(
    r"\b(?:do\s+not|don't|but\s+not)\s+(?:run|execut\w+)\b|\b(?:what|which|quale|che)\s+(?:cypher\s+)?query\b"
    r"|\b(?:the\s+)?(?:cypher|query)\s+(?:for|to|that|which|per|che)\b|\bhow\s+(?:expensive|costly)\b|"
    r"\bexplain\b|\bspiega\w*\b|\bspiegazione\b|\bwhat\s+would\s+happen\b|\bcosa\s+succede(?:rebbe)?\b"
    r"|\bdry[- ]run\b|\bprofile\b"
    r"|\bwithout\s+(?:running|executing)\b|\bsenza\s+eseguir\w+|\b(?:query|execution)\s+plan\b"
    r"|\bpiano\s+di\s+esecuzione\b"
    r"|\bhow\s+would\s+you\s+(?:run|query|execute)\b|\bhow\s+(?:do|can|would|should)\s+(?:i|you|we"
    r"|one)\s+(?:delete|drop|remove)"
    r"|\bcome\s+(?:si\s+)?(?:cancell|elimin)\w+",
    re.IGNORECASE,
)
_PERMISSION = re.compile(
    r"\bam\s+i\s+(?:allowed|permitted|authori[sz]ed|able|an?\s+admin)|\b(?:may|can)\s+(?:i|we)\b(?!\s+(?:ask|have"
    r"|see|get)\b)|\bwho\s+am\s+i\b"
    r"|\bwhat\s+(?:am|are)\s+(?:i|we)\s+allowed|\bwho\s+(?:can|may|has\s+(?:the\s+)?(?:access|permission|right))\b|\bposso\b(?!\s+(?:chieder|aver|veder))"
    r"|\bchi\s+sono\s+io\b"
    r"|\bchi\s+(?:può|puo|ha\s+(?:il\s+|l'\s*|i\s+)?(?:access|permess|diritt))|\bsono\s+autorizzat\w+|\bdo\s+i\s+have\b|\bho\s+(?:il\s+permess|i\s+permess|l'access)",
    re.IGNORECASE,
)
_PRIVACY = re.compile(
    r"\b(?:protected|isolated|shielded|kept\s+apart|separat\w+)\s+from\b|\b(?:who|chi)\s+(?:else\s+)?(?:can|may|could|può|puo)\s+"
    r"(?:see|read|access|vedere|leggere)\b|\b(?:may|can|could|do|posso|possono)\s+(?:i|we|others?|other\s+\w+|altri)?\b.{0,60}"
    r"\b(?:other|another|somebody\s+else|someone\s+else|altri|altrui)\b.{0,30}\b(?:jobs?|data|runs?|sessions?|files?|dati)\b"
    r"|\bdenied\b|\b(?:forbidden|unauthori[sz]ed)\b|\bpermesso\s+negato\b",
    re.IGNORECASE,
)
_OF_ROLES = re.compile(
    r"\b(?:can|may|do|does|are|is|could)\s+(?:an?\s+)?(?:viewers?|operators?|curators?|auditors?|guests?|admins?|administrators?"
    r"|researchers?|data\s+engineers?)\b",
    re.IGNORECASE,
)
_COMPOSE = re.compile(
    r"\b(?:write|compose|draft|tell|invent|scrivi|scrivimi|raccontami|inventa)\s+(?:me\s+|us\s+)?(?:an?|some|una?|un')\s*(?:\w+\s+)?"
    r"(?:haiku|poem|joke|story|song|limerick|essay|e-?mail|letter|tale|riddle|poesia|barzelletta|storia|canzone|lettera)\b",
    re.IGNORECASE,
)
_SECURITY_TERMS = words.term_set(
    "permission role scope access audit policy token login password credential rbac security"
    " sicurezza compliance gdpr privacy consent consenso isolation isolamento segret secret vulnerabilit"
)
_GREETING = re.compile(
    r"^\W*(?:hi|hello|hey|good\s+(?:morning|afternoon|evening|night)|howdy|greetings|thanks?(?:\s+you)?"
    r"|many\s+thanks|cheers|bye|goodbye|see\s+you"
    r"|ciao|salve|buon\s?(?:giorno|a\s?sera|asera|anotte|pomeriggio)|buonasera|buonanotte|grazie(?:\s+mille)?"
    r"|arrivederci|a\s+presto"
    r"|ok(?:ay)?|perfect|great|perfetto|va\s+bene)\b",
    re.IGNORECASE,
)
_ABOUT_ITSELF = re.compile(
    r"\bwho\s+are\s+you\b|\bwhat\s+(?:are\s+you|can\s+you\s+do|do\s+you\s+do|is\s+your\s+name)\b"
    r"|\bare\s+you\s+(?:an?\s+|the\s+)?(?:ai|model|real|human"
    r"|bot|robot|neural|gpt|llm|language|person|demo|there)|\byour\s+(?:name|model)\b|\bchi\s+sei\b"
    r"|\b(?:che\s+)?cosa\s+(?:sai|puoi)\s+fare\b"
    r"|\bcome\s+ti\s+chiami\b|\bsei\s+(?:un[ao']?\s*)?(?:modello|umano|robot|bot|intelligenza|ia|una?\s+rete|vero"
    r"|persona)\b|\bhow\s+are\s+you\b|\bcome\s+(?:stai|va)\b"
    r"|\b(?:what|which)\s+(?:llm|model)\s+are\s+you\b|^\W*(?:help|aiuto)\W*$|\bhelp\s+me\W*$|\bcan\s+you\s+help\b"
    r"|\bpuoi\s+aiutarmi\b|\b(?:che|quale)\s+modello\s+sei\b",
    re.IGNORECASE,
)
_TELLS = re.compile(r"^\W*(?:my|our|i|we|i'm|io|mi|il\s+mio|la\s+mia|noi|sono|lavoro|lavoriamo)\s", re.IGNORECASE)
_WRITE_CYPHER = re.compile(
    r"\b(?:create|merge)\s*\(|\bmatch\s*\(.{0,300}\b(?:set|remove|create|merge)\b", re.IGNORECASE | re.DOTALL
)
_MATCH = re.compile(r"\bmatch\s*\(", re.IGNORECASE)
_RETURN = re.compile(r"\breturn\b", re.IGNORECASE)
_SHOWS = re.compile(r"\bcall\s+db\.|\bshow\s+(?:indexes|constraints|schema)\b", re.IGNORECASE)


def is_greeting(text: str) -> bool:
    """Whether the text only greets, thanks or agrees."""
    match = _GREETING.match(text[:300])
    return bool(match) and len(words.terms(text[match.end() : 300])) <= 2  # type: ignore[union-attr]


def is_about_itself(text: str) -> bool:
    """Whether the text asks the assistant what it is or can do."""
    return bool(_ABOUT_ITSELF.search(text[:1_000]))


def asks_for_change(text: str) -> bool:
    """Whether any word of the text, or Cypher in it, asks for something to be changed."""
    said = set(words.all_terms(text))
    return bool(said & (_ADMIN_VERBS | _DESTRUCTIVE) or _WRITE_CYPHER.search(text))


def intent_of(text: str) -> Intent:
    """The category of one request, in English or Italian, or in Cypher."""
    text = text[: words.READ_CHARS]
    said = words.all_terms(text)
    meant = set(said)
    danger = _danger_in(text, said, meant)
    graph_words = [word for word in said if word in _GRAPH_NOUNS]
    explain = _EXPLAIN.search(text)
    asks_of_graph = bool(set(graph_words) - _PROGRAMS)
    about_query = danger or asks_of_graph or meant & {"query", "cypher", "plan"} or _reads_cypher(text)
    if explain and about_query:
        return Intent("EXPLAIN", 0.95 if danger or meant & {"query", "cypher"} else 0.9, explain.group(0))
    if explain and graph_words:
        return Intent("CHAT", 0.8, explain.group(0))  # what BLAST is, not what the graph holds
    permission = _PERMISSION.search(text)
    security = [word for word in said if word in _SECURITY_TERMS]
    if permission and (security or danger or meant & (_ADMIN_VERBS | _ADMIN_NOUNS | {"see", "run"}) or len(meant) < 5):
        return Intent("SECURITY", 0.95 if security else 0.85, permission.group(0))
    if danger:
        return Intent("DANGEROUS", 0.95, danger)
    verbs = [word for word in said[:12] if word in _ADMIN_VERBS]
    nouns = [word for word in said if word in _ADMIN_NOUNS]
    asks = [word for word in said if word in _ASKING]
    if _WRITE_CYPHER.search(text):
        return Intent("ADMIN", 0.95, "Cypher that writes")
    if verbs and nouns and not (set(said[:2]) & (_ASKING | {"how", "quand"})):
        return Intent("ADMIN", 0.9, f"{verbs[0]}, {nouns[0]}")
    if security:
        return Intent("SECURITY", 0.9, security[0])
    if privacy := _PRIVACY.search(text) or _OF_ROLES.search(text):
        return Intent("SECURITY", 0.85, privacy.group(0))
    if composed := _COMPOSE.search(text):
        return Intent("CHAT", 0.85, composed.group(0))
    if is_greeting(text) or is_about_itself(text):
        return Intent("CHAT", 0.95, "a greeting or a question about me")
    if _reads_cypher(text):
        return Intent("GRAPH", 0.95, "Cypher that reads")
    return _graph_or_chat(text, said, graph_words, asks)


def _reads_cypher(text: str) -> bool:
    start = _MATCH.search(text)
    return bool((start and _RETURN.search(text, start.end())) or _SHOWS.search(text))


def _graph_or_chat(text: str, said: list[str], graph_words: list[str], asks: list[str]) -> Intent:
    if arithmetic.find_sum(text) and not graph_words:
        return Intent("CHAT", 0.85, "a sum")
    if graph_words and asks:
        return Intent("GRAPH", 0.95 if set(graph_words) & _STRONG_GRAPH_NOUNS else 0.9, f"{asks[0]}, {graph_words[0]}")
    if graph_words and _TELLS.match(text) and "?" not in text:
        return Intent("CHAT", 0.7, "it tells something")
    if set(graph_words) & _STRONG_GRAPH_NOUNS:
        return Intent("GRAPH", 0.8, graph_words[0])
    platform_words = [word for word in said if word in _PLATFORM_NOUNS]
    if platform_words and asks:
        return Intent("GRAPH", 0.65, f"{asks[0]}, {platform_words[0]}")
    if graph_words:
        return Intent("GRAPH", 0.65, graph_words[0])
    return Intent("CHAT", 0.6, "nothing of the other categories")


def _danger_in(text: str, said: list[str], meant: set[str]) -> str | None:
    match = _DANGEROUS_TEXT.search(text) or _DANGEROUS_ABROAD.search(text) or _EMPTIES.search(text)
    if match:
        return match.group(0)
    match = _RUINOUS.match(text)
    if match:
        return match.group(0)[-60:]
    verb = next((word for word in said if word in _DESTRUCTIVE), None)
    if verb is None:
        return None
    after = said[said.index(verb) + 1 :]
    wide = next((word for word in after if word in _BREADTH or word in _CONTAINERS), None)
    if wide and (wide in _BREADTH or not meant & {"index", "constraint"}):
        return f"{verb} {wide}"
    named = any(any(letter.isdigit() for letter in word) for word in after)
    plural = re.search(
        r"\b(?:nodes|tasks|files|datasets|samples|genes|proteins|users|tenants|relationships|nodi|utenti|geni"
        r"|proteine|relazioni|campioni)\b",
        text,
        re.I,
    )
    if (
        verb == "delete"
        and not _ASKS_ABOUT.match(text)
        and plural
        and not named
        and not re.search(r"\b(?:where|with|whose|named|called|from|dove|con|older|che)\b|['\"=]", text, re.I)
    ):
        return f"{verb} {plural.group(0)}"
    return None
