"""Reaches AWS: clients made when first needed, one attempt a call, and errors in our own words.

Nothing is retried here: a retry is a wake-up of whoever keeps the record. Nothing is logged
here either, and no error message carries what a request was signed with.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import boto3
from botocore import exceptions as sdk
from botocore.config import Config
from botocore.parsers import ResponseParserError
from botocore.session import Session

from jitcloud.errors import CloudRefused, JitError, OutcomeUnknown, Throttled
from jitcloud.ports import Clock
from jitcloud.providers.aws.assumed import session_with
from jitcloud.providers.aws.sdk_data import boto3_session
from jitcloud.providers.aws.skew import ClockWatch
from jitcloud.providers.aws.target import parse_arn
from jitcloud.text import printable

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_sts import STSClient
    from mypy_boto3_sts.type_defs import AssumeRoleRequestTypeDef

CONNECT_TIMEOUT = 1.5
READ_TIMEOUT = 3.0
CALL = timedelta(seconds=CONNECT_TIMEOUT + READ_TIMEOUT)
"""How long one call may take. Names are resolved and addresses tried within it as a rule: the
SDK bounds each address, not all of them together."""

MOST_CODE = 80
MOST_SAID = 500
"""How many characters of AWS's codes and of what else it says are told: it goes into records
and messages."""

_CONFIG = Config(
    connect_timeout=CONNECT_TIMEOUT,
    read_timeout=READ_TIMEOUT,
    retries={"total_max_attempts": 1, "mode": "standard"},
    max_pool_connections=32,
)

SdkClient = Any
"""A client of a service whose type stubs are not installed with the linters."""

_FIRST_REGION = {"aws": "us-east-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
"""Where IAM and STS of a partition are asked when the deployment names no region of it."""


class Clients:
    """STS, IAM and Identity Center, in the broker's own account and in others.

    Safe for several threads.
    """

    def __init__(  # noqa: PLR0913 - all in which one way to AWS differs from another
        self,
        *,
        clock: Clock,
        region: str | None = None,
        profile: str | None = None,
        endpoint_url: str | None = None,
        external_id: str | None = None,
        identity_center_url: str | None = None,
    ) -> None:
        """Remember how to reach AWS. Reads no credentials and opens no connection yet.

        ``external_id`` is shown to each account role, so that a broker which serves several
        organisations is not talked into another one's accounts (IAM User Guide, "The confused
        deputy problem"). ``identity_center_url`` is where an emulator answers for Identity Center,
        its identity store and the organization; without one they are where the rest is.
        """
        self.clock = clock
        self.watch = ClockWatch(clock)
        self._region = region
        self._profile = profile
        self._endpoint_url = endpoint_url
        self._identity_center_url = identity_center_url or endpoint_url
        self._external_id = external_id
        # Clients may be shared by threads, but neither they nor sessions may be made by several
        # at once (boto3's guide, "Multithreading").
        self._lock = threading.RLock()
        self._sessions: dict[str | None, boto3.Session] = {}
        self._sts: dict[str, STSClient] = {}
        self._iam: dict[tuple[str, str | None], IAMClient] = {}
        self._others: dict[tuple[str, str, str | None], SdkClient] = {}
        self._identity: str | None = None

    def sts(self, partition: str, region: str | None = None) -> STSClient:
        """STS, with the broker's own credentials."""
        where = region or self._in(partition)
        with self._lock:
            if where not in self._sts:
                client = self._session(None).client(
                    "sts", region_name=where, endpoint_url=self._endpoint_url, config=_CONFIG
                )
                self.watch.follow(client)
                self._sts[where] = client
            return self._sts[where]

    def iam(self, partition: str, through: str | None = None) -> IAMClient:
        """IAM of the broker's own account, or of the account that has the role ``through``."""
        key = (self._in(partition), through)
        with self._lock:
            if key not in self._iam:
                client = self._session(through).client(
                    "iam", region_name=key[0], endpoint_url=self._endpoint_url, config=_CONFIG
                )
                self.watch.follow(client)
                self._iam[key] = client
            return self._iam[key]

    def sso_admin(self, region: str, through: str | None = None) -> SdkClient:
        """The API of Identity Center in the region of an instance."""
        return self._other("sso-admin", region, through)

    def identity_store(self, region: str, through: str | None = None) -> SdkClient:
        """The directory of an instance of Identity Center, in its region."""
        return self._other("identitystore", region, through)

    def organizations(self, partition: str, through: str | None = None) -> SdkClient:
        """The organization that the broker, or the role ``through``, is in."""
        return self._other("organizations", self._in(partition), through)

    def identity(self, partition: str) -> str:
        """The ARN the broker's own credentials belong to. Asked once: they do not change sides."""
        with self._lock:
            if self._identity is None:
                with translated("sts:GetCallerIdentity"):
                    self._identity = self.sts(partition).get_caller_identity()["Arn"]
            return self._identity

    def account(self, partition: str, through: str | None) -> str:
        """The account in which ``iam`` would look."""
        if through is not None:
            return parse_arn(through).account
        return self.identity(partition).split(":")[4]

    def _other(self, service: str, region: str, through: str | None) -> SdkClient:
        key = (service, region, through)
        with self._lock:
            if key not in self._others:
                client = self._session(through).client(  # type: ignore[call-overload] # the service is named by a variable
                    service,
                    region_name=region,
                    endpoint_url=self._identity_center_url,
                    config=_CONFIG,
                )
                self.watch.follow(client)
                self._others[key] = client
            return self._others[key]

    def _in(self, partition: str) -> str:
        region = self._region or _FIRST_REGION["aws"]
        return region if _partition(region) == partition else _FIRST_REGION[partition]

    def _session(self, through: str | None) -> boto3.Session:
        if through not in self._sessions:
            with translated("the broker's own credentials"):
                made = (
                    boto3_session(Session(profile=self._profile))
                    if through is None
                    else session_with(partial(self._assume, through))
                )
            self._sessions[through] = made
        return self._sessions[through]

    def _assume(self, role: str) -> Mapping[str, str]:
        """Credentials of the account role that reads and writes IAM in its own account."""
        denied = (
            " Check that this role exists, that its trust policy names the broker and, if it "
            "wants an external id, the external_id under [aws], and that the broker's own policies "
            "let it assume it."
        )
        with translated(f"sts:AssumeRole on {role}", denied=denied):
            asked: AssumeRoleRequestTypeDef = {"RoleArn": role, "RoleSessionName": "jitcloud"}
            if self._external_id is not None:
                asked["ExternalId"] = self._external_id
            sts = self.sts(parse_arn(role).partition)
            made = sts.assume_role(**asked)["Credentials"]
        return {
            "access_key": made["AccessKeyId"],
            "secret_key": made["SecretAccessKey"],
            "token": made["SessionToken"],
            "expiry_time": made["Expiration"].isoformat(),
        }


