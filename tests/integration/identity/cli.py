"""A command-line client and the browser it opens, talking to the built-in issuer."""

import base64
import hashlib
import re
import secrets
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

from django.test import Client

from apps.identity.issuer import own_issuer
from apps.identity.models import User

CALLBACK = "http://127.0.0.1:8976/callback"
PASSWORD = "correct horse battery"


class Cli:
    """A public client with a browser: signs in, consents, and holds the tokens."""

    def __init__(self, client_id: str, user: User) -> None:
        self.client_id, self.user = client_id, user
        self.browser = Client(enforce_csrf_checks=True, SERVER_NAME="127.0.0.1")
        self.verifier = secrets.token_urlsafe(48)

    def authorize_query(self, **changes: str) -> dict[str, str]:
        challenge = base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": CALLBACK,
            "scope": "openid profile user:me read write admin:all",
            "state": "s-1",
            "nonce": "n-1",
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **changes,
        }
        return {name: value for name, value in query.items() if value}

    def submit(self, response: Any, **values: str) -> Any:
        """Fill in the one form of a page."""
        html = response.content.decode()
        hidden = re.findall(r'<input type="hidden" name="([^"]+)"(?: value="([^"]*)")?', html)
        fields = {name: unescape(value) for name, value in hidden}
        return self.browser.post(response.request["PATH_INFO"], {**fields, **values})

    def sign_in(self, next_url: str) -> Any:
        page = self.browser.get(next_url)
        assert page.status_code == 302 and page["Location"].startswith("/oidc/login?next=")
        form = self.browser.get(page["Location"])
        assert form["Content-Security-Policy"].startswith("default-src 'none'")
        return self.submit(form, username=self.user.username, password=PASSWORD)

    def code(self) -> str:
        """Through login and consent to the authorization code."""
        start = self.browser.get("/oidc/authorize", self.authorize_query())
        done = self.sign_in(start.request["PATH_INFO"] + "?" + start.request["QUERY_STRING"])
        assert done.status_code == 302
        consent = self.browser.get(done["Location"])
        assert consent.status_code == 200 and b"Allow" in consent.content
        answer = parse_qs(urlsplit(self.submit(consent, allow="Allow")["Location"]).query)
        assert answer["state"] == ["s-1"] and answer["iss"] == [own_issuer()]
        return answer["code"][0]

    def exchange(self, code: str, **changes: str) -> Any:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "client_id": self.client_id,
            "code_verifier": self.verifier,
            **changes,
        }
        return self.browser.post("/oidc/token", {name: value for name, value in form.items() if value})

    def tokens(self) -> dict[str, Any]:
        response = self.exchange(self.code())
        assert response.status_code == 200, response.content
        return dict(response.json())

    def refresh(self, refresh_token: str) -> Any:
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": self.client_id}
        return self.browser.post("/oidc/token", form)
