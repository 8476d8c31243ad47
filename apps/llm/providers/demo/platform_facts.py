"""What the demo provider knows of every platform of this kind: where things are. One line for each subject."""

from apps.llm.language import words

_FACTS: tuple[tuple[str, str, str], ...] = (
    ("job", "A job is started with POST /v1/jobs and followed at GET /v1/jobs/{id}/events; DELETE /v1/jobs/{id}"
            " cancels it.",
     "Un job si avvia con POST /v1/jobs e si segue su GET /v1/jobs/{id}/events; DELETE /v1/jobs/{id} lo annulla."),
    ("session", "Sessions are at /v1/sessions, their steps at /v1/sessions/{id}/steps.",
     "Le sessioni sono in /v1/sessions, i loro passi in /v1/sessions/{id}/steps."),
    ("permission role scope access", "GET /v1/auth/permissions lists what you may do, GET /v1/auth/me says who you"
                                     " are.",
     "GET /v1/auth/permissions elenca che cosa puoi fare, GET /v1/auth/me dice chi sei."),
    ("audit", "The audit log is at GET /v1/admin/audit, for administrators and auditors; /v1/admin/audit/verify"
              " proves it.",
     "Il registro di audit è in GET /v1/admin/audit, per amministratori e auditor; /v1/admin/audit/verify lo prova."),
    ("tenant", "Tenants are at /v1/tenants: platform administrators see all of them, others their own.",
     "I tenant sono in /v1/tenants: gli amministratori della piattaforma li vedono tutti, gli altri il proprio."),
    ("model provider", "Models and providers are at /v1/models; an administrator sets defaults and keys there.",
     "Modelli e fornitori sono in /v1/models; un amministratore vi imposta predefiniti e chiavi."),
    ("health metric", "Health is at /v1/health/ready and /v1/health/components, metrics at /metrics.",
     "Lo stato di salute è in /v1/health/ready e /v1/health/components, le metriche in /metrics."),
    ("document api openapi swagger", "The API is documented at /v1/docs and /v1/openapi.json.",
     "L'API è documentata in /v1/docs e /v1/openapi.json."),
)  # fmt: skip
_BY_TERM = {words.term(word): (english, italian) for marks, english, italian in _FACTS for word in marks.split()}


def fact_about(text: str, italian: bool) -> str | None:
    """The line about the first subject that the text names."""
    for word in words.terms(text)[:60]:
        if word in _BY_TERM:
            return _BY_TERM[word][italian]
    return None
