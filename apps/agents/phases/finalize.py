"""Phase 4: the answer (SPEC 7.1): what the steps found, in words, scrubbed; refusals with what can be done instead.

    >>> finalize(view, ports).text
    'I do not do that: it looks destructive, ...'

Modes: ``fallback-only`` puts the text together from the results; ``llm-best-effort`` lets a model write it where there
is more than one result, and falls back, saying so, when none answers.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from apps.agents.phases import links, messages, results, rights
from apps.agents.phases.results import Finding
from apps.agents.phases.wording import say
from apps.agents.prompts import texts
from apps.agents.types import Final, Ports, RunView
from apps.llm.errors import CompletionError
from apps.llm.language import words
from kernel.errors import PlatformError

TEXT_CHARS = 100_000
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def finalize(view: RunView, ports: Ports) -> Final:
    """The end of a run whose steps are done. Never fails for want of a model."""
    ports.checkpoint()
    italian = words.is_italian(view.prompt)
    found = results.findings(view)
    category = view.intent.category if view.intent else "CHAT"
    if category == "DANGEROUS":
        return _told(_refusal(found, italian=italian), found, ports, view, view.warnings, refused=True)
    if view.intent is not None and view.intent.missing:
        sentence = rights.missing_sentence(view, view.intent.missing, italian=italian)
        return _told(sentence, found, ports, view, view.warnings, refused=True)
    if not found:
        return _told(say("nothing_done", italian), found, ports, view, view.warnings)
    if all(finding.broke for finding in found):
        return _failed(found, view, ports, italian=italian)
    return _answered(view, found, ports, italian=italian)


def partial(
    view: RunView, error: PlatformError, scrub: Any = None, *, link_hosts: frozenset[str] = frozenset()
) -> Final:
    """The end of a run that must stop early (a spent budget, its time over, an approval that it needs): what was found
    until then, by no model."""
    italian = words.is_italian(view.prompt)
    found = results.findings(view)
    counts = _counts(view, found)
    if "approval_id" in error.extra:
        whole = _wanted(view, error, found, italian=italian)
    else:
        text = results.in_words(found, italian=italian) if found else say("not_reached", italian)
        whole = f"{say('partial', italian, reason=error.detail)}\n\n{text}"
    final = Final(
        text=whole,
        outputs=({"type": "text", "text": whole}, *results.outputs_of(found)),
        succeeded=False,
        degraded=True,
        error={"message": error.detail, "reason": error.code, "failure_type": error.code} | counts | error.extra,
        warnings=view.warnings,
    )
    return _clean(final, scrub or (lambda value: value), links.hosts_of(view.prompt) | link_hosts)


def _wanted(view: RunView, error: PlatformError, found: Sequence[Finding], *, italian: bool) -> str:
    """What the run would do, all of it, and where a person decides (R31); then what was found until then."""
    said = error.extra
    arguments = say("arguments_large", italian) if said["arguments"] is None else shown_plainly(said["arguments"])
    asked = say(
        "approval", italian, tool=said["tool"], arguments=arguments, where=said["approve_at"], run_id=view.run_id
    )
    return "\n\n".join(
        [asked, *([say("found_so_far", italian), results.in_words(found, italian=italian)] if found else [])]
    )


def shown_plainly(arguments: Any) -> str:
    """JSON for the eye of who decides: nothing in it is invisible, changes direction or ends the block (attack 113)."""
    text = json.dumps(arguments, ensure_ascii=False, indent=1)
    shown = "".join(sign if _is_plain(sign) else json.dumps(sign)[1:-1] for sign in text)
    for sign in "`<>":
        shown = shown.replace(sign, f"\\u{ord(sign):04x}")
    return f"```json\n{shown}\n```"


def _is_plain(sign: str) -> bool:
    return sign.isprintable() or sign == "\n"


def canonical(view: RunView, final: Final, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """SPEC 7.1's structure of a finished run: {goal, steps[], outputs[], todos[], metrics}."""
    return {
        "goal": view.prompt,
        "text": final.text,
        "outputs": [dict(output) for output in final.outputs],
        "steps": [
            {"id": str(record.id), "index": record.index, "attempt": record.attempt, "action": record.action,
             "status": record.status, "latency_ms": record.latency_ms}
            for record in view.steps
        ],
        "todos": [{"task": todo.task, "kind": todo.kind, "status": todo.status, "evidence": list(todo.evidence)}
                  for todo in view.todos],
        "metrics": dict(metrics),
        "refused": final.refused,
        "degraded": final.degraded,
    }  # fmt: skip


