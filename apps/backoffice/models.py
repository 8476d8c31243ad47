"""No tables of its own: other apps' rows under another name, so that they get a page of their own."""

from apps.jobs.models import Job
from apps.llm.models import LlmCall


class DeadLetter(Job):
    """A job that failed after its last attempt and awaits somebody's decision."""

    class Meta:
        proxy = True
        verbose_name = "dead letter"


class ModelCall(LlmCall):
    """A call to a language model, in the books."""

    class Meta:
        proxy = True
        verbose_name = "call"
