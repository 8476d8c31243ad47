"""What `make run` tells a newcomer once everything is up."""

from collections.abc import Mapping
from pathlib import Path


def welcome(variables: Mapping[str, str], credentials: list[str], data_dir: Path) -> str:
    """Addresses, demo users (`credentials`: "NAME PASSWORD" lines) and three commands to try."""
    api = f"http://127.0.0.1:{variables['AGENTIC_PORT']}"
    user, _, password = variables["FLOWER_BASIC_AUTH"].partition(":")
    users = "\n".join(f"         {line}" for line in credentials)
    return f"""
API      {api}/v1/
Flower   {variables["FLOWER_URL"]}     {user} {password}
Admin    {api}/admin/
Sign in  {api}/oidc/login, as one of
{users}
Tokens   .venv/bin/python manage.py token --role user --tenant demo
Logs     {data_dir / "log"}

Try, in another terminal:
  TOKEN=$(.venv/bin/python manage.py token --role user --tenant demo)

  curl -s {api}/v1/auth/me -H "Authorization: Bearer $TOKEN"

  curl -s {api}/v1/jobs -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
       -d '{{"type": "demo", "payload": {{"duration_ms": 3000}}}}'

  curl -sN {api}/v1/jobs/ID_FROM_ABOVE/events -H "Authorization: Bearer $TOKEN" -H 'Accept: text/event-stream'

Everything is up. Ctrl-C stops it; the data stays in {data_dir}.
"""
