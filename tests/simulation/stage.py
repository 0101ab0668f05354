"""How a cloud's mechanism joins the simulation: by a ``Stage``, and one line in ``registered.py``.

A stage is one cloud in which something can be granted: the real mechanism and slot kinds over the
state of an emulator, with every call that leaves them passed through ``Chaos.call``. It says what
is true there; what goes wrong, and when, is decided by ``chaos.py`` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, NamedTuple, Protocol, TypeVar

from jitcloud.model import Credentials, EntitlementId, PersonId, Request
from jitcloud.ports import Clock, Mechanism, SlotKind
from tests.simulation.dice import Dice

T = TypeVar("T")

PEOPLE = ("ana", "ben", "caro", "dee", "eli")
"""Everybody who may ask, by subject; their e-mails are ``ana@example.com`` and so on."""

ENVIRONMENTS = ("dev", "prod")
"""What the policy knows. ``dev`` is for everybody; in ``prod``, privilege ``read`` and ``write``
take one yes, and ``admin`` two. Owners are ``leads``."""

LONGEST = timedelta(minutes=40)
"""No grant here lasts longer, extensions included."""


class Access(NamedTuple):
    """That somebody can do what an entitlement gives (in one part of it, where it has parts)."""

    person: PersonId
    """Or a role or a group, of what it has itself: see ``Stage.lets_in``."""
    entitlement: EntitlementId
    part: str = ""


# ── Calls, and what becomes of them ──────────────────────────────────────────────────────────


class Does(StrEnum):
    """What a call is for: that decides what can become of it."""

    READ = "read"
    GRANT = "grant"
    REMOVE = "remove"
    """Takes access, or denies it."""


class Trouble(StrEnum):
    """How a call fails as far as its caller can tell."""

    THROTTLED = "throttled"
    """A rate limit: nothing happened."""
    DOWN = "down"
    """The cloud answers that it cannot (a 5xx it says no more of): nothing happened."""
    NO_ANSWER = "no answer"
    """No answer came in time: it may have happened, or may happen yet."""


@dataclass(frozen=True, slots=True)
class Call:
    """One way in which a stage's mechanism calls its cloud. Those of a stage are constants."""

    stage: str
    """``Stage.name``."""
    name: str
    """What the cloud calls it: ``iam:PutRolePolicy``."""
    does: Does
    timeout: timedelta
    """The caller gives up after this, and a call that is late lands within it."""


class Chaos(Protocol):
    """What decides what goes wrong. There is one of it in a world."""

    @property
    def dice(self) -> Dice:
        """The dice of the present step: never to be kept."""
        ...

    def call(self, call: Call, do: Callable[[], T], fails: Callable[[Trouble], Exception]) -> T:
        """Pass one call to a cloud: run ``do`` once, twice, later or never; answer, or raise.

        ``do`` changes the state of the cloud as of the world's clock *when it runs*, and returns
        the answer; it may raise what the cloud itself refuses. A late one runs while the clock is
        moved, and its answer reaches nobody. ``fails`` makes what the client library would raise
        (for boto3: a ``ClientError`` or a ``ReadTimeoutError``). Other drivers and people may act
        before this returns, and the clock may have moved; ``Killed`` ends the driver.
        """
        ...

    def age(self, stage: str, settle: timedelta) -> timedelta:
        """How old the answer to a read is that is about to be given: mostly nothing.

        For clouds whose reads lag behind: call it from within ``do``, and answer as of then.
        """
        ...

    def at(self, instant: datetime, do: Callable[[], object]) -> None:
        """Have the cloud do something once the world's clock gets there: what it was told before
        and does in its own time."""
        ...

    def strikes(self, stage: str, fault: str, chance: float) -> bool:
        """Whether a fault of the stage's own strikes now; it is counted if it does.

        ``fault`` is one of ``Stage.own_faults``.
        """
        ...


@dataclass(frozen=True, slots=True)
class Driver:
    """A process that drives clouds. Its clock may be wrong; that of the clouds is right."""

    name: str
    clock: Clock


@dataclass(frozen=True, slots=True)
class Setting:
    """What a stage is built in: one world."""

    clock: Clock
    """The right time, which a cloud has. It moves only between calls and inside ``Chaos.call``."""
    chaos: Chaos
    dice: Dice
    """To be drawn from while the stage is built, for what differs from world to world."""
    compared: bool = False
    """Whether ``jitcloud reconcile --end-leaked`` is run in this world: then whoever is in a place
    that the catalog leaves to jitcloud alone goes, so that nobody may stand there from before."""
    shared: dict[str, object] = field(default_factory=dict)
    """What stages of one cloud share, by a name of theirs: one AWS account, say. Slot kinds of one
    name that several stages bring must be over one state, for a driver has but one of them."""


