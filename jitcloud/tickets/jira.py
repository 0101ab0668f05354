"""Tickets in Jira, Cloud or Data Center, by its REST API; reads, and changes nothing.

Cloud: https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issues/ ("Get issue")
Data Center: https://docs.atlassian.com/software/jira/docs/api/REST/ (the same, in version 2), with
https://confluence.atlassian.com/enterprise/using-personal-access-tokens-1026032365.html
"""

from __future__ import annotations

import base64
import json
import re
from datetime import timedelta
from urllib.parse import quote

from jitcloud.address import Address
from jitcloud.durations import format_duration
from jitcloud.errors import Misconfigured, Unavailable
from jitcloud.https import Answer, Server
from jitcloud.ports import Ticket
from jitcloud.secret import Secret

WITHIN = timedelta(seconds=5)
"""How long a look may take, all in all, unless something else is said."""

# https://confluence.atlassian.com/display/ADMINJIRASERVER/Changing+the+project+key+format
# A project's key has up to 255 characters; no pattern of an administrator's allows others.
_PROJECT = re.compile(r"[A-Z][A-Z0-9_]{0,254}")
_ISSUE = re.compile(rf"{_PROJECT.pattern}-[1-9][0-9]{{0,17}}")
_ASCII = re.compile(r"[!-~]+")

_DONE = "done"
"""The key of the status category that every closed status is in, whatever people call it."""

_LOGIN = "x-seraph-loginreason"
_NO_LOGIN = ("AUTHENTICATED_FAILED", "AUTHENTICATION_DENIED")
_SECONDS = re.compile(r"[0-9]{1,5}")


class JiraTickets:
    """Looks issues up by their keys. Its repr shows where, and no secret."""

    def __init__(
        self, url: str, token: Secret, *, email: str = "", timeout: timedelta = WITHIN
    ) -> None:
        """Reach a site: ``https://example.atlassian.net``, or what precedes ``/rest`` elsewhere.

        With an e-mail the token is its account's API token, as Cloud has it; without, it is a
        personal access token, as Data Center has it. ``timeout`` bounds a look as a whole.
        Raises ``Invalid`` for an address that a token must not be sent to.
        """
        address = Address.parse(url)
        self._who = f"Jira at {address}"
        self._token = token
        self._email = email
        self._api = f"/rest/api/{3 if email else 2}"
        self._server = Server(self._who, address, timeout=timeout)

    def __repr__(self) -> str:
        return f"JiraTickets({self._who})"

    def look(self, ticket: str) -> Ticket | None:
        """Look an issue up; None also where the token's account may not see it.

        An issue that was moved is found under its old key too, and comes with its new one.
        Raises ``Unavailable`` while Jira does not tell, and ``Misconfigured`` (and not that) when
        it will not before somebody mends token, rights or certificate.
        """
        if _ASCII.fullmatch(ticket) is None:
            return None
        key = ticket.upper()  # Jira reads it in any case
        if _ISSUE.fullmatch(key) is None:
            return None
        path = f"{self._api}/issue/{quote(key, safe='')}?fields=status,project"
        return self._read(self._server.get(path, self._headers()))

    def _headers(self) -> dict[str, str]:
        token = self._token.read()
        said = f"Bearer {token}"
        if self._email:
            said = f"Basic {base64.b64encode(f'{self._email}:{token}'.encode()).decode()}"
        return {"Accept": "application/json", "Authorization": said, "User-Agent": "jitcloud"}

    def _read(self, answer: Answer) -> Ticket | None:
        # Jira may take a caller whose token has expired for an anonymous one, who sees no issue:
        # what would read as "there is none" is then our mistake. Only this header tells.
        # https://developer.atlassian.com/server/jira/platform/jira-rest-api-example-basic-authentication-6291732
        is_nobody = any(reason in answer.headers.get(_LOGIN, "") for reason in _NO_LOGIN)
        if is_nobody or answer.status == 401:  # noqa: PLR2004 - RFC 9110, 15.5.2
            message = (
                f"{self._who} does not accept the token in {self._token}; make a new one, and see"
                " that nobody is asked to solve a CAPTCHA there."
            )
            raise Misconfigured(message)
        match answer.status:
            case 200:
                return self._issue(answer.body)
            case 404 if _is_of_jira(answer.body):
                return None
            case 403:
                message = (
                    f"{self._who} forbids looking issues up with the token in {self._token}; give"
                    ' its account "Browse projects", and the token the right to read issues.'
                )
                raise Misconfigured(message)
            case 429:
                when = _wait(answer.headers.get("retry-after", ""))
                message = f"{self._who} limits how often it is asked; try again {when}."
            case status if 300 <= status < 400:  # noqa: PLR2004 - RFC 9110, 15.4
                message = (
                    f"{self._who} sends elsewhere ({status}), where the token is not taken;"
                    " correct its address."
                )
            case status if status >= 500:  # noqa: PLR2004 - RFC 9110, 15.6
                message = f"{self._who} is out of order ({status}); try again later."
            case status:
                message = (
                    f"{self._who} answered {status}, as no Jira does when asked for an issue;"
                    " check its address."
                )
        raise Unavailable(message)

    def _issue(self, body: bytes) -> Ticket:
        match _json(body):
            case {
                "key": str(key),
                "fields": {
                    "project": {"key": str(project)},
                    "status": {"statusCategory": {"key": str(category)}},
                },
            } if _ISSUE.fullmatch(key) and _PROJECT.fullmatch(project):
                return Ticket(id=key, is_open=category != _DONE, project=project)
            case _:
                message = (
                    f"{self._who} answered with something that is no issue; check its address,"
                    " and that no log-in page stands before it."
                )
                raise Unavailable(message)


def _is_of_jira(body: bytes) -> bool:
    """Whether Jira itself says that there is no such issue, and not a proxy, of some page."""
    match _json(body):
        case {"errorMessages": [*_]}:
            return True
        case _:
            return False


def _json(body: bytes) -> object:
    """Read it, or return None: nothing that is looked for is that."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):  # not JSON, not text, numbers or nesting without end
        return None


def _wait(retry_after: str) -> str:
    if _SECONDS.fullmatch(retry_after) is None:
        return "shortly"
    return f"in {format_duration(timedelta(seconds=int(retry_after) or 1))}"
