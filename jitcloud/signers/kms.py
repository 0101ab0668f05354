"""Signs with a key of AWS KMS that nobody can read: ECC_NIST_P256, ECDSA_SHA_256.

KMS is given the SHA-256 of what is signed: it takes 4,096 bytes at the most, and an event may
have more. For the same reason its Ed25519 keys are of no use here: ``ED25519_SHA_512`` takes
whole messages only, and ``ED25519_PH_SHA_512`` is another scheme (Ed25519ph, over a digest of the
digest), which hardly anything but KMS verifies (API reference of KMS, Sign).
"""

from __future__ import annotations

import base64
import hashlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, NoReturn

import boto3
from botocore import exceptions as sdk
from botocore.config import Config
from botocore.parsers import ResponseParserError
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from jitcloud.audit.public_keys import canonical, key_name
from jitcloud.errors import Misconfigured, Unavailable
from jitcloud.model import Signature
from jitcloud.ports import Clock
from jitcloud.text import printable, quoted

if TYPE_CHECKING:
    from mypy_boto3_kms import KMSClient

ALGORITHM: Final = "ECDSA_SHA_256"

PAUSE = timedelta(seconds=10)
"""For so long KMS is not asked again for the public half that it would not give.

Each of many requests would wait for it otherwise, and an end behind them as well.
"""

CONNECT_TIMEOUT, READ_TIMEOUT, ATTEMPTS = 1.0, 1.5, 2
"""In seconds, for each of so many attempts: five in all, and the SDK's pause between them."""

KEY_ARN = re.compile(
    r"arn:aws(?:-[a-z]{2,10}){0,3}:kms:(?P<region>[a-z0-9-]{5,30}):\d{12}:key/[A-Za-z0-9-]{1,100}"
)

_CONFIG = Config(
    connect_timeout=CONNECT_TIMEOUT,
    read_timeout=READ_TIMEOUT,
    retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
)

_MOST_SAID = 300


