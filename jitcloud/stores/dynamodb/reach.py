"""Reaches one table: a client made when first needed, few and short tries, errors in our words.

The SDK's own retries are off. It would repeat a write whose outcome is unknown without saying so,
and wait for longer than whoever waits for us.
"""

from __future__ import annotations

import random
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from botocore import exceptions as sdk
from botocore.config import Config
from botocore.parsers import ResponseParserError

from jitcloud.errors import Misconfigured, Unavailable
from jitcloud.text import printable, quoted

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

T = TypeVar("T")

TRIES = 5
"""How often one call is made at most, whatever is in its way."""

LOST = 3
"""How often at most where no answer came: each costs its whole timeout."""

FIRST_WAIT = 0.05
"""Seconds until the second try, half of it by chance; each further one waits twice as long."""

CONFIG = Config(
    connect_timeout=1.0,
    read_timeout=2.5,
    retries={"total_max_attempts": 1, "mode": "standard"},
    max_pool_connections=32,
    user_agent="jitcloud",  # made anew of a dozen parts for each call otherwise
)


class NotDone(Exception):
    """One try did not do it, or nobody knows whether it did. Never leaves the store."""

    def __init__(self, said: str, *, is_lost: bool, is_unknown: bool) -> None:
        """``is_lost`` where no answer came, ``is_unknown`` where it may have had its effect."""
        super().__init__(said)
        self.is_lost = is_lost
        self.is_unknown = is_unknown


class Reach:
    """One table. Safe for several threads; connects to nothing until something is asked of it."""

    def __init__(  # noqa: PLR0913 - all in which one way to a table differs from another
        self,
        table: str,
        *,
        region: str | None = None,
        profile: str | None = None,
        endpoint_url: str | None = None,
        client: Callable[[], DynamoDBClient] | None = None,
        pause: Callable[[float], object] = time.sleep,
    ) -> None:
        """Remember where the table is.

        Without a region, the SDK finds one in the environment, as on Lambda. ``client`` makes
        another client than the usual one; it should be ``checked``.
        """
        self.table = table
        self._region = region
        self._profile = profile
        self._endpoint_url = endpoint_url
        self._make = client or self._usual
        self._is_ours = client is None
        self._pause = pause
        self._lock = threading.Lock()
        self._made: DynamoDBClient | None = None

    @property
    def client(self) -> DynamoDBClient:
        """The SDK's client. Raises ``Misconfigured`` where none can be made."""
        with self._lock:
            if self._made is None:
                with translated(self.table):
                    self._made = self._make()
            return self._made

    def read(self, call: Callable[[DynamoDBClient], T], tries: Tries | None = None) -> T:
        """Make a call that changes nothing, again if need be, as far as ``tries`` go.

        Raises ``Unavailable``, and ``Misconfigured``.
        """
        tries = tries or self.tries()
        while True:
            try:
                with translated(self.table):
                    return call(self.client)
            except NotDone as exc:
                if not tries.again(exc):
                    raise Unavailable(str(exc)) from exc.__cause__

    def query(self, **asked: Any) -> Mapping[str, Any]:  # noqa: ANN401 - as the SDK takes it
        """``Query``, as a client has it."""
        return self.read(lambda client: client.query(**asked))

    def tries(self) -> Tries:
        """Begin to count how often something is tried."""
        return Tries(self._pause)

    def close(self) -> None:
        """Close what was opened here."""
        with self._lock:
            made, self._made = self._made, None
        if made is not None and self._is_ours:
            made.close()

    def _usual(self) -> DynamoDBClient:
        import boto3  # noqa: PLC0415 - only who makes a client needs it

        made = boto3.Session(profile_name=self._profile).client(
            "dynamodb",
            region_name=self._region,
            endpoint_url=self._endpoint_url,
            config=CONFIG,
        )
        return checked(made)


def checked(client: DynamoDBClient) -> DynamoDBClient:
    """Have a client refuse answers that are not whole."""
    client.meta.events.register("before-parse.dynamodb.*", _check_whole)
    return client


def _check_whole(response_dict: Mapping[str, Any], **_: object) -> None:
    """Refuse an answer that is not whole: the SDK would take it for an empty one.

    An item that is there would then seem not to be. DynamoDB sends a checksum with each answer.
    """
    body: bytes = response_dict["body"]
    told = response_dict["headers"].get("x-amz-crc32")
    if told is not None and str(zlib.crc32(body)) != told:
        raise ResponseParserError("The checksum does not match.")
    if response_dict["status_code"] < 300 and body[:1] + body[-1:] != b"{}":  # noqa: PLR2004 - "OK"
        raise ResponseParserError("This is no JSON object.")


