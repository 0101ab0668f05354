"""The judge writes checkpoints: nobody else can sign, and no decision waits for one."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import pytest

from functions import judge
from jitcloud.anchoring import Anchoring
from jitcloud.anchors.file import FileAnchors
from jitcloud.checkpointing import Checkpointing
from jitcloud.fleet import judging
from jitcloud.fleet.publishing import Publishing
from jitcloud.instants import iso
from jitcloud.last_checkpoint import CHANNEL
from jitcloud.model import CONTROLS
from jitcloud.observing import logs
from tests.audit_attacks.stage import anchoring
from tests.world import World


@dataclass
class _Deployment:
    checkpointing: Checkpointing | None


def checkpoint(checkpointing: Checkpointing | None) -> None:
    judging.checkpoint(cast("Any", _Deployment(checkpointing)))


def figures(text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for line in text.splitlines():
        said = json.loads(line)
        for told in said.get("_aws", {}).get("CloudWatchMetrics", ()):
            found |= {metric["Name"]: said[metric["Name"]] for metric in told["Metrics"]}
    return found


@pytest.fixture
def writer(world: World, tmp_path: Path) -> Anchoring:
    return anchoring(world, tmp_path / "anchors")


def test_each_is_counted_as_a_signature_that_somebody_knows_of(
    world: World, writer: Anchoring, capsys: pytest.CaptureFixture[str]
) -> None:
    beside = Checkpointing(writer)
    for minute in range(61):
        checkpoint(beside)
        told = figures(capsys.readouterr().out)
        assert told == ({"SignedEvents": 1} if minute in {0, 60} else {}), minute
        world.time.forward(minutes=1)
    assert len(list(writer.anchors.lines())) == 2


def test_what_goes_wrong_is_logged_and_raised_to_nobody(
    world: World, writer: Anchoring, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.start(sys.stdout)
    checkpoint(Checkpointing(replace(writer, anchors=FileAnchors(tmp_path / "no" / "such"))))
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (trouble,) = [line for line in told if line.get("event") == "trouble"]
    assert (trouble["what"], "cannot be written" in trouble["why"]) == ("anchors", True)
    checkpoint(None)
    assert world.ask().state.value == "active"


def test_somebody_who_holds_the_mark_back_keeps_a_judge_from_none_for_longer_than_its_interval(
    world: World, writer: Anchoring
) -> None:
    beside = Checkpointing(writer)
    checkpoint(beside)
    for _ in range(70):
        world.time.forward(minutes=1)
        _pretend(world)
        checkpoint(beside)
    assert len(list(writer.anchors.lines())) == 2


def _pretend(world: World) -> None:
    """Write into the record that there was a checkpoint just now."""
    mark = world.store.mark(CHANNEL, CONTROLS)
    assert mark is not None
    world.store.put_mark(replace(mark, cursor=iso(world.time()), version=mark.version + 1))


class Call:
    """One call of the platform, of which a minute is left."""

    aws_request_id = "call-1"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


class _Broken:
    """A judge that can take nothing up."""

    def __init__(self, checkpointing: Checkpointing) -> None:
        self.deployment = _Deployment(checkpointing)


def test_what_cannot_be_taken_up_keeps_no_checkpoint_from_being_written(
    writer: Anchoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judge, "_judging", lambda: _Broken(Checkpointing(writer)))
    with pytest.raises(AttributeError, match="ledger"):
        judge.handler({"take_up": True}, Call())
    assert len(list(writer.anchors.lines())) == 1


def test_how_old_the_last_one_is_is_told_each_minute(
    world: World,
    writer: Anchoring,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("jitcloud.fleet.publishing.utc_now", world.time)
    publishing = Publishing(store=world.store, subscriptions=(), teller=None)
    publishing.stand()
    assert "CheckpointAge" not in figures(capsys.readouterr().out)
    writer.write()
    world.time.forward(minutes=5)
    publishing.stand()
    assert figures(capsys.readouterr().out)["CheckpointAge"] == 300_000
