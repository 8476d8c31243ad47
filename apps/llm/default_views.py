"""/v1/models/defaults, usage and budget."""

from datetime import datetime, timedelta
from typing import cast, get_args

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from apps.identity.permissions import principal_of
from apps.llm import answer_schemas, defaults, schemas
from apps.llm.money import usage
from apps.llm.registry import model_defaults
from apps.llm.requests import READ
from kernel.clock import now
from kernel.errors import BadRequestError, ForbiddenError, NotFoundError
from kernel.web.api import ApiView
from kernel.web.parameters import NO_STORE, flag, moment, refuse_unknown, whole_number
from kernel.web.schema import json_if_changed, json_response, parse_body

USAGE_DAYS = 30
SCOPE_HEADER = OpenApiParameter(
    "X-Default-Scope", str, OpenApiParameter.HEADER, enum=list(defaults.SCOPES), description="`user` when absent."
)
TENANT_HEADER = OpenApiParameter("X-Tenant-Id", str, OpenApiParameter.HEADER, description="Own id, global or default.")


class Defaults(ApiView):
    """The model that answers where none is named."""

    @extend_schema(
        operation_id="get_default_model",
        summary="The default model",
        description="The caller's, else its tenant's, else the platform's; X-Default-Scope of the answer says whose.",
        parameters=[TENANT_HEADER],
        responses={200: answer_schemas.DefaultOut, 404: None},
        tags=["models"],
    )
    def get(self, request: Request) -> HttpResponse:
        refuse_unknown(request)
        principal = principal_of(request)
        found = defaults.resolve(principal.tenant_id, principal.sub)
        if found is None:
            raise NotFoundError(
                "There is no default model. Set one with PATCH /v1/models/defaults.", code="no_default_model"
            )
        instance, scope = found
        etag = answer_schemas.default_etag(instance, scope)
        headers = {**READ, "ETag": etag, "X-Default-Scope": scope}
        return json_if_changed(request, lambda: answer_schemas.default_out(instance, scope), headers)

    @extend_schema(
        operation_id="change_default_model",
        summary="Change a default model",
        description="X-Default-Scope `user` (the caller's own), `tenant` (its administrators) or `global` (the "
        "platform's). It counts at once, everywhere.",
        request=schemas.DefaultChange,
        responses={200: answer_schemas.DefaultChanged, 404: None},
        parameters=[SCOPE_HEADER, TENANT_HEADER],
        tags=["models"],
    )
    def patch(self, request: Request) -> HttpResponse:
        refuse_unknown(request)
        scope = request.headers.get("X-Default-Scope", "user").strip().lower() or "user"
        if scope not in defaults.SCOPES:
            raise BadRequestError("X-Default-Scope must be user, tenant or global.", code="invalid_scope")
        body = parse_body(schemas.DefaultChange, request.data)
        headers = {**NO_STORE, "X-Default-Scope": scope, "Vary": READ["Vary"]}
        if body.takes_away:
            model_defaults.take_default_away(scope, by=principal_of(request))
            said = {"ok": True, "message": f"The {scope} default is taken away.", "instance_id": None}
            return json_response({**said, "instance_name": None}, headers=headers)
        row = model_defaults.set_default(
            scope, by=principal_of(request), instance_id=body.wanted_id, name=body.wanted_name
        )
        said = {"ok": True, "message": f"{row.instance_name} is the {scope} default now.", "instance_id": row.id}
        return json_response({**said, "instance_name": row.instance_name}, headers=headers)


class Usage(ApiView):
    """What was spent."""

    @extend_schema(
        operation_id="get_model_usage",
        summary="What was spent on models",
        description="One's own calls; administrators may ask for everybody's of the tenant with `all=true`.",
        parameters=[
            OpenApiParameter("group_by", str, enum=list(get_args(usage.GroupBy)), description="`model` by default."),
            OpenApiParameter("since", datetime, description="Calls that began from then on; 30 days ago by default."),
            OpenApiParameter("until", datetime, description="And before then; now by default."),
            OpenApiParameter("all", bool, description="Administrators: everybody's calls."),
            OpenApiParameter("limit", int, description="1 to 1000 groups; 100 by default."),
        ],
        responses=answer_schemas.UsageReportOut,
        tags=["models"],
    )
    def get(self, request: Request) -> HttpResponse:
        refuse_unknown(request, frozenset({"group_by", "since", "until", "all", "limit"}))
        principal, asked = principal_of(request), request.query_params
        group_by = asked.get("group_by") or "model"
        if group_by not in get_args(usage.GroupBy):
            raise BadRequestError(
                f"group_by must be one of {', '.join(get_args(usage.GroupBy))}.", code="invalid_filter"
            )
        everybody = flag(request, "all") or False
        if everybody and not principal.is_admin:
            raise ForbiddenError(
                "Only an administrator may ask for everybody's calls. Leave all away for your own.",
                code="admin_required",
                required_role="admin",
            )
        until = moment(asked.get("until"), "until") or now()
        since = moment(asked.get("since"), "since") or until - timedelta(days=USAGE_DAYS)
        if since > until:
            raise BadRequestError("since must not be later than until.", code="invalid_filter")
        found = usage.report(
            principal.tenant_id,
            since=since,
            until=until,
            group_by=cast(usage.GroupBy, group_by),
            only_sub=None if everybody else principal.sub,
            limit=whole_number(asked.get("limit"), "limit", default=100, most=usage.MAX_ROWS),
        )
        body = answer_schemas.usage_out(found, since=since, until=until, group_by=group_by, all_users=everybody)
        return json_response(body, headers=NO_STORE)


class TenantBudget(ApiView):
    """What the tenant's ceilings leave."""

    @extend_schema(
        operation_id="get_model_budget",
        summary="The tenant's budgets for models",
        description="The last 24 hours against `quotas.tokens_per_day` and `quotas.cost_usd_per_day`.",
        responses=answer_schemas.StandingOut,
        tags=["models"],
    )
    def get(self, request: Request) -> HttpResponse:
        refuse_unknown(request)
        standing = usage.standing(principal_of(request).tenant_id)
        return json_response(answer_schemas.standing_out(standing), headers=NO_STORE)
