"""What all stages of AWS have in common."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import ClassVar

from jitcloud.model import SKEW, Credentials, EntitlementId, PersonId, Request
from jitcloud.ports import Mechanism, SlotKind
from tests.simulation.clouds.aws import SETTLE, SHUT, Aws
from tests.simulation.clouds.reach import Reach, Wire
from tests.simulation.dice import Dice
from tests.simulation.stage import Access, Call, Driver, Setting

LAST = timedelta(minutes=15)
"""Whatever somebody else breaks is put right by then."""


class AwsStage:
    """One mechanism of AWS, over the state that all of them share in a world.

    What took access away acts late, by as much as differs from world to world: who could a
    moment ago still can. What gave it acts at once.
    """

    name: ClassVar[str]
    catalog: ClassVar[str]
    lets_in: ClassVar[Mapping[EntitlementId, PersonId]] = {}
    calls: ClassVar[tuple[Call, ...]]
    own_faults: ClassVar[tuple[str, ...]] = (SHUT, "is stale")
    held_by_cloud: ClassVar[bool] = False
    settle: ClassVar[timedelta] = SETTLE
    ends_within: ClassVar[timedelta] = timedelta(0)
    lingers: ClassVar[timedelta] = LAST
    wire: ClassVar[type[Wire]] = Wire

    def __init__(self, setting: Setting) -> None:
        self.clock, self.chaos = setting.clock, setting.chaos
        self.compared = setting.compared
        self._begun_at = setting.clock()
        self.aws = Aws.of(setting)
        # What is left of it where the clocks of two drivers are as far apart as they may be.
        self.acts_after = setting.dice.within(SETTLE - SKEW)
        self._standing: frozenset[Access] = frozenset()
        self._taken: frozenset[Access] = frozenset()
        self.aws.stages.append(self)

    # ── The product's side ───────────────────────────────────────────────────────────────────

    def join(self, driver: Driver) -> tuple[Mapping[str, Mechanism], Mapping[str, SlotKind]]:
        return self.put_together(Reach(self.wire(self.aws), self.name, driver))

    def put_together(self, reach: Reach) -> tuple[Mapping[str, Mechanism], Mapping[str, SlotKind]]:
        """Make the mechanism and the slot kinds as a configuration does."""
        raise NotImplementedError

    # ── What is true ─────────────────────────────────────────────────────────────────────────

    def access(self) -> frozenset[Access]:
        return frozenset(self.who_can())

    def who_can(self) -> Iterator[Access]:
        raise NotImplementedError

    def instants(self, changed_at: datetime) -> tuple[datetime, ...]:
        """By what was written when something is judged now: also a moment ago, if it differed."""
        now = self.clock()
        if changed_at + self.acts_after <= now:
            return (now,)
        return (now, max(now - self.acts_after, self._begun_at))

    def outlived(self) -> frozenset[Access]:
        return frozenset()

    def standing(self) -> frozenset[Access]:
        return self._standing

    def taken(self) -> frozenset[Access]:
        if self._taken:
            self._taken -= self.has()
        return self._taken

    def has(self) -> frozenset[Access]:
        """Who has it, by what is written now."""
        raise NotImplementedError

    def complaints(self) -> tuple[str, ...]:
        return ()

    def keeps(self, person: PersonId) -> bool:
        """Whether others gave somebody something here, so that their IAM user is not deleted."""
        return any(one.person == person for one in self._standing)

    def loses(self, person: PersonId) -> None:
        """Take note that somebody's IAM user is about to be deleted."""
        self._taken |= {one for one in self.has() if one.person == person}

    # ── What others do ───────────────────────────────────────────────────────────────────────

    def by_hand(self, dice: Dice, *, before: bool) -> str | None:
        if not before and dice.chance(0.25) and self.chaos.strikes(self.name, SHUT, 1):
            lasts = timedelta(minutes=dice.number(1, 10))
            self.aws.shut[self.name] = self.clock() + lasts
            return f"{self.name}: the broker may do nothing for {lasts}"
        return self.edited(dice, before=before)

    def edited(self, dice: Dice, *, before: bool) -> str | None:
        raise NotImplementedError

    def used(self, person: PersonId, entitlement: EntitlementId) -> str | None:  # noqa: ARG002 - see center.py
        return None

    def received(self, request: Request, credentials: Credentials) -> None:
        """Whatever was made is known already, whether or not it was handed out."""

    def close(self) -> None:
        """The state goes with the world."""


def entitlement(mechanism: str, id_: str, environment: str, privilege: str, target: str) -> str:
    """Write one table of the catalog; ``target`` is the inside of an inline table."""
    return f"""
[[entitlement]]
id = "{id_}"
title = "{id_}"
cloud = "aws"
mechanism = "{mechanism}"
privilege = "{privilege}"
environment = "{environment}"
owner = "leads"
target = {{ {target} }}
"""


def allowing(action: str, resource: str = "*", **condition: object) -> str:
    """Write a document with one Allow."""
    statement: dict[str, object] = {"Effect": "Allow", "Action": action, "Resource": resource}
    if condition:
        statement["Condition"] = condition
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