def _refusal(found: Sequence[Finding], *, italian: bool) -> str:
    offered = next((finding for finding in found if finding.todo.kind == "explain" and finding.ok), None)
    code = results.code_of(offered.output) if offered else ""
    if not code:
        return f"{say('refused', italian)} {say('offer_plain', italian)}"
    return f"{say('refused', italian)}\n\n{say('offer', italian)}\n\n{code}"


def _answered(view: RunView, found: Sequence[Finding], ports: Ports, *, italian: bool) -> Final:
    fallback = results.in_words(found, italian=italian)
    failures = (f"{finding.todo.task}: {finding.reason}" for finding in found if not finding.ok)
    warnings = tuple(dict.fromkeys((*view.warnings, *failures)))
    is_degraded = any(finding.broke or finding.output.get("degraded") for finding in found)
    refused = all(not finding.ok and (finding.record.error or {}).get("code") == "forbidden" for finding in found)
    if refused and any(finding.todo.kind == "tool" for finding in found):  # the plan had only what was allowed then
        return _failed(found, view, ports, italian=italian)
    if len(found) == 1 or view.agent.response_mode == "fallback-only":
        said = len(found) == 1 and bool(found[0].output.get("said"))
        return _told(fallback, found, ports, view, warnings, degraded=is_degraded, refused=refused, said=said)
    asked = messages.with_data(_system(view), view.prompt, results=results.as_data(found, italian=italian))
    try:
        text = ports.complete(asked, purpose="respond", say=ports.say).text.strip()
    except CompletionError as error:
        text, is_degraded = "", True
        warnings += (f"{say('no_model', italian)} ({error.code})",)
    unfounded = _unfounded(text, asked[-1].content)
    if unfounded:
        warnings += (f"The answer names numbers that are in no result: {', '.join(unfounded[:5])}.",)
    return _told(text or fallback, found, ports, view, warnings, degraded=is_degraded, said=bool(text))


def _system(view: RunView) -> str:
    return "\n\n".join(part for part in (view.agent.system_prompt.strip(), texts.RESPOND) if part)


def _unfounded(text: str, given: str) -> list[str]:
    """Numbers of the answer that were not given; small ones may count its own parts."""
    known = set(_NUMBER.findall(given))
    plain = {number.replace(",", "").replace(".", "") for number in known}
    found = [number for number in dict.fromkeys(_NUMBER.findall(text)) if number not in known]
    return [number for number in found if len(number) > 1 and number.replace(",", "").replace(".", "") not in plain]


def _failed(found: Sequence[Finding], view: RunView, ports: Ports, *, italian: bool) -> Final:
    last = found[-1]
    error = {"message": last.reason, "reason": str((last.record.error or {}).get("code") or "step_failed"),
             "failure_type": "steps_failed", **_counts(view, found)}  # fmt: skip
    told = _told(results.in_words(found, italian=italian), found, ports, view, view.warnings, degraded=True)
    return Final(told.text, told.outputs, False, False, True, ports.scrub(error), told.warnings)


def _counts(view: RunView, found: Sequence[Finding]) -> dict[str, int]:
    done = sum(finding.ok for finding in found)
    return {"todos_completed": done, "todos_failed": len(found) - done, "todos_total": len(view.todos)}


def _told(
    text: str, found: Sequence[Finding], ports: Ports, view: RunView, warnings: tuple[str, ...] = (), *,
    degraded: bool = False, refused: bool = False, said: bool = False,
) -> Final:  # fmt: skip
    """The end, clean; told to those who listen unless they heard it already."""
    final = Final(
        text=text[:TEXT_CHARS],
        outputs=({"type": "text", "text": text[:TEXT_CHARS]}, *results.outputs_of(found)),
        refused=refused,
        degraded=degraded,
        warnings=warnings,
    )
    if not said:
        ports.say(text[:TEXT_CHARS])
    return _clean(final, ports.scrub, links.hosts_of(view.prompt) | ports.link_hosts)


def _clean(final: Final, scrub: Any, hosts: frozenset[str]) -> Final:
    """Without personal data; and what people read leads nowhere that nobody named."""
    clean = scrub({"text": final.text, "outputs": list(final.outputs), "warnings": list(final.warnings),
                   "error": final.error})  # fmt: skip
    text = links.defuse(clean["text"], hosts)
    outputs = ({**clean["outputs"][0], "text": text}, *clean["outputs"][1:])
    warnings = tuple(links.defuse(warning, hosts) for warning in clean["warnings"])
    return Final(text, outputs, final.succeeded, final.refused, final.degraded, clean["error"], warnings)