def _partition(region: str) -> str:
    for partition in ("aws-cn", "aws-us-gov"):
        if region.startswith(f"{partition.removeprefix('aws-')}-"):
            return partition
    return "aws"


# ── What went wrong, in our own words ────────────────────────────────────────────────────────

_THROTTLES = frozenset(
    {
        "BandwidthLimitExceeded",
        "RequestLimitExceeded",
        "RequestThrottled",
        "RequestThrottledException",
        "SlowDown",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_DENIALS = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation"})
_UNTRUSTED = frozenset(
    {
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "RequestExpired",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
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
# What botocore's readers of JSON and XML raise over an answer that is neither, or over an instant
# beyond all calendars: it may come of whatever stands between here and AWS.
_UNREADABLE = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


@contextmanager
def translated(doing: str, *, denied: str = "") -> Iterator[None]:
    """Turn what the SDK raises into ``CloudRefused``, ``Throttled`` or ``OutcomeUnknown``.

    ``doing`` names the call as in "AWS refused …"; ``denied`` says what to check when AWS
    denies it, for AWS itself often does not say.
    """
    try:
        yield
    except sdk.ClientError as exc:
        _answered(exc, doing, denied)
    except _NO_IDENTITY as exc:
        raise CloudRefused(
            f"The broker has no AWS credentials of its own for {doing}: {printable(str(exc))}. "
            "Give its process a role, or name a profile."
        ) from exc
    except _NOTHING_SENT as exc:
        raise Throttled(
            f"AWS cannot be reached for {doing}: {printable(str(exc))}. "
            "Nothing was sent; it can be tried again."
        ) from exc
    except sdk.ParamValidationError as exc:
        raise CloudRefused(
            f"{doing} was not sent, because it cannot be right: {printable(str(exc))}"
        ) from exc
    except JitError:
        raise
    except (sdk.BotoCoreError, ResponseParserError, *_UNREADABLE) as exc:
        # Everything else (no answer in time, a closed connection, an answer nobody can read)
        # may have happened after the request had arrived.
        raise OutcomeUnknown(
            f"No answer to {doing} came in time, or none that can be read ({type(exc).__name__}); "
            "AWS may have done it."
        ) from exc


def _answered(exc: sdk.ClientError, doing: str, denied: str) -> NoReturn:
    code = printable(str(exc.response["Error"].get("Code", ""))[:MOST_CODE])
    said = printable(str(exc.response["Error"].get("Message", ""))[:MOST_SAID])[:MOST_SAID]
    status = exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _THROTTLES or status == 429:  # noqa: PLR2004 - "Too Many Requests"
        raise Throttled(f"AWS limits the rate of {doing} ({code}); try again shortly.") from exc
    if status >= 500:  # noqa: PLR2004 - from here on the fault is on AWS's side
        raise OutcomeUnknown(f"AWS failed at {doing} ({code}); it may have done it.") from exc
    if code in _UNTRUSTED:
        # AWS's own message may quote the signed request with its session token: it goes neither
        # into ours nor into a traceback.
        raise CloudRefused(
            f"AWS did not accept the broker's own credentials for {doing} ({code}); "
            "check that they have not expired and that this machine's clock is right."
        ) from None
    if code in _DENIALS:
        raise CloudRefused(f"AWS refused {doing}: {said.rstrip('.')}.{denied}") from exc
    raise CloudRefused(f"AWS refused {doing}: {code}: {said}") from exc
