"""Anchors in S3: an object for each checkpoint, locked there for a time (S3 Object Lock).

An object is named after the leaf at which its checkpoint begins, and written only where there is
none (``If-None-Match``): of two that go on from the same one, one is written. A lock holds a
*version*. Somebody with more rights may put another one over it, or a delete marker; so whoever
reads is given every version, the oldest first, and no marker hides any.

S3 user guide: "Locking objects with Object Lock", "How S3 Object Lock works" and "Add
preconditions to S3 operations with conditional requests".
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from jitcloud.anchors import TAKEN
from jitcloud.audit.checkpoint import LONGEST
from jitcloud.errors import Conflict, Unavailable
from jitcloud.text import printable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import ObjectVersionTypeDef

Lock = Literal["COMPLIANCE", "GOVERNANCE"]

_TAKEN = frozenset({"ConditionalRequestConflict", "PreconditionFailed"})
_CONFIG = Config(
    connect_timeout=1.5,
    read_timeout=4,
    # A write that is made twice finds its own: that is a conflict, and then read again.
    retries={"total_max_attempts": 2, "mode": "standard"},
    s3={"addressing_style": "path"},
)
PAGE = 1000
_PAGES = 2000
"""How many versions are listed at a time, and how often: two centuries of one an hour."""


class S3Anchors:
    """Safe for several threads and any number of processes. Makes its client when first needed."""

    def __init__(  # noqa: PLR0913 - the parts of an address, and of a lock
        self,
        bucket: str,
        prefix: str,
        *,
        lock: Lock,
        retention: timedelta,
        region: str | None,
        profile: str | None = None,
        endpoint_url: str | None = None,
    ) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._lock_mode = lock
        self._retention = retention
        self._region = region
        self._profile = profile
        self._endpoint_url = endpoint_url
        self._making = threading.Lock()
        self._client: S3Client | None = None

    @property
    def name(self) -> str:
        """Where it is, for whoever is told of it."""
        return f"s3://{printable(self._bucket)}/{printable(self._prefix)}"

    def append(self, start: int, line: bytes, now: datetime) -> None:
        """Write the checkpoint that begins at this leaf, locked for as long as is configured.

        Raises ``Conflict`` where one begins there already, and ``Unavailable``: also where the
        bucket has no Object Lock.
        """
        if len(line) > LONGEST:
            raise Unavailable(
                f"The anchors in {self.name} take no line of {len(line)} bytes; report it, for no"
                " checkpoint should have as many."
            )
        if self._versions(self._key(start)):  # a delete marker would let it through
            raise Conflict(TAKEN)
        try:
            self._made().put_object(
                Bucket=self._bucket,
                Key=self._key(start),
                Body=line,
                ContentType="application/json",
                IfNoneMatch="*",
                ChecksumAlgorithm="SHA256",  # with a lock S3 wants a checksum of what is sent
                ObjectLockMode=self._lock_mode,
                ObjectLockRetainUntilDate=now + self._retention,
            )
        except ClientError as exc:
            if exc.response["Error"].get("Code") in _TAKEN:
                raise Conflict(TAKEN) from exc
            raise self._unavailable("written", exc) from exc
        except BotoCoreError as exc:
            raise self._unavailable("written", exc) from exc

    def last(self) -> bytes | None:
        """Return the one that begins last; None before the first. Raises ``Unavailable``."""
        found = self._versions(self._prefix)
        if not found:
            return None
        # Of several versions the oldest counts, which comes first; max keeps the first of equals.
        key, version, _ = max(found, key=lambda each: each[2])
        return self._read(key, version)

    def lines(self) -> Iterator[tuple[str, bytes]]:
        """Yield what each object is called, and its text, in the order of their leaves.

        Of one object every version, the oldest first. Raises ``Unavailable``.
        """
        for key, version, _ in self._versions(self._prefix):
            yield printable(key.removeprefix(self._prefix)), self._read(key, version)

    def _versions(self, prefix: str) -> list[tuple[str, str, int]]:
        """Return every version of these checkpoints: key, version, and the leaf it begins at."""
        found: list[tuple[int, datetime, str, str]] = []
        try:
            for each in self._listed(prefix):
                digits = each["Key"].removeprefix(self._prefix).removesuffix(".json")
                if digits.isdecimal() and self._key(int(digits)) == each["Key"]:
                    start = int(digits)
                    found.append((start, each["LastModified"], each["Key"], each["VersionId"]))
        except (ClientError, BotoCoreError) as exc:
            raise self._unavailable("listed", exc) from exc
        # S3 lists the versions of a key from the newest to the oldest.
        found.reverse()
        found.sort(key=lambda each: each[:2])
        return [(key, version, start) for start, _, key, version in found]

    def _listed(self, prefix: str) -> Iterator[ObjectVersionTypeDef]:
        more: dict[str, Any] = {}
        for _ in range(_PAGES):
            page = self._made().list_object_versions(
                Bucket=self._bucket, Prefix=prefix, MaxKeys=PAGE, **more
            )
            yield from page.get("Versions", [])
            if not page.get("IsTruncated"):
                return
            more = {
                "KeyMarker": page["NextKeyMarker"],
                "VersionIdMarker": page["NextVersionIdMarker"],
            }

    def _read(self, key: str, version: str) -> bytes:
        try:
            answer = self._made().get_object(Bucket=self._bucket, Key=key, VersionId=version)
            return answer["Body"].read(LONGEST + 1)
        except (ClientError, BotoCoreError) as exc:
            raise self._unavailable("read", exc) from exc

    def _key(self, start: int) -> str:
        return f"{self._prefix}{start:016d}.json"

    def _unavailable(self, what: str, exc: Exception) -> Unavailable:
        code = type(exc).__name__
        if isinstance(exc, ClientError):
            code = printable(str(exc.response["Error"].get("Code", "")))
        return Unavailable(
            f"The anchors in {self.name} cannot be {what} ({code}); see that the bucket is there"
            " and has Object Lock, and that this role may."
        )

    def _made(self) -> S3Client:
        with self._making:
            if self._client is None:
                self._client = boto3.Session(profile_name=self._profile).client(
                    "s3",
                    region_name=self._region,
                    endpoint_url=self._endpoint_url,
                    config=_CONFIG,
                )
            return self._client