class Tries:
    """Counts tries, and waits between them."""

    def __init__(self, pause: Callable[[float], object]) -> None:
        self._pause = pause
        self._count = 0
        self._lost = 0

    def again(self, trouble: NotDone | None = None) -> bool:
        """Wait for a moment, and say whether to try again."""
        self._count += 1
        self._lost += trouble is not None and trouble.is_lost
        if self._count >= TRIES or self._lost >= LOST:
            return False
        wait = FIRST_WAIT * 2 ** (self._count - 1)
        self._pause(wait * (1 + random.random()) / 2)  # noqa: S311 - it only spreads tries
        return True


# ── What went wrong, in our own words ────────────────────────────────────────────────────────

_THROTTLES = frozenset(
    {
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
    }
)
_DENIALS = frozenset({"AccessDenied", "AccessDeniedException"})
_UNTRUSTED = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "UnrecognizedClientException",
    }
)
_DECIDED_ELSEWHERE = frozenset(
    {
        "ConditionalCheckFailedException",
        "TransactionCanceledException",
        "TransactionConflictException",
    }
)
_NOTHING_SENT = (sdk.EndpointConnectionError, sdk.ConnectTimeoutError, sdk.ProxyConnectionError)
_NO_IDENTITY = (
    sdk.NoCredentialsError,
    sdk.PartialCredentialsError,
    sdk.CredentialRetrievalError,
    sdk.ProfileNotFound,
    sdk.SSOError,
    sdk.InvalidConfigError,
    sdk.ConfigParseError,
)
_MOST_SAID = 300
"""How many characters of what AWS says are told."""


# What botocore's readers of JSON raise over an answer that is none, as a proxy's may be.
_UNREADABLE = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


@contextmanager
def translated(table: str) -> Iterator[None]:
    """Turn what the SDK raises into ``NotDone`` or ``Misconfigured``.

    That a condition did not hold, or that somebody else is at an item, is left as it is: only who
    wrote knows what it means.
    """
    named = quoted(table)
    try:
        yield
    except sdk.ClientError as exc:
        _answered(exc, named)
    except _NO_IDENTITY as exc:
        raise Misconfigured(
            f"There are no AWS credentials to reach table {named} with ({type(exc).__name__}): "
            "give this process a role, or name a profile."
        ) from None
    except (sdk.NoRegionError, sdk.InvalidRegionError) as exc:
        raise Misconfigured(
            f"It is not said in which region table {named} is: write region under [store]."
        ) from exc
    except _NOTHING_SENT as exc:
        raise NotDone(
            f"DynamoDB cannot be reached for table {named}: see that this machine has a way to "
            "it, then try again.",
            is_lost=True,
            is_unknown=False,
        ) from exc
    except sdk.ParamValidationError as exc:
        raise Misconfigured(
            f"DynamoDB was not asked, because table {named} cannot be right: "
            f"{printable(str(exc)[:_MOST_SAID])}"
        ) from exc
    except (sdk.BotoCoreError, ResponseParserError, *_UNREADABLE) as exc:
        # No answer in time, a closed connection, an answer nobody can read: it may have arrived.
        raise NotDone(
            f"DynamoDB gives no answer for table {named}: wait a moment, look at what is there, "
            "then try again.",
            is_lost=True,
            is_unknown=True,
        ) from exc


def _answered(exc: sdk.ClientError, named: str) -> NoReturn:
    code = printable(str(exc.response["Error"].get("Code", "")))
    said = printable(str(exc.response["Error"].get("Message", ""))[:_MOST_SAID])
    status = exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _DECIDED_ELSEWHERE:
        raise exc
    if code in _THROTTLES:
        raise NotDone(
            f"DynamoDB limits the rate at which table {named} is used ({code}): try again "
            "shortly, and see what has become so busy.",
            is_lost=False,
            is_unknown=False,
        ) from exc
    if status >= 500 or code == "TransactionInProgressException":  # noqa: PLR2004 - AWS's own fault
        raise NotDone(
            f"DynamoDB fails for table {named} ({code}): wait a moment, look at what is there, "
            "then try again.",
            is_lost=False,
            is_unknown=True,
        ) from exc
    if code == "ResourceNotFoundException":
        raise Misconfigured(
            f"There is no table {named} here: see that [store] names the right one and its "
            "region, or make it from infra/template.yaml."
        ) from exc
    if code in _DENIALS:
        raise Misconfigured(
            f"AWS does not let this process use table {named}: {said.rstrip('.')}. "
            "Give its role that right."
        ) from exc
    if code in _UNTRUSTED:
        # AWS's own message may quote the signed request with its session token: it goes neither
        # into ours nor into a traceback.
        raise Misconfigured(
            f"AWS does not accept the credentials of this process for table {named} ({code}): "
            "see that they have not expired and that the clock of this machine is right."
        ) from None
    raise Misconfigured(
        f"DynamoDB refuses to work with table {named}: {code}: {said.rstrip('.')}. "
        "See that it was made as infra/template.yaml has it."
    ) from exc
