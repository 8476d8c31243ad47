"""The tools: the one way to call one, and its doors."""

TOOLS: dict[str, tuple[str, str]] = {
    "tools:files": ("R39", "A file comes back as it was sent, to whom it belongs, and a crash leaves no half one."),
    "tools:etl": (
        "SPEC 8",
        "Files of any size go into the graph and out of it, bad lines are told, and what was cut off goes on.",
    ),
    "tools:export": ("SPEC 8", "What a query or labels give comes as CSV, JSON or Cypher, masked, or as a file."),
    "tools:bulk": (
        "contract 7.3",
        "graph.bulk loads tables of nodes and relationships and exports one label.",
    ),
    "tools:data": (
        "contract 7.3",
        "Data are held against the schema and repaired without loss; what is purged was set aside and is kept.",
    ),
    "tools:backup": (
        "contract 7.3",
        "A tenant's graph is backed up and restored to what it was, checked first, and never another tenant's.",
    ),
    "tools:db": (
        "contract 7.3",
        "A tenant's administrator stops every change of its graph, and lets them in again.",
    ),
    "tools:admin": (
        "SPEC 8",
        "Indexes and constraints are made and dropped by the platform's administrators, never its own ones.",
    ),
    "tools:rest": (
        "SPEC 3, 8",
        "A caller lists, reads and calls over REST the tools that it may call, and no others; history, batch, keys.",
    ),
    "tools:jobs": (
        "SPEC 5, 8",
        "A call that takes long is a job: asked about when it is posted, made once, with progress, stopped with it.",
    ),
    "tools:approvals": (
        "R31",
        "Who approves a call sees all of it, decides once, and the very call that was seen is made once.",
    ),
    "tools:examples": ("SPEC 8", "The example of every tool works, and gives what its output schema says."),
    "tools:pipeline": (
        "SPEC 8",
        "Every call passes resolve, schema, policy, budget and approval, execute, output, audit.",
    ),
    "tools:registry": (
        "SPEC 8",
        "Code declares a tool, an administrator approves what it is and became, and a switch bites within 3 s.",
    ),
    "security:105": (
        "security 105",
        "A tool is what was approved, word for word, or it is off; no other takes its name or looks like it.",
    ),
    "tools:policies": (
        "SPEC 8",
        "The platform and each tenant narrow what a tool's code declares, never widen it, each change audited.",
    ),
    "tools:agent": ("SPEC 8", "Agents' tools tell and write what belongs to a conversation of the caller's own."),
    "tools:agents": (
        "SPEC 8",
        "A run's step calls tools by the same pipeline as the other doors, in its owner's name.",
    ),
    "tools:taint": (
        "R30",
        "A wish to write that arises after data was read waits for a person; one of the person's own words does not.",
    ),
    "tools:run-approval": (
        "R31",
        "A run that needs an approval stops, says what it wants, and after the decision makes exactly that call.",
    ),
    "tools:graph": (
        "SPEC 8",
        "graph.* asks the caller's own graph in Cypher, in words and by search, always through the gate.",
    ),
    "tools:errors": (
        "contract 7.3",
        "Errors are reported without secrets and personal data, and seen by who reported them and administrators.",
    ),
    "tools:ratelimit": (
        "contract 6.1",
        "A caller sees what is left of its limits; changing them stays in the tenant and below its ceiling.",
    ),
    "tools:tenancy": (
        "contract 7.3",
        "Tenants are managed within the caller's rights, and deleted in two steps, the second confirmed.",
    ),
    "tools:security": (
        "SPEC 8",
        "A caller learns who it is and what it may do; others' rights and the audit log only who has the right.",
    ),
    "tools:crud": (
        "SPEC 8",
        "crud.* changes single nodes and relationships through the gate, with the schema's names and types alone.",
    ),
    "tools:analytics": (
        "SPEC 8",
        "analytics.* answers structured questions with numbers and charts that render, through the gate.",
    ),
    "tools:viz": ("SPEC 8", "viz.render draws what it is given; labels are text whatever is in them (attack 64)."),
    "admin:tools": ("SPEC 8", "Tools are switched, limited and approved here by the platform, and seen by tenants."),
    "admin:tool-policies": ("SPEC 8", "A tenant's administrator sets what its own tenant may do with a tool."),
    "admin:tool-calls": ("SPEC 7.2", "Calls of tools can be found and read, masked, and by nobody changed."),
    "admin:tool-approvals": (
        "security 113",
        "A call that waits is decided by a person who sees all of its arguments, about exactly those.",
    ),
    "tools:system": (
        "SPEC 8",
        "The platform's state, settings and measurements are shown as far as a caller may see them, secrets never.",
    ),
    "tools:mcp": (
        "SPEC 8",
        "A caller lists and calls its tools over MCP, in two revisions of it, with progress and cancelling.",
    ),
    "tools:mcp-resources": ("SPEC 8", "Schema, runs, jobs and prompts are read over MCP with the caller's rights."),
    "tools:mcp-stdio": ("SPEC 8", "manage.py mcp_stdio offers the same over standard input, in one token's name."),
    "security:107": (
        "security 107",
        "A run acts as its submitter alone, and a token for others opens no MCP door and goes no further.",
    ),
    "security:mcp-limits": ("security 110", "Messages to /mcp are bounded in size, depth, number and time."),
    "security:108": (
        "security 108",
        "No MCP session can be guessed or taken over, and no web page rebinds its way in.",
    ),
    "tools:catalog": (
        "SPEC 8",
        "What there is for a caller, tools, labels, prompts, job types, models, is listed, described and found.",
    ),
    "tools:cache": (
        "SPEC 8",
        "A tenant's tools keep values for a while, within bounds, and no key leads out of the tenant's space.",
    ),
    "tools:model": (
        "SPEC 8",
        "Models are listed, warmed up, chosen and tried within the caller's rights, without an address or a key.",
    ),
    "tools:agent-state": (
        "SPEC 8",
        "An agent sees what its caller may use, and how far the caller's own runs and sessions are; no secrets.",
    ),
    "tools:session": (
        "contract 7.3",
        "Sessions are made, changed and ended by their owner, within the owner's rights.",
    ),
    "tools:user": ("contract 7.3", "A profile is its owner's alone, bounded, and gives no rights."),
    "tools:privacy": (
        "contract 7.3",
        "Consents are facts that stay, of which the latest counts; others' are for who has the right.",
    ),
    "tools:output": (
        "contract 7.3",
        "Templates evaluate nothing, and a text that no model shortened says so.",
    ),
    "security:99": ("security 99", "No cache gives one tenant what another kept there."),
    "tools:attacks": (
        "security 2E",
        "A text that the gate refuses is refused through every tool, and where a value goes it is only text.",
    ),
    "tools:found-in-review": ("issue 7", "What an attacker found in the tools stays closed."),
}
