"""The anchors that ship, held to the contract."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from jitcloud.adapters import anchors_of
from jitcloud.anchors.file import FileAnchors
from jitcloud.anchors.s3 import Lock, S3Anchors
from jitcloud.errors import Conflict, Unavailable
from jitcloud.settings import read_settings
from tests.aws.conftest import unique
from tests.contract.anchors import NOW, AnchorsContract, a_line, texts

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

REGION = "us-east-1"


class TestFileAnchors(AnchorsContract):
    @pytest.fixture
    def anchors(self, tmp_path: Path) -> FileAnchors:
        return FileAnchors(tmp_path / "anchors")

    def test_a_line_that_a_crash_has_torn_is_none(
        self, anchors: FileAnchors, tmp_path: Path
    ) -> None:
        anchors.append(0, a_line(0), NOW)
        with (tmp_path / "anchors").open("ab") as file:
            file.write(b"\n" + a_line(4)[:-9] + b"\0\0\0")
        assert anchors.last() == a_line(0)
        anchors.append(4, a_line(4), NOW)
        assert (anchors.last(), texts(anchors)) == (a_line(4), [a_line(0), a_line(4)])

    def test_what_is_no_line_of_ours_is_told_to_whoever_verifies(
        self, anchors: FileAnchors, tmp_path: Path
    ) -> None:
        (tmp_path / "anchors").write_bytes(b"[" * 3000 + b"\n\xff\n")
        assert texts(anchors) == [b"[" * 3000, b"\xff"]
        anchors.append(0, a_line(0), NOW)
        assert anchors.last() == a_line(0)

    def test_of_several_at_once_one_wins(self, anchors: FileAnchors) -> None:
        lost: list[Conflict] = []

        def write(number: int) -> None:
            try:
                anchors.append(0, a_line(0, str(number)), NOW)
            except Conflict as exc:
                lost.append(exc)

        threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(lost), len(texts(anchors))) == (7, 1)

    def test_a_folder_of_single_ones_is_read_in_the_order_of_its_names(
        self, tmp_path: Path
    ) -> None:
        for start in (16, 2, 0):
            (tmp_path / f"{start:016d}.json").write_bytes(a_line(start))
        folder = FileAnchors(tmp_path)
        assert texts(folder) == [a_line(0), a_line(2), a_line(16)]
        assert folder.last() == a_line(16)

    def test_a_folder_that_is_not_there_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(Unavailable, match="cannot be written"):
            FileAnchors(tmp_path / "gone" / "anchors").append(0, a_line(0), NOW)


@pytest.fixture(scope="module")
def moto() -> Iterator[S3Client]:
    with pytest.MonkeyPatch.context() as patch, mock_aws():
        for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        yield boto3.client("s3", region_name=REGION)


@pytest.fixture
def bucket(moto: S3Client) -> str:
    name = unique("anchors")
    moto.create_bucket(Bucket=name, ObjectLockEnabledForBucket=True)
    return name


def opened(bucket: str, lock: Lock = "COMPLIANCE") -> S3Anchors:
    retention = timedelta(days=30_000)  # longer than these tests are from the time they are about
    return S3Anchors(bucket, "jit", lock=lock, retention=retention, region=REGION)


class TestS3Anchors(AnchorsContract):
    @pytest.fixture
    def anchors(self, bucket: str) -> S3Anchors:
        return opened(bucket)

    def test_each_is_locked_for_as_long_as_is_configured(
        self, anchors: S3Anchors, bucket: str, moto: S3Client
    ) -> None:
        anchors.append(0, a_line(0), NOW)
        head = moto.head_object(Bucket=bucket, Key="jit/0000000000000000.json")
        assert head["ObjectLockMode"] == "COMPLIANCE"
        assert head["ObjectLockRetainUntilDate"] == NOW + timedelta(days=30_000)
        with pytest.raises(ClientError, match="AccessDenied"):
            moto.delete_object(
                Bucket=bucket, Key="jit/0000000000000000.json", VersionId=head["VersionId"]
            )
        assert texts(anchors) == [a_line(0)]

    def test_governance_is_what_it_says(self, bucket: str, moto: S3Client) -> None:
        opened(bucket, lock="GOVERNANCE").append(0, a_line(0), NOW)
        head = moto.head_object(Bucket=bucket, Key="jit/0000000000000000.json")
        assert head["ObjectLockMode"] == "GOVERNANCE"

    def test_a_delete_marker_hides_nothing(
        self, anchors: S3Anchors, bucket: str, moto: S3Client
    ) -> None:
        anchors.append(0, a_line(0), NOW)
        anchors.append(7, a_line(7), NOW)
        moto.delete_object(Bucket=bucket, Key="jit/0000000000000007.json")
        assert (anchors.last(), texts(anchors)) == (a_line(7), [a_line(0), a_line(7)])
        with pytest.raises(Conflict):
            anchors.append(7, a_line(7, "another"), NOW)

    def test_of_two_that_have_looked_at_once_one_wins(
        self, anchors: S3Anchors, bucket: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        late = opened(bucket)
        monkeypatch.setattr(late, "_versions", lambda _: [])  # before the other has written
        anchors.append(0, a_line(0), NOW)
        with pytest.raises(Conflict):
            late.append(0, a_line(0, "another"), NOW)
        assert texts(anchors) == [a_line(0)]

    def test_of_two_versions_the_older_comes_first(
        self, anchors: S3Anchors, bucket: str, moto: S3Client
    ) -> None:
        anchors.append(0, a_line(0), NOW)
        moto.put_object(Bucket=bucket, Key="jit/0000000000000000.json", Body=a_line(0, "forged"))
        assert texts(anchors) == [a_line(0), a_line(0, "forged")]
        assert anchors.last() == a_line(0)

    def test_what_others_keep_in_the_bucket_is_left_alone(
        self, anchors: S3Anchors, bucket: str, moto: S3Client
    ) -> None:
        for name in ("x", "jit/x.json", "jit/12.json", "jit/0000000000000001.json.bak", "jit/²"):
            moto.put_object(Bucket=bucket, Key=name, Body=b"not ours")
        assert (anchors.last(), texts(anchors)) == (None, [])

    def test_a_bucket_without_object_lock_is_refused(self, moto: S3Client) -> None:
        moto.create_bucket(Bucket="unlocked-anchors")
        with pytest.raises(Unavailable, match="has Object Lock"):
            opened("unlocked-anchors").append(0, a_line(0), NOW)
        assert texts(opened("unlocked-anchors")) == []

    @pytest.mark.usefixtures("moto")
    def test_a_bucket_that_is_not_there_is_told(self) -> None:
        with pytest.raises(Unavailable, match="cannot be listed"):
            opened("nobody-has-it").last()

    def test_more_than_a_page_of_them_is_read(
        self, anchors: S3Anchors, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("jitcloud.anchors.s3.PAGE", 2)
        for start in range(5):
            anchors.append(start, a_line(start), NOW)
        assert (len(texts(anchors)), anchors.last()) == (5, a_line(4))

    def test_it_is_what_the_settings_name(
        self, bucket: str, moto: S3Client, tmp_path: Path
    ) -> None:
        file = tmp_path / "jitcloud.toml"
        file.write_text(
            f'[anchors]\nbucket = "{bucket}"\nprefix = "jit"\nregion = "us-east-1"\n'
            'lock = "compliance"\nretain_days = 7\n'
        )
        anchors = anchors_of(read_settings(file), tmp_path)
        assert anchors is not None
        anchors.append(0, a_line(0), NOW)
        head = moto.head_object(Bucket=bucket, Key="jit/0000000000000000.json")
        assert head["ObjectLockMode"] == "COMPLIANCE"
        assert head["ObjectLockRetainUntilDate"] == NOW + timedelta(days=7)