class KmsSigner:
    """Signs with one key of KMS, and knows its public half. Safe for several threads."""

    def __init__(
        self,
        arn: str,
        *,
        clock: Clock,
        profile: str | None = None,
        endpoint_url: str | None = None,
    ) -> None:
        """Remember which key; reads no credentials and opens no connection yet.

        Raises ``Misconfigured`` unless it is the ARN of a key: an alias could be moved to another
        one between two signatures.
        """
        found = KEY_ARN.fullmatch(arn)
        if found is None:
            raise Misconfigured(
                f"{quoted(arn)} is not the ARN of a KMS key; write one such as"
                " arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab,"
                " and no alias."
            )
        self._arn = arn
        self._region = found["region"]
        self._clock = clock
        self._profile = profile
        self._endpoint_url = endpoint_url
        self._lock = threading.RLock()
        self._client: KMSClient | None = None
        self._public: EllipticCurvePublicKey | None = None
        self._failed: tuple[datetime, Misconfigured] | None = None

    def __repr__(self) -> str:
        return f"KmsSigner({self._arn})"

    @property
    def key(self) -> str:
        """The name of the key. Raises ``Misconfigured`` and ``Unavailable``, as ``public``."""
        return key_name(self.public)

    @property
    def public(self) -> EllipticCurvePublicKey:
        """The public half, which KMS is asked for once (``kms:GetPublicKey``).

        Raises ``Misconfigured``, and ``Unavailable`` while KMS cannot be asked.
        """
        with self._lock:
            if self._public is None:
                self._spare()
                try:
                    self._public = self._fetched()
                except Misconfigured as exc:
                    self._failed = self._clock(), exc
                    raise
            return self._public

    def sign(self, message: bytes) -> Signature:
        """Sign the message (FIPS 186-5, ECDSA) with ``kms:Sign``.

        Raises ``Misconfigured``, and ``Unavailable`` where trying again may help.
        """
        name, digest = self.key, hashlib.sha256(message).digest()
        with self._asking("kms:Sign"):
            answer = self._kms().sign(
                KeyId=self._arn,
                Message=digest,
                MessageType="DIGEST",
                SigningAlgorithm=ALGORITHM,
            )
        try:
            value = canonical(answer.get("Signature", b""))
            self.public.verify(value, digest, ECDSA(Prehashed(SHA256())))
        except (InvalidSignature, ValueError) as exc:
            # In the trail it would spoil whatever follows.
            raise Misconfigured(
                f"What KMS signed with {self._arn} does not fit the public half of that key;"
                " nothing was recorded. Start again, and tell whoever keeps the key if it lasts."
            ) from exc
        return Signature(key=name, value=base64.b64encode(value).decode())

    def _spare(self) -> None:
        if self._failed is not None:
            at, why = self._failed
            if abs(self._clock() - at) < PAUSE:
                raise type(why)(str(why))

    def _fetched(self) -> EllipticCurvePublicKey:
        with self._asking("kms:GetPublicKey"):
            answer = self._kms().get_public_key(KeyId=self._arn)
        try:
            found = load_der_public_key(answer.get("PublicKey", b""))
        except (ValueError, UnsupportedAlgorithm) as exc:
            raise Unavailable(
                f"KMS gave no public key for {self._arn} that can be read; try again."
            ) from exc
        is_usable = answer.get("KeyUsage") == "SIGN_VERIFY"
        if not (
            is_usable
            and isinstance(found, EllipticCurvePublicKey)
            and isinstance(found.curve, SECP256R1)
        ):
            raise Misconfigured(self._of_another_kind())
        return found

    def _of_another_kind(self) -> str:
        return (
            f"The KMS key {self._arn} is of a kind that is not used here; make one with the key"
            " spec ECC_NIST_P256 and the key usage SIGN_VERIFY, and name it."
        )

    def _kms(self) -> KMSClient:
        with self._lock:
            if self._client is None:
                self._client = boto3.Session(profile_name=self._profile).client(
                    "kms",
                    region_name=self._region,
                    endpoint_url=self._endpoint_url,
                    config=_CONFIG,
                )
            return self._client

    @contextmanager
    def _asking(self, right: str) -> Iterator[None]:
        """Turn what the SDK raises into ``Misconfigured`` or ``Unavailable``."""
        try:
            yield
        except sdk.ClientError as exc:
            self._answered(exc, right)
        except (sdk.ParamValidationError, *_NO_IDENTITY) as exc:
            raise Misconfigured(
                f"There are no AWS credentials for {right}: {printable(str(exc))}. Give this"
                " process a role, or name a profile."
            ) from exc
        except (sdk.BotoCoreError, ResponseParserError) as exc:
            raise Unavailable(
                f"KMS did not answer {right} in time, or in no way that can be read"
                f" ({type(exc).__name__}); nothing was recorded. Try again."
            ) from exc

    def _answered(self, exc: sdk.ClientError, right: str) -> NoReturn:
        code = printable(str(exc.response["Error"].get("Code", "")))
        said = printable(str(exc.response["Error"].get("Message", ""))[:_MOST_SAID]).rstrip(".")
        match code:
            case "AccessDenied" | "AccessDeniedException":
                raise Misconfigured(
                    f"AWS refused {right} with {self._arn} ({said}); the role of this process needs"
                    " that right, and the key's own policy has to let it have it."
                ) from exc
            case "DisabledException" | "KMSInvalidStateException":
                raise Misconfigured(
                    f"The KMS key {self._arn} is disabled, or about to be deleted; enable it, or"
                    " name another one and keep the public half of this one."
                ) from exc
            case "NotFoundException" | "InvalidArnException":
                raise Misconfigured(
                    f"There is no KMS key {self._arn}; name another one, and keep the public half"
                    " of this one."
                ) from exc
            case "InvalidKeyUsageException" | "UnsupportedOperationException":
                raise Misconfigured(self._of_another_kind()) from exc
        status = exc.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in _LATER or "Throttl" in code or status == 429 or status >= 500:  # noqa: PLR2004 - of HTTP
            raise Unavailable(
                f"KMS cannot do {right} just now ({code}); nothing was recorded. Try again."
            ) from exc
        # AWS's own message may quote the signed request with its session token: it goes neither
        # into ours nor into a traceback.
        raise Misconfigured(
            f"AWS did not accept {right} ({code}); check that the credentials of this process have"
            " not expired and that its clock is right."
        ) from None


_LATER = frozenset(
    {
        "DependencyTimeoutException",
        "KMSInternalException",
        "KeyUnavailableException",
        "LimitExceededException",
        "RequestLimitExceeded",
        "TooManyRequestsException",
    }
)

_NO_IDENTITY = (
    sdk.NoCredentialsError,
    sdk.PartialCredentialsError,
    sdk.CredentialRetrievalError,
    sdk.ProfileNotFound,
    sdk.SSOError,
    sdk.InvalidConfigError,
    sdk.ConfigParseError,
)
