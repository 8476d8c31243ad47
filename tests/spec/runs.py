"""Runs of agents, their streams, and agents' definitions."""

RUNS: dict[str, tuple[str, str]] = {
    # -- the API
    "runs:api-create": ("SPEC 1.2", "A run is accepted at once and answers without its caller."),
    "runs:api-read": ("SPEC 10", "A run shows its outputs, steps, todos and metrics, and says when nothing changed."),
    "runs:api-list": ("issue 6", "The list of runs is one's own, filtered, in pages."),
    "runs:api-jobs": ("SPEC 4", "With use_jobs an agent.run job follows the run, each naming the other."),
    "runs:api-idempotency": ("contract 1.3", "A repeat with its key makes one run and says the same."),
    "runs:api-cancel": ("SPEC 3", "A run that has not begun is cancelled at once, another is told."),
    "runs:api-resume": ("issue 6", "A failed or cancelled run goes on for its owner; one that succeeded does not."),
    "runs:api-foreign": ("SPEC 2.5", "A run of others looks like one that never was."),
    "runs:api-tape": ("issue 6", "What models, tools and the graph answered to a run is shown to its owner only."),
    "runs:api-limits": ("contract 1.7", "A caller and a tenant may start a bounded number of runs in a while."),
    "runs:api-rights": ("SPEC 2.3", "Who may start runs and who may read them is the table of roles."),
    "runs:limits": ("contract 13.2", "A role or tools named by a request or session take rights away and give none."),
    "runs:sessions": ("issue 6", "A run without a session begins one, and the next can go on in it."),
    # -- agents
    "runs:agents": ("issue 6", "Agents are defined per tenant, read by who may run, written by administrators."),
    "runs:agent-versions": ("issue 6", "Every change of an agent is a new version, on record and never changed."),
    "runs:default-agent": ("issue 6", "The platform ships an agent, which a tenant may put its own before."),
    # -- streams
    "runs:streams": ("SPEC 1.2", "Phases, steps and pieces of the answer arrive as they happen, over both transports."),
    "runs:streams-resume": ("R19", "A client that comes back gets what it has not seen, whatever Redis has lost."),
    "runs:streams-refusals": ("SPEC 2.3", "Nobody follows a run of others."),
    "runs:streams-ring": ("SPEC 9.2", "The latest thousand events of a run stand in Redis for a day."),
    "runs:event-types": ("issue 6", "Every event that jobs and runs tell is in the reference, and the reverse."),
    # -- durability
    "runs:durable-steps": ("issue 6", "A step's record, its cursor and its events are committed before the next is sent."),
    "runs:delivered-twice": ("issue 6", "A task that is delivered twice does nothing the second time."),
    "runs:fencing": ("R5", "Whoever lost its lease writes nothing."),
    "runs:rescue": ("issue 6", "What a lost worker had in hand is done by another within 20 s, and nothing before it again."),
    "runs:poison": ("R15", "A step that loses its worker three times in a row fails its run, and no other."),
    "runs:lost-tasks": ("R3", "A task that fell out of Redis is sent again, and a deep queue is not flooded."),
    "runs:errors": ("issue 6", "How a phase fails is the reason of its run, with what was found until then."),
    "runs:cancel": ("P6", "A run at work ends within two seconds, or is stopped within ten, once in any case."),
    "runs:resume": ("issue 6", "A resume does only what is not done; finished steps are reused by input hash."),
    "runs:session-order": ("issue 6", "A second prompt of a session is rejected, waits, or interrupts, as the session says."),
    "runs:quota": ("SPEC 2.5", "A tenant has no more open runs than its quota."),
    "runs:job": ("SPEC 6.1", "An agent.run job makes or follows a run, and each takes the other along."),
    "runs:dispatch": ("SPEC 4", "The message that starts a run is what Celery itself would send."),
    "runs:rights-now": ("R24", "A run acts with no more than its submitter has at each step."),
    "runs:provenance": ("SPEC 10", "An ended run leaves an audit row with hashes of prompt, tape and output."),
}
