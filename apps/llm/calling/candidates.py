"""Who is asked, and in which order: the model that the request names, or the default, then those that stand in."""

from apps.llm import defaults
from apps.llm.catalogue import Catalogue, InstanceConfig, catalogue_of
from apps.llm.errors import ContextTooLong
from apps.llm.resilience import fallback
from apps.llm.types import CompletionRequest
from kernel.errors import ConflictError, NotFoundError, ValidationError


def candidates_for(request: CompletionRequest, tokens_in: int) -> tuple[InstanceConfig, list[InstanceConfig]]:
    """The first choice, and who is asked: at least one, the first choice first if it can do it.

    NotFoundError for an unknown model and where there is no default, ConflictError for one that is disabled and
    nobody stands in, ValidationError where none can do what is asked.
    """
    primary = _default(request) if request.model is None else _found(catalogue_of(request.tenant_id), request.model)
    catalogue, named = catalogue_of(request.tenant_id), request.fallbacks
    others = _stand_ins(catalogue) if named is None else [_found(catalogue, name) for name in named]
    needs = fallback.Needs(tokens=tokens_in, tools=bool(request.tools) and request.tool_choice != "none")
    order = fallback.order(primary, others, needs, keep_order=named is not None)
    if order.chain:
        return primary, order.chain
    reasons = "; ".join(f"{name}: {reason}" for name, reason in order.left_out.items())
    if not primary.enabled:
        raise ConflictError(f"The model {primary.name} is disabled. Choose another.", code="model_disabled")
    if tokens_in >= primary.context_window:
        raise ContextTooLong(f"About {tokens_in} tokens are more than the models at hand take ({reasons}).")
    raise ValidationError(f"No model at hand can do this ({reasons}).", code="no_suitable_model")


def _stand_ins(catalogue: Catalogue) -> list[InstanceConfig]:
    """Whoever is enabled, but the demo model only where it is named: rules are no substitute that nobody asked for."""
    return [instance for instance in catalogue.usable() if instance.provider.type != "demo"]


def _default(request: CompletionRequest) -> InstanceConfig:
    found = defaults.resolve(request.tenant_id, request.user_sub)
    if found is None:
        raise NotFoundError(
            "There is no default model. Name one, or set a default with PATCH /v1/models/defaults.",
            code="no_default_model",
        )
    return found[0]


def _found(catalogue: Catalogue, name: str) -> InstanceConfig:
    found = catalogue.find(name)
    if found is None:
        raise NotFoundError(
            f"There is no model {name[:100]!r}. GET /v1/models/instances lists them.", code="model_not_found"
        )
    return found
