"""What calling a tool may end with, beside the platform's general errors."""

from kernel.errors import ConflictError, ForbiddenError, PlatformError


class ToolStopped(PlatformError):
    """The time is over (code ``tool_timeout``), or the caller has left (``tool_cancelled``)."""

    code, http_status, title = "tool_timeout", 504, "Tool Stopped"


class ToolBroken(PlatformError):
    """The tool has a bug: what went wrong is in the log, under the invocation's id."""

    code, http_status, title = "tool_broken", 500, "Tool Broken"


class ToolFailed(PlatformError):
    """What a tool raises, with a sentence, for what was asked rightly and cannot be done."""

    code, http_status, title = "tool_failed", 422, "Tool Failed"


class OutputTooLarge(PlatformError):
    """The tool found more than a call may answer. Ask for less, or for a file."""

    code, http_status, title = "output_too_large", 422, "Output Too Large"


class ToolSwitchedOff(ForbiddenError):
    """An administrator has switched the tool off, or has not yet approved what it became."""

    code = "tool_disabled"


class ReadOnly(ForbiddenError):
    """The tool would change something where nothing may be changed."""

    code = "read_only"


class ApprovalRequired(ConflictError):
    """A person has to approve exactly this call first. ``approval_id`` names the record that waits."""

    code = "approval_required"
