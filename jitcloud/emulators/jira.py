"""A Jira on this machine: to try a configuration out, and what happens when Jira does not answer.

It answers one question, "Get issue", as Atlassian documents it for Cloud (version 3, with an
account's e-mail and API token) and for Data Center (version 2, with a personal access token).
https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
import ssl
import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal, Self
from urllib.parse import parse_qs, unquote, urlsplit

from jitcloud.emulators.jira_faults import (
    ABSENT,
    NOBODY,
    PAGE,
    Fault,
    Reply,
    encoded,
    pieces,
    spoilt,
)

Category = Literal["new", "indeterminate", "done"]
"""The keys of Jira's status categories: to do, in progress, done."""

_CATEGORIES: Mapping[Category, tuple[int, str, str]] = {
    "new": (2, "To Do", "blue-gray"),
    "indeterminate": (4, "In Progress", "yellow"),
    "done": (3, "Done", "green"),
}
_PATH = re.compile(r"/rest/api/(?P<version>[23])/issue/(?P<key>[^/]+)")


@dataclass(slots=True)
class _Issue:
    number: int
    key: str
    category: Category
    former: set[str] = field(default_factory=set)


class JiraEmulator:
    """One Jira, on the loopback. ``with JiraEmulator() as jira:`` starts it; thread-safe.

    ``jira.url`` is what a configuration says, ``jira.email`` and ``jira.token`` are what it takes;
    the token is another one each time. Faults are queued, one an answer:
    ``jira.faults.append(Fault.HTML)``.
    """

    def __init__(
        self, *, email: str = "jitcloud@example.org", tls: ssl.SSLContext | None = None
    ) -> None:
        """Make one without any issue. With ``tls`` it speaks HTTPS. Starts nothing yet."""
        self.email = email
        self.token = secrets.token_urlsafe()
        self.url = ""
        self.faults: deque[Fault] = deque()
        self.asked: list[str] = []
        """The path of each request, as it came."""
        self._tls = tls
        self._issues: list[_Issue] = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    # ── What is there ────────────────────────────────────────────────────────────────────────

    def put(self, key: str, category: Category = "indeterminate") -> None:
        """Make an issue, or bring the one of that key into a status of another category."""
        with self._lock:
            found = self._found(key)
            if found is None:
                self._issues.append(_Issue(10000 + len(self._issues), key, category))
            else:
                found.category = category

    def move(self, key: str, to: str) -> None:
        """Give an issue the key ``to``, as a move to another project does; it answers to both."""
        with self._lock:
            found = self._found(key)
            if found is None:
                raise KeyError(key)
            found.former.add(found.key)
            found.key = to

    # ── Whether it answers ───────────────────────────────────────────────────────────────────

    def start(self) -> Self:
        """Listen on a free port of 127.0.0.1."""
        server = self._server = _Server(self)
        if self._tls is not None:
            # Handshakes happen in the threads that answer: nobody has to wait for another's.
            server.socket = self._tls.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{server.server_port}"
        self._thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        """Answer nobody any more: the port refuses connections. Idempotent."""
        self._stopping.set()
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    # ── What it answers ──────────────────────────────────────────────────────────────────────

    def said(self, path: str, authorization: str) -> Iterator[bytes]:
        """Take one GET, and yield what goes over the wire."""
        self.asked.append(path)
        fault = self.faults.popleft() if self.faults else None
        reply = spoilt(self._reply(path, authorization), fault, f"{self.url}{path}")
        yield from pieces(reply, fault, authorization, self._stopping)

    def _reply(self, path: str, authorization: str) -> Reply:
        url = urlsplit(path)
        match = _PATH.fullmatch(url.path)
        if match is None:
            return PAGE
        if not self._knows(match["version"], authorization):
            return NOBODY
        fields = parse_qs(url.query).get("fields", ["*all"])[0].split(",")
        with self._lock:
            found = self._found(unquote(match["key"]))
            if found is None:
                return ABSENT
            return Reply(200, encoded(self._told(found, match["version"], fields)))

    def _knows(self, version: str, authorization: str) -> bool:
        basic = base64.b64encode(f"{self.email}:{self.token}".encode()).decode()
        right = f"Basic {basic}" if version == "3" else f"Bearer {self.token}"
        return hmac.compare_digest(authorization.encode(), right.encode())

    def _found(self, key: str) -> _Issue | None:
        key = key.upper()
        return next((i for i in self._issues if key == i.key or key in i.former), None)

    def _told(self, issue: _Issue, version: str, fields: Sequence[str]) -> dict[str, object]:
        base = f"{self.url}/rest/api/{version}"
        number, name, color = _CATEGORIES[issue.category]
        project = issue.key.rpartition("-")[0]
        every: dict[str, object] = {
            "summary": f"Example {issue.number}",
            "project": {"self": f"{base}/project/{project}", "key": project, "name": project},
            "status": {
                "self": f"{base}/status/{number}",
                "id": str(number),
                "name": f"{name}, as we call it",
                "statusCategory": {
                    "self": f"{base}/statuscategory/{number}",
                    "id": number,
                    "key": issue.category,
                    "colorName": color,
                    "name": name,
                },
            },
        }
        return {
            "id": str(issue.number),
            "self": f"{base}/issue/{issue.number}",
            "key": issue.key,
            "fields": {k: v for k, v in every.items() if k in fields or "*all" in fields},
        }


class _Server(ThreadingHTTPServer):
    def __init__(self, jira: JiraEmulator) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.jira = jira

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: whoever asked has gone, or speaks no TLS, and knows that."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 30

    def do_GET(self) -> None:
        for piece in self.server.jira.said(self.path, self.headers.get("Authorization", "")):
            self.wfile.write(piece)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass
