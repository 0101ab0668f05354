"""A journal in S3: an object for each place, for brokers that have no disk.

Keep its bucket apart from the record: versioned, in no backup plan that would bring an old state
back, and written by nobody but who drives clouds. Each object is written over, whole or not at
all, and read back as written last (S3 user guide, "Amazon S3 data consistency model"); of one
place only one writes at a time, for it holds the place's claim.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import datetime
from hashlib import blake2b
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from jitcloud.errors import Invalid, Unavailable
from jitcloud.journals import noted
from jitcloud.model import Place, Slot, SlotKey
from jitcloud.text import printable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LONGEST = 64 * 1024
"""No object is longer, in bytes."""

_CONFIG = Config(
    connect_timeout=1.5,
    read_timeout=3,
    retries={"total_max_attempts": 3, "mode": "standard"},  # writing twice does no harm
    s3={"addressing_style": "path"},
)


class S3Journal:
    """Safe for several threads and any number of processes. Makes its client when first needed."""

    def __init__(
        self, bucket: str, prefix: str, *, region: str | None, endpoint_url: str | None = None
    ) -> None:
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._region = region
        self._endpoint_url = endpoint_url
        self._lock = threading.Lock()
        self._client: S3Client | None = None

    def note(self, slot: Slot, now: datetime) -> None:
        """Write down, durably, that this place is about to be filled. Raises ``Unavailable``."""
        self._write(slot, noted.text(slot, now))

    def cross_out(self, slot: Slot, now: datetime) -> None:
        """Write down that this place was proven empty. Raises ``Unavailable``."""
        self._write(slot, noted.text(slot, now, empty=True))

    def places(self) -> Iterator[tuple[Place, datetime]]:
        """Yield every place that is noted, each once, and when last. Raises ``Unavailable``."""
        for key in self._keys():
            place, noted_at = self._read(key)
            if noted_at is not None:
                yield place, noted_at

    def _write(self, slot: Slot, text: str) -> None:
        body = text.encode()
        if len(body) > LONGEST:
            raise Unavailable(
                f"{self._name} takes no object of {len(body)} bytes; shorten what the catalog says "
                "of this place."
            )
        try:
            self._made().put_object(Bucket=self._bucket, Key=self._key(slot.key), Body=body)
        except (ClientError, BotoCoreError) as exc:
            raise self._unavailable("written", exc) from exc

    def _keys(self) -> Iterator[str]:
        try:
            pages = self._made().get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix):
                for found in page.get("Contents", []):
                    yield found["Key"]
        except (ClientError, BotoCoreError) as exc:
            raise self._unavailable("listed", exc) from exc

    def _read(self, key: str) -> tuple[Place, datetime | None]:
        try:
            answer = self._made().get_object(Bucket=self._bucket, Key=key)
            body = answer["Body"].read(LONGEST + 1)
        except (ClientError, BotoCoreError) as exc:
            raise self._unavailable("read", exc) from exc
        try:
            place, noted_at = noted.place(json.loads(body))
        except (Invalid, ValueError, RecursionError) as exc:
            raise self._damaged(key) from exc
        if self._key(place.key) != key:
            raise self._damaged(key)
        return place, noted_at

    def _key(self, place: SlotKey) -> str:
        return f"{self._prefix}{blake2b(place.encode(), digest_size=16).hexdigest()}.json"

    @property
    def _name(self) -> str:
        return f"The journal s3://{printable(self._bucket)}/{printable(self._prefix)}"

    def _damaged(self, key: str) -> Unavailable:
        return Unavailable(
            f"{self._name} is damaged at {printable(key)}; restore that object's last version, or "
            "take it out."
        )

    def _unavailable(self, what: str, exc: Exception) -> Unavailable:
        code = type(exc).__name__
        if isinstance(exc, ClientError):
            code = printable(str(exc.response["Error"].get("Code", "")))
        return Unavailable(
            f"{self._name} cannot be {what} ({code}); see that the bucket is there, and that this "
            "role may."
        )

    def _made(self) -> S3Client:
        with self._lock:
            if self._client is None:
                self._client = boto3.client(
                    "s3",
                    region_name=self._region,
                    endpoint_url=self._endpoint_url,
                    config=_CONFIG,
                )
            return self._client
