"""Plays the demo, and leaves nothing running or lying about, however it ends."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from jitcloud.cli.demo.broker import BrokerProcess, Said
from jitcloud.cli.demo.center import Center, serving
from jitcloud.cli.demo.scenes import Story
from jitcloud.cli.demo.setting import PEOPLE, Setting, prepare
from jitcloud.cli.demo.timeline import Timeline, Unexpected
from jitcloud.cli.exits import ExitCode
from jitcloud.cli.leaving import nothing_behind
from jitcloud.emulators.account import Account
from jitcloud.emulators.ministack import Ministack
from jitcloud.emulators.surroundings import apart

TITLE = "jitcloud demo: access that ends by itself, on an AWS of this machine's own"

Prepare = Callable[[Account, str, Center, Path], Setting]


def play(prepared: Prepare = prepare, template: Path | None = None) -> int:
    """Play it; return 0 if everything was as promised, 1 if anything was not.

    With the ``template`` of a checkout, play instead what it deploys.
    """
    timeline = Timeline(Console(highlight=False, markup=False, emoji=False))
    try:
        with nothing_behind() as left:
            if template is None:
                _play(timeline, left, prepared)
            else:
                _deploy(timeline, left, template)
    except (Unexpected, Said) as exc:
        timeline.failure(str(exc))
        return ExitCode.TROUBLES
    except KeyboardInterrupt:
        timeline.scene("Interrupted. Nothing is left running or lying about.")
        return ExitCode.INTERRUPTED
    timeline.summary()
    return ExitCode.OK


def _deploy(timeline: Timeline, left: ExitStack, template: Path) -> None:
    from jitcloud.cli.demo import fleet  # noqa: PLC0415 - it needs more than the rest does

    left.enter_context(apart())
    folder = Path(left.enter_context(tempfile.TemporaryDirectory(prefix="jitcloud-demo-")))
    fleet.play(folder, template.resolve().parents[1], timeline)


def _play(timeline: Timeline, left: ExitStack, prepared: Prepare) -> None:
    left.enter_context(apart())
    folder = Path(left.enter_context(tempfile.TemporaryDirectory(prefix="jitcloud-demo-")))
    timeline.head(TITLE)
    aws = Ministack()
    left.callback(aws.stop)  # before it is started: an interruption may come at any point
    aws.start()
    timeline.tell("demo", f"starts an AWS at {aws.endpoint_url}, with IAM enforced")
    center = Center.answering(left.enter_context(serving()), PEOPLE)
    timeline.tell("demo", f"starts an IAM Identity Center at {center.url}")
    account = Account(aws)
    setting = prepared(account, aws.endpoint_url, center, folder)
    timeline.tell("demo", "makes a bucket, two roles, three people and a broker's role")
    broker = BrokerProcess(folder, account.environment(setting.broker))
    left.callback(broker.stop)
    broker.start()
    timeline.tell("demo", f"starts the broker: process {broker.pid}, record in SQLite")
    Story(setting, broker, timeline).play()
