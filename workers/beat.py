"""The schedule. A run that could not be delivered in time is dropped, not piled up."""

from django.conf import settings

from kernel.task_names import TaskName

SCHEDULE = {
    "cleanup": {"task": TaskName.MAINTENANCE_CLEANUP, "schedule": 3600.0, "options": {"expires": 3000}},
    "tokens": {"task": TaskName.MAINTENANCE_TOKENS, "schedule": 3600.0, "options": {"expires": 3000}},
    "partitions": {"task": TaskName.MAINTENANCE_PARTITIONS, "schedule": 3600.0, "options": {"expires": 3000}},
    "providers": {
        "task": TaskName.MAINTENANCE_PROVIDERS,
        "schedule": settings.LLM_PROVIDER_CHECK_S,
        "options": {"expires": settings.LLM_PROVIDER_CHECK_S * 0.9},
    },
    "lost-calls": {"task": TaskName.MAINTENANCE_LOST_CALLS, "schedule": 30.0, "options": {"expires": 25}},
}
