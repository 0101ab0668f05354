"""The journals that ship, held to the contract."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest

from jitcloud.adapters import journal_of
from jitcloud.emulators.ministack import Ministack
from jitcloud.errors import Unavailable
from jitcloud.journals.file import FileJournal
from jitcloud.journals.s3 import S3Journal
from jitcloud.settings import read_settings
from tests.aws.conftest import ministack as ministack  # noqa: PLC0414 - a fixture
from tests.aws.conftest import unique
from tests.contract.journals import NOW, JournalContract, a_slot, told

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class TestFileJournal(JournalContract):
    @pytest.fixture
    def journal(self, tmp_path: Path) -> FileJournal:
        return FileJournal(tmp_path / "journal")


@pytest.fixture
def s3(ministack: Ministack, monkeypatch: pytest.MonkeyPatch) -> S3Client:
    for name, value in ministack.environment.items():
        monkeypatch.setenv(name, value)
    return boto3.client("s3")


@pytest.fixture
def bucket(s3: S3Client) -> str:
    name = unique("journal")
    s3.create_bucket(Bucket=name)
    return name


class TestS3Journal(JournalContract):
    @pytest.fixture
    def journal(self, bucket: str, ministack: Ministack) -> S3Journal:
        return opened(bucket, ministack)

    def test_one_reads_what_another_has_noted(self, bucket: str, ministack: Ministack) -> None:
        opened(bucket, ministack).note(a_slot("ana"), NOW)
        assert told(opened(bucket, ministack)) == {"ana": NOW}

    def test_what_others_keep_in_the_bucket_is_left_alone(
        self, bucket: str, s3: S3Client, journal: S3Journal
    ) -> None:
        s3.put_object(Bucket=bucket, Key="elsewhere/x", Body=b"not ours")
        assert told(journal) == {}

    @pytest.mark.parametrize("body", [b"", b"{}", b"[" * 2000, b'{"at":"x"}', b"\xff", None])
    def test_what_is_damaged_is_told_and_nothing_is_made_of_it(
        self, bucket: str, s3: S3Client, journal: S3Journal, body: bytes | None
    ) -> None:
        journal.note(a_slot("ana"), NOW)
        (found,) = s3.list_objects_v2(Bucket=bucket)["Contents"]
        if body is None:  # that of another place
            said = {"at": NOW.isoformat(), "key": "k", "kind": "aws.iam-group", "where": {}}
            body = json.dumps(said).encode()
        s3.put_object(Bucket=bucket, Key=found["Key"], Body=body)
        with pytest.raises(Unavailable, match="is damaged at jit/"):
            told(journal)

    @pytest.mark.usefixtures("s3")
    def test_a_bucket_that_is_not_there_is_told(self, ministack: Ministack) -> None:
        journal = opened("nobody-has-this-bucket", ministack)
        with pytest.raises(Unavailable, match="cannot be written"):
            journal.note(a_slot("ana"), NOW)
        with pytest.raises(Unavailable, match="cannot be listed"):
            told(journal)

    def test_it_is_what_the_settings_name(
        self, bucket: str, ministack: Ministack, s3: S3Client, tmp_path: Path
    ) -> None:
        (tmp_path / "jitcloud.toml").write_text(
            f'[journal]\nbucket = "{bucket}"\nprefix = "jit"\n'
            f'[aws]\nendpoint_url = "{ministack.endpoint_url}"\n'
        )
        journal = journal_of(read_settings(tmp_path / "jitcloud.toml"), tmp_path)
        assert journal is not None
        journal.note(a_slot("ana"), NOW)
        (found,) = s3.list_objects_v2(Bucket=bucket)["Contents"]
        assert found["Key"].startswith("jit/")


def opened(bucket: str, ministack: Ministack) -> S3Journal:
    return S3Journal(bucket, "jit", region=ministack.region, endpoint_url=ministack.endpoint_url)
