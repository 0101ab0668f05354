"""How the publishers on AWS reach it: one attempt a call, and errors in our own words.

Nothing is retried here: a retry is a wake-up of whoever keeps the record.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import boto3
from botocore import exceptions as sdk
from botocore.config import Config
from botocore.parsers import ResponseParserError

from jitcloud.errors import Unavailable
from jitcloud.text import printable

CONFIG = Config(
    connect_timeout=1.5, read_timeout=3.5, retries={"total_max_attempts": 1, "mode": "standard"}
)
"""Five seconds a call: that is how long a receiver can keep its own channel waiting."""

_MOST_SAID = 300


class Reach:
    """One service of AWS, reached when it is first needed. Safe for several threads."""

    def __init__(
        self,
        service: str,
        *,
        region: str | None = None,
        profile: str | None = None,
        endpoint_url: str | None = None,
    ) -> None:
        """Remember where it is; reads no credentials and opens no connection yet."""
        self._service = service
        self._region = region
        self._profile = profile
        self._endpoint_url = endpoint_url
        self._lock = threading.Lock()
        self._client: Any = None

    def client(self) -> Any:  # noqa: ANN401 - of whichever service it is
        """Return the client, made once: neither it nor a session may be made by two threads."""
        with self._lock:
            if self._client is None:
                session: Any = boto3.Session(profile_name=self._profile)
                self._client = session.client(
                    self._service,
                    region_name=self._region,
                    endpoint_url=self._endpoint_url,
                    config=CONFIG,
                )
            return self._client


def region_of(arn: str) -> str | None:
    """Return the region an ARN names; None for what is no ARN."""
    parts = arn.split(":")
    return parts[3] if parts[0] == "arn" and len(parts) > 3 and parts[3] else None  # noqa: PLR2004 - of an ARN


@contextmanager
def sending(right: str, where: str) -> Iterator[None]:
    """Turn what the SDK raises into ``Unavailable``.

    Nothing that AWS says is taken for a last word: a bus or a topic can be mended, and an event
    that was passed over is lost.
    """
    try:
        yield
    except sdk.ClientError as exc:
        error = exc.response["Error"]
        refuse(right, where, str(error.get("Code", "")), str(error.get("Message", "")))
    except (sdk.ParamValidationError, *_NO_IDENTITY) as exc:
        raise Unavailable(
            f"{right} cannot be asked for: {printable(str(exc)[:_MOST_SAID])}. Give this process a"
            " role, or name a profile and a region."
        ) from exc
    except (sdk.BotoCoreError, ResponseParserError) as exc:
        raise Unavailable(
            f"AWS did not answer {right} on {where} in time, or in no way that can be read"
            f" ({type(exc).__name__})."
        ) from exc


def refuse(right: str, where: str, code: str, said: str) -> NoReturn:
    """Raise what an answer of AWS means."""
    shown, why = printable(code[:80]), printable(said[:_MOST_SAID]).rstrip(".")
    code = code.removesuffix("Exception")
    if code in _UNTRUSTED:
        # AWS's own message may quote the signed request with its session token.
        raise Unavailable(
            f"AWS did not accept {right} ({shown}); check that the credentials of this process have"
            " not expired and that its clock is right."
        ) from None
    if code in _DENIALS:
        raise Unavailable(
            f"AWS refused {right} on {where} ({why}); the role of this process needs that right."
        ) from None
    raise Unavailable(f"AWS did not do {right} on {where} ({shown}: {why}).") from None


_DENIALS = frozenset(
    {
        "AccessDenied",
        "AuthorizationError",
        "NotAuthorizedForDetailType",
        "NotAuthorizedForSource",
    }
)

_UNTRUSTED = frozenset(
    {
        "ExpiredToken",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignature",
        "RequestExpired",
        "SignatureDoesNotMatch",
        "UnrecognizedClient",
    }
)

_NO_IDENTITY = (
    sdk.NoCredentialsError,
    sdk.PartialCredentialsError,
    sdk.CredentialRetrievalError,
    sdk.NoRegionError,
    sdk.ProfileNotFound,
    sdk.SSOError,
    sdk.InvalidConfigError,
    sdk.ConfigParseError,
)
