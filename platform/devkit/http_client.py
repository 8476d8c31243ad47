"""One GET, for asking a server how it is."""

import urllib.error
import urllib.request


def get(url: str, timeout_s: float = 2.0) -> tuple[int, str]:
    """Status and body; (0, reason) when there was no answer."""
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")
    except OSError as error:
        return 0, str(error)
