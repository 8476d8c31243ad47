"""Stage 4: the gate's six layers, through one port. What passes is the text that runs, with the tenant bound."""

from apps.graph.nl2cypher.types import Candidate, Checked, Ports


def validate(candidate: Candidate, ports: Ports) -> Checked:
    """What may run. Refused with the gate's layer, reason and hint."""
    return ports.inspect(candidate.cypher, candidate.parameters)
