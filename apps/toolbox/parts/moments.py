"""A point in time as tools take it: ISO 8601 with its offset."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime


def _utc(moment: datetime) -> datetime:
    """PostgreSQL takes no offset beyond 15:59, and neither it nor Python every year."""
    if not 1970 <= moment.year <= 9000:
        raise ValueError("the year must lie between 1970 and 9000")
    return moment.astimezone(UTC)


Moment = Annotated[AwareDatetime, AfterValidator(_utc)]
