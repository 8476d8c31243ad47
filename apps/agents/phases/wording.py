"""What the phases say without a model, in English and Italian."""

_PHRASES: dict[str, tuple[str, str]] = {
    "missing_right": (
        "I did not do that: it needs the permission {permission}, which you do not have. {reason} Ask an administrator"
        " of your tenant for it.",
        "Non l'ho fatto: serve il permesso {permission}, che non hai. {reason} Chiedilo a un amministratore"
        " del tuo tenant.",
    ),
    "refused": (
        "I do not do that: it looks destructive, and such requests are never carried out by an agent, whoever asks."
        " Nothing was changed.",
        "Questo non lo faccio: sembra distruttivo, e richieste simili non vengono mai eseguite da un agente, chiunque"
        " le faccia. Nulla è stato modificato.",
    ),
    "offer": (
        "I can EXPLAIN it instead: this query would select what you meant, and runs nothing until you ask for it.",
        "Posso invece spiegarlo (EXPLAIN): questa query selezionerebbe ciò che intendevi, e non esegue nulla finché non"
        " lo chiedi.",
    ),
    "offer_plain": (
        'I can EXPLAIN it instead: ask "explain what would happen if ..." and I show what it would touch, without'
        " running anything.",
        'Posso invece spiegarlo (EXPLAIN): chiedi "spiega cosa succederebbe se ..." e mostro che cosa toccherebbe,'
        " senza eseguire nulla.",
    ),
    "no_tool": (
        "You may do that ({permission}), but none of the tools of this agent does it. {how}",
        "Puoi farlo ({permission}), ma nessuno degli strumenti di questo agente lo fa. {how}",
    ),
    "how_graph": (
        "Changes of the graph go through the graph's own write path, which shows first what would change.",
        "Le modifiche al grafo passano dal percorso di scrittura del grafo, che mostra prima che cosa cambierebbe.",
    ),
    "how_platform": (
        "It is done through the API (/v1/docs) or the administration pages.",
        "Si fa con l'API (/v1/docs) o nelle pagine di amministrazione.",
    ),
    "who_may": ("{permission} is held by these roles: {roles}.", "{permission} ce l'hanno questi ruoli: {roles}."),
    "you_may": ("Yes, you have the permission {permission}. {reason}", "Sì, hai il permesso {permission}. {reason}"),
    "you_may_not": (
        "No, you do not have the permission {permission}. {reason}",
        "No, non hai il permesso {permission}. {reason}",
    ),
    "who_you_are": (
        "You are {sub}, with the roles: {roles}. You may: {permissions}.",
        "Sei {sub}, con i ruoli: {roles}. Puoi: {permissions}.",
    ),
    "approval": (
        "A person has to decide first whether this call of {tool} is made:\n\n{arguments}\n\nLook at it and decide at"
        " {where}, then resume this run (POST /v1/agent-runs/{run_id}/resume).",
        "Prima una persona deve decidere se fare questa chiamata di {tool}:\n\n{arguments}\n\nGuardala e decidi in"
        " {where}, poi riprendi questa esecuzione (POST /v1/agent-runs/{run_id}/resume).",
    ),
    "arguments_large": (
        "(Its arguments are too large to be shown here; they are all there.)",
        "(I suoi argomenti sono troppo grandi per essere mostrati qui; lì ci sono tutti.)",
    ),
    "found_so_far": ("This is what was found until then.", "Questo è quanto trovato fino ad allora."),
    "step_failed": ("I could not answer this: {reason}", "A questo non ho potuto rispondere: {reason}"),
    "nothing_done": ("Nothing was done.", "Non è stato fatto nulla."),
    "explained": (
        "Nothing was run. This is the query:",
        "Non è stato eseguito nulla. Questa è la query:",
    ),
    "plan_of_query": ("The server would run it like this:", "Il server la eseguirebbe così:"),
    "first_rows": ("The first {count} of them:", "I primi {count}:"),
    "found_rows": ("{count} rows were found.", "Trovate {count} righe."),
    "cut": ("There are more than are shown.", "Ce ne sono altri oltre a quelli mostrati."),
    "tool_gave": ("{tool} answered: {result}", "{tool} ha risposto: {result}"),
    "not_reached": (
        "The run's budget was used up before this was reached.",
        "Il budget dell'esecuzione è finito prima di arrivare qui.",
    ),
    "partial": (
        "The run ended early: {reason} This is what was found until then.",
        "L'esecuzione è finita prima: {reason} Questo è quanto trovato fino ad allora.",
    ),
    "no_model": (
        "No language model answered, so this was put together from the results alone.",
        "Nessun modello linguistico ha risposto: questo testo viene dai soli risultati.",
    ),
}


def say(key: str, italian: bool, /, **parts: object) -> str:
    """The phrase in the language. Parts are text only: nothing in them is a pattern."""
    return _PHRASES[key][italian].format(**parts)
