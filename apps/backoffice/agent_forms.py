"""What administrators fill in about agents. The rules are those of the API's bodies: a form turns text into them."""

from typing import Any

from django import forms

from apps.agents.definitions.schemas import AgentChange, AgentCreate
from apps.agents.definitions.selectors import Definition
from apps.agents.states import PLANNING_MODES, RESPONSE_MODES
from apps.backoffice.llm_forms import EVERYBODYS
from kernel.web.schema import parse_body

BUDGET = ("usd", "tokens", "tool_calls", "wall_s")
LINES = forms.Textarea(attrs={"rows": 6})


class AgentForm(forms.Form):
    """An agent, new or to be changed."""

    version = forms.IntegerField(widget=forms.HiddenInput, required=False)
    tenant = forms.CharField(max_length=63, required=False, help_text=EVERYBODYS)
    name = forms.CharField(max_length=100, help_text="Lower case, digits, `.`, `_` and `-`: by which runs ask for it.")
    description = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}))
    system_prompt = forms.CharField(
        required=False, widget=LINES, help_text="Goes before what the platform itself tells the model."
    )
    model = forms.CharField(max_length=255, required=False, help_text="Name of a model. Empty: the run's, or default.")
    temperature = forms.FloatField(required=False, min_value=0, max_value=2)
    tools = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Names, one a line. Empty: all its caller may.",
    )
    no_tools = forms.BooleanField(required=False, label="It uses no tools at all")
    planning_mode = forms.ChoiceField(choices=[(mode, mode) for mode in PLANNING_MODES], initial="optional")
    response_mode = forms.ChoiceField(choices=[(mode, mode) for mode in RESPONSE_MODES], initial="llm-best-effort")
    max_steps = forms.IntegerField(min_value=1, max_value=64, initial=8)
    usd = forms.FloatField(required=False, min_value=0, label="Budget of a run: US dollars")
    tokens = forms.IntegerField(required=False, min_value=0, label="Budget of a run: tokens")
    tool_calls = forms.IntegerField(required=False, min_value=0, label="Budget of a run: tool calls")
    wall_s = forms.FloatField(required=False, min_value=0.001, label="Budget of a run: seconds")

    def __init__(self, *args: Any, for_platform: bool, is_new: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("version",) if is_new else ("tenant", "name"):
            del self.fields[name]
        if not for_platform:
            self.fields.pop("tenant", None)

    @classmethod
    def of(cls, held: Definition, *, for_platform: bool) -> "AgentForm":
        row = held.version
        initial: dict[str, Any] = {name: getattr(row, name) for name in _PLAIN}
        initial |= {"version": row.version, "model": row.model or "", "tools": "\n".join(row.tools or [])}
        initial |= {"no_tools": row.tools == [], **{name: row.budget.get(name) for name in BUDGET}}
        return cls(initial=initial, for_platform=for_platform, is_new=False)

    def new_agent(self) -> AgentCreate:
        """For agent_services.create_agent; ValidationError as the API's."""
        return parse_body(AgentCreate, {"name": self.cleaned_data["name"], **self._said()})

    def change(self) -> AgentChange:
        """For agent_services.change_agent; ValidationError as the API's."""
        return parse_body(AgentChange, self._said())

    def _said(self) -> dict[str, Any]:
        said = self.cleaned_data
        tools: list[str] | None = said["tools"].split() or None
        return {
            **{name: said[name] for name in _PLAIN},
            "model": said["model"] or None,
            "tools": [] if said["no_tools"] else tools,
            "budget": {name: said[name] for name in BUDGET if said[name] is not None},
        }


_PLAIN = ("description", "system_prompt", "temperature", "planning_mode", "response_mode", "max_steps")
