"""People at browsers and devices, against an emulated issuer, over real HTTP."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qsl, urlencode, urlsplit

from jitcloud.emulators.oidc import OidcIssuer

VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode()[:43]
BACK = "http://127.0.0.1:9/callback"


class _Stays(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_Stays)


@dataclass(frozen=True, slots=True)
class Seen:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def sent_back(self) -> dict[str, str]:
        """The parameters that a browser is sent back with."""
        return dict(parse_qsl(urlsplit(self.headers["Location"]).query))


def see(url: str, form: Mapping[str, str] | None = None) -> Seen:
    """Get a page, or post a form; redirects are not followed."""
    sent = None if form is None else urlencode(form).encode()
    try:
        with _OPENER.open(url, sent, timeout=10) as answer:
            return Seen(answer.status, dict(answer.headers), answer.read())
    except HTTPError as exc:
        with exc:
            return Seen(exc.code, dict(exc.headers), exc.read())


def authorize(issuer: OidcIssuer, **other: str | None) -> Seen:
    """Go where a browser is sent to sign in."""
    query = {
        "response_type": "code",
        "client_id": issuer.client_id,
        "redirect_uri": BACK,
        "scope": "openid offline_access",
        "state": "state",
        "nonce": "nonce",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **other,
    }
    return see(f"{issuer.url}/authorize?{urlencode({k: v for k, v in query.items() if v})}")


def token(issuer: OidcIssuer, **form: str) -> Seen:
    """Ask at the token endpoint."""
    return see(f"{issuer.url}/token", {"client_id": issuer.client_id, **form})


def exchange(issuer: OidcIssuer, code: str, **other: str) -> Seen:
    """Exchange a code."""
    form = {"grant_type": "authorization_code", "redirect_uri": BACK, "code_verifier": VERIFIER}
    return token(issuer, **{**form, "code": code, **other})


def claims(id_token: str) -> dict[str, Any]:
    """What a token claims, believed as it is."""
    part = id_token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


@dataclass
class Browser:
    """A browser on this machine: it goes where it is told, and on to where it is sent."""

    pages: list[str] = field(default_factory=list)
    """What it was told to open."""
    seen: list[Seen] = field(default_factory=list)
    """What it was shown in the end."""
    first: Callable[[str], None] = lambda _: None
    """What happens on this machine before, with the address that the browser is sent back to."""
    _threads: list[threading.Thread] = field(default_factory=list)

    def __call__(self, url: str) -> None:
        self.pages.append(url)
        thread = threading.Thread(target=self._go, args=(url,))
        self._threads.append(thread)
        thread.start()

    def close(self) -> None:
        for thread in self._threads:
            thread.join(10)

    def _go(self, url: str) -> None:
        self.first(dict(parse_qsl(urlsplit(url).query))["redirect_uri"])
        page = see(url)
        with suppress(OSError):  # whoever comes late finds nobody there any more
            self.seen.append(see(page.headers["Location"]) if page.status == 302 else page)


@contextmanager
def browsing() -> Iterator[Browser]:
    browser = Browser()
    try:
        yield browser
    finally:
        browser.close()
