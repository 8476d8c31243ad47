"""Who may create a job of a type that is not everybody's, and what else such a type asks before a job is accepted.

An app above this one brings its type's check along when Django is set up (apps/jobs/checks.py).
"""

from typing import Any
from uuid import UUID

from apps.identity import rbac
from apps.identity.principal import Principal
from apps.jobs.checks import CHECKS
from apps.jobs.types import JOB_TYPES, PUBLIC_TYPES, JobType
from apps.llm import loading
from apps.tenancy import deletion
from kernel.errors import BadRequestError, ValidationError
from kernel.payloads import unstorable


def _admit_pull(principal: Principal, payload: dict[str, Any]) -> None:
    loading.downloader_to_manage(principal, UUID(payload["provider_id"]))


def _admit_warm_up(principal: Principal, payload: dict[str, Any]) -> None:
    loading.instance_to_manage(principal, UUID(payload["instance_id"]))


CHECKS.update({"tenant.offboard": deletion.admit_job, "model.pull": _admit_pull, "model.warmup": _admit_warm_up})


def check_payload(type_name: str, payload: dict[str, Any]) -> None:
    """BadRequestError for an unknown type; ValidationError, with the schema path, for a payload that does not fit."""
    job_type = JOB_TYPES.get(type_name)
    if job_type is None:
        raise BadRequestError(
            f"There is no job type {type_name[:100]!r}. Use one of {', '.join(PUBLIC_TYPES)}.",
            code="unknown_type",
            reason="unknown_type",
            allowed_types=PUBLIC_TYPES,
        )
    if reason := unstorable(payload):
        faults = [{"loc": ["body", "payload"], "msg": reason, "type": "unstorable"}]
    else:
        faults = job_type.validator.faults(payload, at=("body", "payload"))
    if faults:
        raise ValidationError(
            f"The payload does not fit the schema of {type_name!r} (GET /v1/jobs/types shows it).",
            errors=faults,
            code="schema_violation",
            reason="schema_violation",
            schema_id=type_name,
        )


def admit(principal: Principal, job_type: JobType, payload: dict[str, Any]) -> None:
    """ForbiddenError without the type's permission, or whatever the type's own check says."""
    if not job_type.is_for_everybody:
        rbac.require(principal, job_type.permission)
    check = CHECKS.get(job_type.name)
    if check is not None:
        check(principal, payload)
