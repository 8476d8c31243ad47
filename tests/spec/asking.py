"""From a question to an answer: the six stages."""

ASKING: dict[str, tuple[str, str]] = {
    "asking:stages": ("SPEC 8, 3", "Six stages in order, each recorded with its input, output and time."),
    "asking:normalize": (
        "SPEC 8, 3",
        "A question is cleaned of what cannot be seen, and what it speaks of is found: labels, values, numbers, dates.",
    ),
    "asking:catalogue": ("SPEC 8, 3", "A known question gets its known query, whatever the case, plural and synonym."),
    "asking:catalogue-passes": ("issue 5", "Every query of the catalogue passes the gate and runs on the real server."),
    "asking:grammar": ("issue 5", "Without a model, a grammar of the schema builds the query of a question."),
    "asking:every-word": ("issue 5", "A question with a word that means nothing here is refused, and the word named."),
    "asking:no-other-label": (
        "issue 5",
        "What the graph does not relate or hold is refused, never answered about something else.",
    ),
    "asking:accuracy": ("issue 5", "Nine of ten questions are answered right and none about something else."),
    "asking:score-command": ("issue 5", "manage.py score_questions prints accuracy, refusals and time per stage."),
    "asking:destructive": ("SPEC 7.1", "A wish to change the data is refused with the query that would select it."),
    "asking:explain": ("SPEC 7.1", "Explain, and profile without executing, run nothing."),
    "asking:tenant": ("SPEC 2.5", "A question about other tenants is refused, and no answer holds another's data."),
    "asking:model": ("SPEC 8, 3", "A model's query is used after the gate let it through."),
    "asking:repair": ("issue 5", "A query that the gate refuses goes back to the model once, with the gate's words."),
    "asking:model-refused": ("issue 5", "A model's query that stays bad is refused in the gate's words."),
    "asking:hostile-model": (
        "security 2E",
        "A model that writes, names the tenant or another's data gets nothing past the gate.",
    ),
    "asking:fallback": (
        "issue 5",
        "Where the model fails the grammar answers, and the answer says that it is degraded.",
    ),
    "asking:count-bypass": ("SPEC 8, 3", "A count alone becomes its sentence without a model."),
    "asking:table": ("issue 5", "A table becomes a sentence without a model."),
    "asking:summary-is-data": (
        "security 2G",
        "Text in rows stays data, and a summary with numbers or links that are not in them is not used.",
    ),
    "asking:bounded": ("security 2E", "A long or tangled question costs a bounded time."),
}
