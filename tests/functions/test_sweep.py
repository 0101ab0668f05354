"""The scheduled function, over a deployment in a folder and a cloud that cannot be reached."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import jitcloud
from functions import sweep
from jitcloud import JitError, Misconfigured, State
from jitcloud.model import Evidence
from jitcloud.ports import Change
from jitcloud.stores.sqlite import SqliteStore
from jitcloud.waking import PUT_OFF
from tests import deployments
from tests.factories import a_slot

LONG_AGO = datetime.now(UTC) - timedelta(days=90)

Handler = Callable[[object, object], dict[str, int | bool]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.setenv(f"AWS_{name}", "of-nobody")
    made = deployments.make(
        tmp_path / "deployment",
        endpoint_url="http://127.0.0.1:9",  # nothing answers there
        entitlements={
            name: {"role_arn": f"arn:aws:iam::111122223333:role/{name}"}
            for name in ("dev-read", "prod-read")
        },
    )
    monkeypatch.setenv("JITCLOUD_CONFIG", str(made))
    return made


@pytest.fixture
def handler() -> Handler:
    """The function as it is after a cold start."""
    importlib.reload(sweep)
    return sweep.handler


def asked_long_ago(folder: Path, entitlement: str) -> jitcloud.Request:
    with jitcloud.load(folder, clock=lambda: LONG_AGO) as opened:
        return opened.acting_as("ana").request(entitlement, "30m", "Look into INC-7")


def now(folder: Path, request: jitcloud.Request) -> jitcloud.Request:
    with jitcloud.load(folder) as opened:
        return opened.acting_as("ana").show(request)


def leave_something_that_nothing_here_can_reach(folder: Path) -> None:
    store = SqliteStore(folder / "jitcloud.db")
    store.commit(Change(slots=(a_slot(1, wake_at=LONG_AGO),)))
    store.close()


def half_a_minute_passes(folder: Path) -> None:
    """For what is tried again then: it lets others go first."""
    store = SqliteStore(folder / "jitcloud.db")
    slot = store.slot(a_slot(1).key)
    assert slot is not None
    assert slot.wake_at is not None
    assert datetime.now(UTC) < slot.wake_at <= datetime.now(UTC) + PUT_OFF
    store.commit(Change(slots=(replace(slot, wake_at=LONG_AGO, version=slot.version + 1),)))
    store.close()


def test_what_is_over_ends_and_what_nobody_decided_lapses(folder: Path, handler: Handler) -> None:
    granted = asked_long_ago(folder, "dev-read")
    waiting = asked_long_ago(folder, "prod-read")
    assert (granted.state, waiting.state) == (State.ACTIVE, State.PENDING)

    assert handler({}, None) == {"woken": 2, "more": False}

    assert now(folder, granted).state is State.ENDED
    assert now(folder, granted).evidence is Evidence.NOTHING_ISSUED
    assert now(folder, waiting).state is State.LAPSED


def test_nothing_due_is_nothing_done(folder: Path, handler: Handler) -> None:
    assert folder.exists()
    assert handler({"source": "any scheduler"}, object()) == {"woken": 0, "more": False}


def test_trouble_is_raised_and_keeps_nothing_else_from_ending(
    folder: Path, handler: Handler
) -> None:
    leave_something_that_nothing_here_can_reach(folder)
    granted = asked_long_ago(folder, "dev-read")

    with pytest.raises(JitError, match=r"^1 of 2 are still due, such as\nazure:assignment:1: "):
        handler({}, None)

    assert now(folder, granted).state is State.ENDED
    half_a_minute_passes(folder)
    with pytest.raises(JitError, match=r"^1 of 1 are still due"):
        handler({}, None)


def test_a_broken_file_is_told_of_and_keeps_nothing_from_ending(
    folder: Path, handler: Handler
) -> None:
    granted = asked_long_ago(folder, "dev-read")
    catalog = folder / "catalog.toml"
    good = catalog.read_text()
    catalog.write_text("broken")
    with pytest.raises(Misconfigured, match="Only ends go on until this is mended"):
        handler({}, None)
    catalog.write_text(good)
    assert now(folder, granted).state is State.ENDED
    assert handler({}, None) == {"woken": 0, "more": False}


def test_a_deployment_that_could_not_be_opened_is_tried_again(
    folder: Path, handler: Handler
) -> None:
    file = folder / "jitcloud.toml"
    good = file.read_text()
    file.write_text("[awz]\n")
    with pytest.raises(Misconfigured, match="awz"):
        handler({}, None)
    file.write_text(good)
    assert handler({}, None) == {"woken": 0, "more": False}


@pytest.mark.parametrize("unset", [True, False], ids=["unset", "empty"])
def test_without_a_configuration_it_says_what_to_set(
    handler: Handler, monkeypatch: pytest.MonkeyPatch, *, unset: bool
) -> None:
    monkeypatch.setenv("JITCLOUD_CONFIG", "")
    if unset:
        monkeypatch.delenv("JITCLOUD_CONFIG")
    with pytest.raises(Misconfigured, match="Set JITCLOUD_CONFIG"):
        handler({}, None)


def test_importing_it_loads_no_cloud_sdk() -> None:
    told = "import functions.sweep, sys; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", told], check=True, capture_output=True, text=True)  # noqa: S603 - our own interpreter and text
    assert not {"boto3", "botocore", "azure", "google"} & set(done.stdout.split())
