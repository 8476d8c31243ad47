"""Browser sessions, of these pages and of the built-in issuer's: whose they are, and how they end.

Rows hold a signed text, not a user's id, so they are read one by one: there is one a signed-in person, not a request.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.contrib.auth import BACKEND_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.models import Session

from apps.backoffice.reading import as_uuid
from apps.backoffice.standing import BACKEND
from kernel.clock import now

LOOKED_AT = 5000


@dataclass(frozen=True)
class BrowserSession:
    """One person in one browser. ``place``: admin or issuer."""

    key: str
    user_id: UUID
    place: str
    expires_at: datetime


def browser_sessions() -> list[BrowserSession]:
    """Everybody who is signed in with a browser, those who came last first; at most LOOKED_AT rows are looked at."""
    found = []
    for row in Session.objects.filter(expire_date__gt=now()).order_by("-expire_date")[:LOOKED_AT]:
        data = row.get_decoded()
        user_id = as_uuid(str(data.get(SESSION_KEY, "")))
        if user_id is not None:
            place = "admin" if data.get(BACKEND_SESSION_KEY) == BACKEND else "issuer"
            found.append(BrowserSession(row.session_key, user_id, place, row.expire_date))
    return found


def end_browser_sessions(user_id: UUID) -> int:
    """Sign this person out of every browser. Returns how many sessions there were."""
    keys = [session.key for session in browser_sessions() if session.user_id == user_id]
    return Session.objects.filter(session_key__in=keys).delete()[0]