# ── A cloud ──────────────────────────────────────────────────────────────────────────────────


class Stage(Protocol):
    """One cloud in one world. Building it takes well under a millisecond: there are many worlds.

    What a stage's class says holds for every world; only what it does may depend on ``Setting``.
    """

    name: ClassVar[str]
    """What it is called in stories and counts: that of its mechanism, as a rule."""
    catalog: ClassVar[str]
    """Its catalog, as TOML: one to five ``[[entitlement]]`` tables; ids are nobody else's."""
    lets_in: ClassVar[Mapping[EntitlementId, PersonId]]
    """Of entitlements that have one place for all who ask: the role or the group that has what
    they give, by a name that no person has.

    It has that by any request of anybody's for it, and for as long as one of them is at work: so
    ``Access`` names it wherever it would name whoever asked. Whoever may assume a role, or is in a
    group, can do what it can, and it makes no difference which of them asked.
    """
    calls: ClassVar[tuple[Call, ...]]
    """Every call that its mechanisms and kinds make. All that can go wrong with each must strike
    somewhere in a run of some size, else the run fails."""
    own_faults: ClassVar[tuple[str, ...]]
    """What else can go wrong in this cloud alone (``"delete fails"``); each must strike too."""
    held_by_cloud: ClassVar[bool]
    """Whether the cloud itself ends its grants: then they overstay by clock skew at most."""
    settle: ClassVar[timedelta]
    """Within this, reads and access follow what was answered."""
    ends_within: ClassVar[timedelta]
    """How long an end takes at most from when the cloud was told, where no fault strikes: an
    operation's own time; nothing where it acts at once."""
    lingers: ClassVar[timedelta]
    """How long the worst fault of the stage's own goes on: an operation that takes for ever."""

    def __init__(self, setting: Setting) -> None: ...

    def join(self, driver: Driver) -> tuple[Mapping[str, Mechanism], Mapping[str, SlotKind]]:
        """Make what one driver would be configured with, by its own clock.

        Called anew when a driver is started again: nothing that it knew may live on.
        """
        ...

    def access(self) -> frozenset[Access]:
        """Who can do what at this instant, however they came by it: the truth.

        Of credentials, whoever they were made for can, whether or not they arrived. Called after
        every step: it must be cheap.
        """
        ...

    def outlived(self) -> frozenset[Access]:
        """Who can do what by what they have made of access they no longer have (a role session
        of a permission set that was taken away); a subset of ``access`` or beside it."""
        ...

    def standing(self) -> frozenset[Access]:
        """What others gave, of what can be asked for, and nobody but them may take (P7)."""
        ...

    def taken(self) -> frozenset[Access]:
        """What others took by hand of what a grant of ours gives, and was not given again since:
        nobody is surprised if it is missing."""
        ...

    def complaints(self) -> tuple[str, ...]:
        """Say what of others' was changed or lost that is no ``Access`` (a foreign statement, a
        member, a binding), and what else is wrong in the cloud; empty when nothing is."""
        ...

    def by_hand(self, dice: Dice, *, before: bool) -> str | None:
        """Edit the cloud as somebody else would; say in a few words what was done, if anything.

        ``before``: nothing was ever granted yet, so standing access may be given. Later only what
        can be told from ours, or must be survived.
        """
        ...

    def used(self, person: PersonId, entitlement: EntitlementId) -> str | None:
        """Let somebody make of their access what outlives it, where anything can be made.

        Says what; None where there is nothing, or they have no access.
        """
        ...

    def received(self, request: Request, credentials: Credentials) -> None:
        """Take note of credentials that the broker handed out, for ``access`` to know them."""
        ...

    def close(self) -> None:
        """Let go of whatever the stage holds (servers); a stage in memory holds nothing."""
        ...


@dataclass(frozen=True, slots=True)
class Registered:
    """How a stage is built, in both speeds."""

    quick: type[Stage]
    """Over the state of an emulator, in this process: no HTTP, no SDK client."""
    real: type[Stage] | None = None
    """Through the real SDK clients over HTTP; None where there is no such thing."""
