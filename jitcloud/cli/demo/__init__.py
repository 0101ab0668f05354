"""``jitcloud demo``: access asked for, given, used and taken back, on this machine alone.

Starts an AWS on the loopback, plays a story in it and measures each line of it by calling that
AWS as the person who is said to do something. Leaves nothing running or lying about.
"""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console

from jitcloud.cli.demo.broker import BrokerProcess
from jitcloud.cli.demo.scenes import Story
from jitcloud.cli.demo.setting import prepare
from jitcloud.cli.demo.timeline import Timeline, Unexpected
from jitcloud.emulators.account import Account
from jitcloud.emulators.ministack import Ministack
from jitcloud.emulators.surroundings import apart

TITLE = "jitcloud demo: access that ends by itself, on an AWS of this machine's own"
INTERRUPTED = 130

_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run() -> int:
    """Play it; return 0 if everything was as promised, 1 if anything was not."""
    timeline = Timeline(Console(highlight=False, markup=False, emoji=False))
    try:
        with _interruptible(), ExitStack() as left:
            left.callback(_uninterrupted)  # the last in is the first out: see below
            _play(timeline, left)
    except Unexpected as exc:
        timeline.scene("Not as promised:")
        timeline.plain(str(exc))
        return 1
    except KeyboardInterrupt:
        timeline.scene("Interrupted; nothing is left running.")
        return INTERRUPTED
    timeline.summary()
    return 0


def _play(timeline: Timeline, left: ExitStack) -> None:
    left.enter_context(apart())
    folder = Path(left.enter_context(tempfile.TemporaryDirectory(prefix="jitcloud-demo-")))
    timeline.head(TITLE)
    aws = Ministack()
    left.callback(aws.stop)  # before it is started: an interruption may come at any point
    aws.start()
    account = Account(aws)
    setting = prepare(account, aws.endpoint_url, folder)
    timeline.tell("demo", f"starts an AWS at {aws.endpoint_url}, with IAM enforced, and in it")
    timeline.note("a bucket, two roles, three people and a broker's role")
    broker = BrokerProcess(folder, account.environment(setting.broker))
    left.callback(broker.stop)
    broker.start()
    timeline.tell("demo", f"starts the broker: process {broker.pid}, rules in Cedar, SQLite")
    Story(setting, broker, timeline).play()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Turn whatever asks this process to end into ``KeyboardInterrupt``, which cleans up."""
    before = {number: signal.signal(number, _interrupt) for number in _ENDINGS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    _uninterrupted()  # once is enough: what follows is cleaning up
    raise KeyboardInterrupt


def _uninterrupted() -> None:
    for number in _ENDINGS:
        signal.signal(number, signal.SIG_IGN)
