"""A browser for the administration pages: cookies, redirects, forms. No script runs in it."""

import re
from html import unescape
from typing import Any

import requests

from apps.identity.models import User
from tests.clients import PATIENCE_S

PASSWORD = "correct horse battery"
HIDDEN = re.compile(r'<input type="hidden" name="([^"]+)"(?: value="([^"]*)")?')


class Browser:
    """One person's cookies."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url
        self.session = requests.Session()
        self.session.trust_env = False

    def get(self, path: str, **options: Any) -> requests.Response:
        url = path if path.startswith("http") else self.base_url + path
        return self.session.get(url, timeout=PATIENCE_S, **options)

    def post(self, path: str, fields: Any, **options: Any) -> requests.Response:
        """As they are: without the CSRF token unless it is among them."""
        url = path if path.startswith("http") else self.base_url + path
        return self.session.post(url, data=fields, timeout=PATIENCE_S, **options)

    def submit(self, page: str, fields: Any, *, to: str | None = None) -> requests.Response:
        """Open a page, and send these fields with the page's CSRF token, to itself or ``to``."""
        form = self.get(page)
        assert form.status_code == 200, (form.status_code, form.text[:300])
        token = dict(HIDDEN.findall(form.text))["csrfmiddlewaretoken"]
        pairs = list(fields.items() if isinstance(fields, dict) else fields)
        return self.post(to or page, [("csrfmiddlewaretoken", token), *pairs], headers={"Referer": form.url})

    def sign_in(self, user: User, *, to: str = "/admin/", password: str = PASSWORD) -> requests.Response:
        """Through the issuer's page and back; the first page that is shown afterwards."""
        form = self.get(to)
        assert "/oidc/login" in form.url, form.url
        fields = {name: unescape(value) for name, value in HIDDEN.findall(form.text)}
        return self.post(form.url, {**fields, "username": user.username, "password": password})

    def cookies(self) -> dict[str, Any]:
        return {cookie.name: cookie for cookie in self.session.cookies}
