"""The schedule. A run that could not be delivered in time is dropped, not piled up."""

from kernel.task_names import TaskName

SCHEDULE = {
    "cleanup": {"task": TaskName.MAINTENANCE_CLEANUP, "schedule": 3600.0, "options": {"expires": 3000}},
    "tokens": {"task": TaskName.MAINTENANCE_TOKENS, "schedule": 3600.0, "options": {"expires": 3000}},
    "partitions": {"task": TaskName.MAINTENANCE_PARTITIONS, "schedule": 3600.0, "options": {"expires": 3000}},
}
