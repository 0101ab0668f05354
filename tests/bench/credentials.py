"""From request to credentials, against the calls that no broker could do without."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import apsw
import boto3

from jitcloud import codec
from jitcloud.model import EntitlementId, Request, State
from tests.bench.emulated import Account, Now, account, organisation
from tests.bench.figures import Figure
from tests.bench.timing import MILLI, Say, by_turns, seconds_of
from tests.world import caller

if TYPE_CHECKING:
    from mypy_boto3_sts.type_defs import AssumeRoleRequestTypeDef

LIMIT = 1.5

COMMITS = {
    "asked + decided": "the ask and policy's signed answer are on record before they are acted on",
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
        bare = Bare(folder / "bare.db", aws, ours)
        say("request to credentials, and the bare calls, by turns")
        pairs = by_turns(ours.run, bare.run, pairs=PAIRS, seconds=60, warm=WARM)
        bare.close()
        ours.close()
    laps = ours.laps | bare.laps
    yield Figure(
        name="request-to-credentials",
        what=f"request, wake and issue / bare AssumeRole and {len(COMMITS)} bare commits",
        value=pairs.ratio,
        unit="x",
        limit=LIMIT,
        parts={
            "ours (ms)": median(pairs.ours) * MILLI,
            "bare (ms)": median(pairs.bare) * MILLI,
            **{f"{lap} (ms)": median(took[WARM:]) * MILLI for lap, took in laps.items()},
            "in the quietest tenth (x)": pairs.quiet_ratio,
        },
        notes=(
            f"{pairs.middle_half}.",
            *(f"One commit for {what}: {why}." for what, why in COMMITS.items()),
            "A bare commit writes one row, with the bytes of the commit it stands for.",
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

    def commits(self) -> Sequence[int]:
        """How many bytes each commit of the last lifetime wrote."""
        assert self.last is not None
        request = self.world.now(self.last)
        assert request.state is State.ACTIVE
        snapshot = len(codec.encode_request(request))
        # What one commit writes has one date, and each commit here has its own.
        grouped = groupby(self.world.store.events(request.id), lambda line: line.event.at)
        return [snapshot + sum(len(line.text) for line in lines) for _, lines in grouped]

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
    """The AssumeRole that ours sent last, sent again, and commits with nothing around them."""

    def __init__(self, path: Path, aws: Account, ours: Ours) -> None:
        ours.run()
        self._ours = ours
        self._rows = ["x" * size for size in ours.commits()]
        assert len(self._rows) == len(COMMITS)
        self._sts = boto3.client("sts", region_name=aws.region, endpoint_url=aws.endpoint_url)
        self._sqlite = apsw.Connection(str(path))
        self._sqlite.pragma("journal_mode", "wal")
        self._sqlite.pragma("synchronous", "FULL")
        self._sqlite.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, body TEXT) STRICT")
        self.laps: dict[str, list[float]] = {"bare AssumeRole": [], "bare commits": []}

    def run(self) -> None:
        # In the order of a lifetime: what is minted is on record before.
        self.laps["bare commits"].append(seconds_of(self._commit))
        self.laps["bare AssumeRole"].append(seconds_of(self._assume))

    def close(self) -> None:
        self._sqlite.close()

    def _assume(self) -> None:
        assert self._ours.sent is not None
        self._sts.assume_role(**self._ours.sent)

    def _commit(self) -> None:
        for row in self._rows:
            self._sqlite.execute("BEGIN IMMEDIATE")
            self._sqlite.execute("INSERT INTO rows (body) VALUES (?)", (row,))
            self._sqlite.execute("COMMIT")


_WHO = caller("u-dev")
