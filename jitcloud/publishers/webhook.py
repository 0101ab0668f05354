"""Passes events on over HTTPS, signed as Standard Webhooks 1.0.0 says.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime, timedelta

from jitcloud.address import Address
from jitcloud.envelopes import id_of, text_of
from jitcloud.errors import Misconfigured, Refused, Unavailable
from jitcloud.https import Server
from jitcloud.model import Request, Sealed
from jitcloud.ports import Clock
from jitcloud.secret import Secret

TIMEOUT = timedelta(seconds=10)
"""For connecting, sending and the whole answer."""

PREFIX = "whsec_"
"""What a secret begins with; base 64 of 24 to 64 bytes follows."""

SHORTEST, LONGEST = 24, 64

GONE = 410


class WebhookPublisher:
    """Posts each event to one address. Its repr shows no secret."""

    def __init__(  # noqa: PLR0913 - keyword-only, what one receiver differs in from another
        self,
        channel: str,
        url: str,
        secrets: Sequence[Secret],
        *,
        clock: Clock,
        texts: bool = False,
        timeout: timedelta = TIMEOUT,
    ) -> None:
        """Take the places of the secrets, the newest first: it signs with each of them.

        They are read for each event, and never kept. Raises ``Invalid`` for what is no address.
        """
        address = Address.parse(url)
        self.channel = channel
        self._who = f"The receiver {address}"
        self._server = Server(self._who, address, timeout=timeout)
        self._path = "/" if url.endswith("/") else ""  # which an address leaves out
        self._secrets = tuple(secrets)
        self._clock = clock
        self._texts = texts

    def __repr__(self) -> str:
        return f"WebhookPublisher({self.channel})"

    def publish(self, request: Request, events: Sequence[Sealed]) -> None:
        for line in events:
            body = text_of(line, request, texts=self._texts).encode()
            keys = [key_of(secret) for secret in self._secrets]
            headers = signed(id_of(line), self._clock(), body, keys)
            self._believe(self._server.post(self._path, headers, body).status)

    def _believe(self, status: int) -> None:
        if 200 <= status < 300:  # noqa: PLR2004 - "success"
            return
        if status == GONE:
            raise Refused(f"{self._who} wants no more (410); take it out of [[publish.webhook]].")
        raise Unavailable(f"{self._who} answered with status {status}, not with 200.")


def signed(id_: str, now: datetime, body: bytes, keys: Sequence[bytes]) -> dict[str, str]:
    """Return the headers that prove who sends a body, and when: one signature for each key."""
    timestamp = str(int(now.timestamp()))
    text = b".".join((id_.encode(), timestamp.encode(), body))
    digests = [hmac.new(key, text, hashlib.sha256).digest() for key in keys]
    signatures = [f"v1,{base64.b64encode(digest).decode()}" for digest in digests]
    return {
        "Content-Type": "application/json",
        "User-Agent": "jitcloud",
        "webhook-id": id_,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(signatures),
    }


def key_of(secret: Secret) -> bytes:
    """Read a key from its place. Raises ``Misconfigured``, without any of it."""
    text = secret.read()
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not text.startswith(PREFIX) or not SHORTEST <= len(key) <= LONGEST:
        raise Misconfigured(
            f"What is in {secret} is no secret of a webhook; put there {PREFIX} and {SHORTEST} to"
            f" {LONGEST} random bytes in base 64."
        )
    return key
