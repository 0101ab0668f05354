"""Calls to one API: who speaks is said with each, and what changes something is done once.

An answer may be lost on its way. So whatever changes something goes out under a key, and under the
same key again where nobody knows what became of it: then the API does it once
(``Idempotency-Key``; see ``api.once``).
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from urllib.parse import urlencode

from jitcloud.errors import JitError, Misconfigured, Unavailable
from jitcloud.https import Answer, Server
from jitcloud.model import Presented
from jitcloud.remote.refusals import refusal
from jitcloud.signing_in.endpoint import Endpoint

WITHIN = timedelta(seconds=35)
"""How long one call may take: API Gateway lets none take more than 30 seconds."""

LARGEST = 8 * 1024 * 1024
"""Bytes of an answer. A page of 200 requests has about one million."""

AGAIN = 2
"""How often a call is sent again, where nobody knows what became of it."""

LONGEST_WAIT = 10
"""Seconds before it is sent again, whatever the API says."""

Present = Callable[[], Presented]
"""Says who speaks. Raises as ``OidcSession.presented`` does."""

Sign = Callable[[str, str, Mapping[str, str], bytes | None], Mapping[str, str]]
"""Returns the headers that API Gateway wants of a call: method, URL, headers, body."""

Table = Mapping[str, object]

_SECONDS = re.compile(r"[0-9]{1,4}")
_AWS = "/aws"
_BUSY = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)


@dataclass(frozen=True, slots=True)
class Calls:
    """Makes calls to one API, in the name of whoever ``present`` presents."""

    url: str
    """What stands before ``/v1``."""
    present: Present = field(repr=False)
    pause: Callable[[float], None] = field(repr=False)
    """Waits for so many seconds."""
    sign: Sign | None = field(default=None, repr=False)
    """Signs for API Gateway, where that asks for it (``AWS_IAM``)."""

    @property
    def who(self) -> str:
        """What messages call the API."""
        return str(Endpoint.parse(self.url))

    def get(self, path: str, **query: object) -> Table:
        """Ask for something. ``None`` in the query is left out.

        Raises what the API says (``refusals``), ``Unavailable`` where it does not answer, and
        ``Misconfigured`` where what answers is none.
        """
        said = {name: value for name, value in query.items() if value is not None}
        return self._called(f"{path}?{urlencode(said)}" if said else path, None, {})

    def post(
        self, path: str, body: Table, by: Presented | None = None, *, key: str | None = None
    ) -> Table:
        """Have something done, once. ``by`` speaks in place of whoever usually does.

        ``None`` in the body is left out. Without a ``key`` it gets one of its own. Raises as
        ``get`` does.
        """
        said = {name: value for name, value in body.items() if value is not None}
        headers = {"Content-Type": "application/json", "Idempotency-Key": key or str(uuid.uuid4())}
        return self._called(path, json.dumps(said).encode(), headers, by)

    def mint(self, path: str) -> Table:
        """Have a secret made, which takes no key: it is asked for once. Raises as ``get`` does."""
        return self._read(self._sent(path, b"", {}, None))

    def _called(
        self,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        by: Presented | None = None,
    ) -> Table:
        for attempt in range(AGAIN + 1):
            is_last = attempt == AGAIN
            try:
                answer = self._sent(path, body, headers, by)
            except Unavailable:
                if is_last:
                    raise
                self.pause(attempt + 1)
                continue
            wait = None if is_last else _waits(answer, attempt)
            if wait is None:
                return self._read(answer)
            self.pause(wait)
        raise AssertionError  # the last attempt returns or raises

    def _sent(
        self, path: str, body: bytes | None, headers: Mapping[str, str], by: Presented | None
    ) -> Answer:
        try:
            presented = by or self.present()
        except Unavailable as exc:  # of the issuer, which the session asks again itself
            raise _Unpresented(exc) from None
        endpoint = Endpoint.parse(self.url)
        base = "" if endpoint.target == "/" else endpoint.target
        sent = {"Accept": "application/json", "User-Agent": "jitcloud", **headers}
        if presented.kind == "oidc":
            sent["Authorization"] = f"Bearer {presented.text}"
        else:
            sent["X-Jitcloud-Identity"] = presented.text
            if self.sign is not None:
                base = f"{base}{_AWS}"
                url = f"{self.url}{_AWS}{path}"
                sent = {**sent, **self.sign("GET" if body is None else "POST", url, sent, body)}
        server = Server(self.who, endpoint.address, timeout=WITHIN, limit=LARGEST)
        return server.post(f"{base}{path}", sent, body)

    def _read(self, answer: Answer) -> Table:
        table = members(answer.body)
        if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES and table is not None:
            return table
        raise refusal(answer, table, self.who)


class _Unpresented(Misconfigured):
    """Nobody can say who speaks just now."""

    def __init__(self, cause: JitError) -> None:
        super().__init__(str(cause))


def members(body: bytes) -> dict[str, object] | None:
    """The members of the JSON object that a body is, or None where it is none."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):  # not JSON, not text, numbers or nesting without end
        return None
    return said if isinstance(said, dict) else None


def _waits(answer: Answer, attempt: int) -> float | None:
    """How many seconds to wait before a call is sent again; None where its answer counts."""
    told = answer.headers.get("retry-after", "")
    # 409 with a time to wait is the same call, sent before and still being done.
    if answer.status not in _BUSY and not (answer.status == HTTPStatus.CONFLICT and told):
        return None
    return min(int(told), LONGEST_WAIT) if _SECONDS.fullmatch(told) else attempt + 1
