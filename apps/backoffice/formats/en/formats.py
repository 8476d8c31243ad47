"""Times as in the API and in logs: sortable, to the second, UTC."""

DATETIME_FORMAT = "Y-m-d H:i:s"
DATE_FORMAT = "Y-m-d"
