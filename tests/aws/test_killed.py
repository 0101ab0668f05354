"""The broker is killed (SIGKILL) before every store and AWS call of a whole lifetime."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from jitcloud.audit import chain
from jitcloud.audit.public_keys import TrustedKeys, public_keys
from jitcloud.model import Credentials, Request
from jitcloud.ports import Store
from jitcloud.stores.sqlite import SqliteStore
from tests import deployments
from tests.aws import killed
from tests.aws.conftest import Aws
from tests.processes import PROCESSES


@pytest.mark.parametrize(
    "every",
    [pytest.param(1, marks=pytest.mark.long, id="each call"), pytest.param(2, id="every other")],
)
def test_killed_before_any_call_nothing_is_alive_past_the_deadline(
    aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, every: int
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", aws.account)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    handed_out: list[tuple[str, Credentials]] = []
    folders: list[Path] = []
    calls = ""
    for at in range(1, 500, every):
        document = aws.deny_document()
        role = aws.role(boundary=document)
        folder = deployments.make(
            tmp_path / str(at),
            endpoint_url=aws.endpoint_url,
            entitlements={
                name: {"role_arn": role, "deny_document": document}
                for name in ("dev-role", "prod-role")
            },
        )
        folders.append(folder)
        got, calls = _run(folder, at)
        bucket = ""
        for made in got:
            bucket = bucket or aws.bucket()
            handed_out.append((bucket, made))
        _the_end_is_on_record(folder, len(got))
        if calls:
            break
    assert calls.count("SqliteStore.commit") >= 5, calls
    assert calls.count("URLLib3Session.send") >= 5, calls
    assert len(folders) > 30 / every

    deadline = datetime.now(UTC) + killed.WINDOW
    while datetime.now(UTC) < deadline:
        time.sleep(0.1)
    alive = [made for bucket, made in handed_out if aws.can_read(made, bucket)]
    assert alive == [], f"{len(alive)} sessions outlive their deadline"
    assert len(handed_out) > 10 / every, "some sessions must have been handed out before a kill"

    for folder in folders:
        # First what the dead had claimed is free again; then what was let in only now is over,
        # and the denials of what has expired are pruned.
        killed.recover(folder, 3, 30, 31)
        with _store(folder) as store:
            for request in _requests(store):
                assert request.state.is_finished, (folder.name, request.state)
                chain.verify(
                    request,
                    store.events(request.id),
                    TrustedKeys(public_keys(folder / "keys")),
                )
            assert store.due(datetime.now(UTC) + timedelta(days=365), 10) == ()


def _run(folder: Path, at: int) -> tuple[list[Credentials], str]:
    mine, theirs = PROCESSES.Pipe(duplex=False)
    process = PROCESSES.Process(target=killed.live, args=(folder, at, theirs))
    process.start()
    theirs.close()
    got, calls = _listen(mine)
    process.join(30)
    assert process.exitcode == (0 if calls else -9), f"killed before call {at}"
    return got, calls


def _listen(mine: Connection) -> tuple[list[Credentials], str]:
    got: list[Credentials] = []
    for _ in range(10):
        try:
            first, second, third = mine.recv()
        except EOFError:
            return got, ""
        if first == "calls":
            return got, third
        got.append(
            Credentials(
                access_key_id=first,
                secret_access_key=second,
                session_token=third,
                expires_at=datetime.now(UTC),
            )
        )
    raise AssertionError(got)


def _the_end_is_on_record(folder: Path, handed_out: int) -> None:
    """P2: nothing was handed out whose end, and whose issue, is not recorded."""
    with _store(folder) as store:
        requests = _requests(store)
    if handed_out:
        (request,) = requests
        assert request.issued >= handed_out
        assert request.window is not None


def _store(folder: Path) -> closing[SqliteStore]:
    return closing(SqliteStore(folder / "jitcloud.db"))


def _requests(store: Store) -> list[Request]:
    found = [store.request(name) for name in store.ids(10)]
    return [request for request in found if request is not None]
