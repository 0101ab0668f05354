"""From request to credentials, against the calls that no broker could do without."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import boto3

from jitcloud.model import EntitlementId, Request
from tests.bench.commits import Commits, Trivial
from tests.bench.emulated import Account, Now, account, organisation
from tests.bench.figures import Figure
from tests.bench.timing import MILLI, Say, by_turns, seconds_of
from tests.world import caller

if TYPE_CHECKING:
    from mypy_boto3_sts.type_defs import AssumeRoleRequestTypeDef

NAME = "credentials"
LIMIT = 1.5

COMMITS = {
    "asked + decided": "the ask and policy's signed answer are on record before anything acts on it",
    "activating + activated": "window and end are on record before anybody can have access",
    "issuing": "a set of credentials is on record before it is minted",
}
"""The commits of a lifetime up to its credentials, and what each is for."""

PAIRS = 400
WARM = 50
"""Pairs before the first that counts: connections are open, what AWS says of the role is known."""


def measure(folder: Path, say: Say) -> Iterable[Figure]:
    say("starting ministack")
    with account() as aws:
        ours = Ours(folder / "organisation", aws)
        bare = Bare(folder, aws, ours)
        say("request to credentials, and the bare calls, by turns")
        pairs = by_turns(ours.run, bare.run, pairs=PAIRS, seconds=60, warm=WARM)
        trivial = Trivial(folder / "trivial.db", len(COMMITS))
        least = median(seconds_of(trivial.run) for _ in range(PAIRS))
        for each in (trivial, bare, ours):
            each.close()
    times = {lap: median(took[WARM:]) * MILLI for lap, took in (ours.laps | bare.laps).items()}
    ours_ms, bare_ms = median(pairs.ours) * MILLI, median(pairs.bare) * MILLI
    yield Figure(
        name="request-to-credentials",
        what=f"request, wake and issue / bare AssumeRole and {len(COMMITS)} bare commits",
        value=pairs.ratio,
        unit="x",
        limit=LIMIT,
        parts={
            "ours (ms)": ours_ms,
            "bare (ms)": bare_ms,
            **{f"{lap} (ms)": took for lap, took in times.items()},
            "commits of one small row each (ms)": least * MILLI,
            "with those instead (x)": ours_ms / (times["bare AssumeRole"] + least * MILLI),
        },
        notes=(
            f"{pairs.middle_half}.",
            *(f"One commit for {what}: {why}." for what, why in COMMITS.items()),
            "A bare commit writes the rows of the one it stands for, into the same tables: no "
            "reading, no fence, no encoding, no signature.",
        ),
    )


class Ours:
    """The real core, as warm as a process that has served for a while."""

    def __init__(self, folder: Path, aws: Account) -> None:
        self.world, clients = organisation(folder, aws, Now())
        self.sent: AssumeRoleRequestTypeDef | None = None
        clients.sts("aws").meta.events.register(
            "provide-client-params.sts.AssumeRole", self._remember
        )
        self.last: Request | None = None
        self.laps: dict[str, list[float]] = {"request": [], "wake": [], "issue": []}

    def run(self) -> None:
        broker, advance, laps = self.world.broker, self.world.advance, self.laps
        laps["request"].append(seconds_of(self._ask))
        assert self.last is not None
        name = self.last.id
        laps["wake"].append(seconds_of(lambda: advance.wake(name)))
        laps["issue"].append(seconds_of(lambda: broker.issue(_WHO, name, self.world.time)))

    def close(self) -> None:
        self.world.store.close()

    def _ask(self) -> None:
        self.last = self.world.broker.request(
            _WHO,
            EntitlementId("dev-read"),
            duration=timedelta(hours=1),
            justification="Look into INC-7",
            now=self.world.time(),
        )

    def _remember(self, params: AssumeRoleRequestTypeDef, **_: object) -> None:
        self.sent = params


class Bare:
    """The AssumeRole that ours sent last, sent again, and its commits with nothing around them."""

    def __init__(self, folder: Path, aws: Account, ours: Ours) -> None:
        ours.run()
        assert ours.last is not None
        trail = ours.world.store.events(ours.last.id)
        self._ours = ours
        self._sts = boto3.client("sts", region_name=aws.region, endpoint_url=aws.endpoint_url)
        self._commits = Commits(folder / "bare.db", trail, WARM + PAIRS)
        assert self._commits.each == len(COMMITS)
        self.laps: dict[str, list[float]] = {"bare AssumeRole": [], "bare commits": []}

    def run(self) -> None:
        self.laps["bare AssumeRole"].append(seconds_of(self._assume))
        self.laps["bare commits"].append(seconds_of(self._commits.run))

    def close(self) -> None:
        self._commits.close()

    def _assume(self) -> None:
        assert self._ours.sent is not None
        self._sts.assume_role(**self._ours.sent)


_WHO = caller("u-dev")
