"""What each stage says is true, as its mechanism gives and takes; and that both ways agree."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import pytest

from jitcloud import slots
from jitcloud.catalog import Catalog
from jitcloud.model import (
    Ask,
    Digest,
    Entitlement,
    EntitlementId,
    Holder,
    PersonId,
    Place,
    Request,
    RequestId,
    Slot,
    State,
    Window,
)
from jitcloud.ports import SlotKind
from jitcloud.providers.aws.sts_session import StsSession
from tests.factories import a_person
from tests.simulation.chaos import Injector
from tests.simulation.clock import START, Clock
from tests.simulation.clouds.aws import PROD
from tests.simulation.clouds.aws_stage import AwsStage
from tests.simulation.clouds.center import MEMBERS, TEAM, TEAM_WRITE, Assignments
from tests.simulation.clouds.groups import IamGroups
from tests.simulation.clouds.policies import DUTY, ROLE, IamPolicies
from tests.simulation.clouds.sessions import UNBOUND, StsSessions
from tests.simulation.dice import Dice
from tests.simulation.organisation import entitlements
from tests.simulation.stage import PEOPLE, Access, Driver, Setting

ANA = PersonId("ana")
REQUEST = RequestId("0" * 26)
MINUTE = timedelta(minutes=1)
STAGES: Sequence[type[AwsStage]] = (IamGroups, IamPolicies, Assignments)


@dataclass
class Here:
    """One stage, and its mechanism as one driver has it, with no fault."""

    stage: AwsStage
    clock: Clock
    chaos: Injector

    def __post_init__(self) -> None:
        mechanisms, self.kinds = self.stage.join(Driver("one", self.clock))
        self.mechanism = next(iter(mechanisms.values()))
        self.catalog = entitlements(self.stage.catalog, mechanisms)

    def place(self, entitlement: Entitlement, part: str = "") -> Place:
        found = self.mechanism.places(entitlement, a_person("ana"), part=part).grant
        assert found is not None
        return found

    def one(self, entitlement: Entitlement, part: str = "") -> Access:
        """What ana has, or a role or a group by her request, once she is given that."""
        return Access(self.stage.lets_in.get(entitlement.id, ANA), entitlement.id, part)

    def slot(self, place: Place, *holders: Holder) -> Slot:
        return Slot(key=place.key, kind=place.kind, where=place.where, holders=holders)

    def kind(self, place: Place) -> SlotKind:
        return self.kinds[place.kind]

    def put(self, place: Place, until: timedelta = 10 * MINUTE) -> None:
        self.kind(place).put(self.slot(place), (REQUEST,), self.clock.now + until)
        self.clock.forward(MINUTE)

    def remove(self, place: Place) -> None:
        self.kind(place).remove(self.slot(place))


def here(stage: type[AwsStage], seed: int = 1) -> Here:
    clock = Clock()
    chaos = Injector(clock, Dice(seed), on=False)
    return Here(stage(Setting(clock=clock, chaos=chaos, dice=Dice(seed))), clock, chaos)


def parts(here: Here, entitlement: Entitlement) -> Sequence[str]:
    return here.mechanism.parts(entitlement, here.clock.now) or ("",)


@pytest.mark.parametrize("of", STAGES)
def test_whoever_is_given_something_can_do_that_and_nothing_else(of: type[AwsStage]) -> None:
    this = here(of)
    for entitlement in this.catalog:
        for part in parts(this, entitlement):
            one = this.one(entitlement, part)
            place = this.place(entitlement, part)
            assert this.stage.access() == frozenset()
            this.put(place)
            assert this.stage.access() == {one}
            assert this.kind(place).see(this.slot(place), this.clock.now).present
            this.remove(place)
            this.clock.forward(MINUTE)
            assert this.stage.access() == frozenset()


@pytest.mark.parametrize(("of", "which"), [(IamGroups, 0), (IamPolicies, 0), (IamPolicies, -1)])
def test_what_is_taken_away_acts_later_than_it_is_told(of: type[AwsStage], which: int) -> None:
    this = here(of)
    assert this.stage.acts_after > timedelta(0)
    place = this.place(this.catalog[which])
    this.put(place)
    this.remove(place)
    assert not this.kind(place).see(this.slot(place), this.clock.now).present
    assert this.stage.access()
    this.clock.forward(this.stage.acts_after)
    assert not this.stage.access()


@pytest.mark.parametrize("which", [0, -1], ids=["of a user", "of a role"])
def test_a_policy_ends_by_itself(which: int) -> None:
    this = here(IamPolicies)
    this.put(this.place(this.catalog[which]), until=2 * MINUTE)
    assert this.stage.access()
    this.clock.to(START + 2 * MINUTE)
    assert not this.stage.access()


@pytest.mark.parametrize("of", [IamPolicies, Assignments])
def test_whoever_asks_is_let_in_by_the_same_role_or_group(of: type[AwsStage]) -> None:
    this = here(of)
    assert of.lets_in
    for entitlement in this.catalog:
        keys = {
            found.key
            for name in PEOPLE
            for part in parts(this, entitlement)[:1]
            if (found := this.mechanism.places(entitlement, a_person(name), part=part).grant)
        }
        assert len(keys) == (1 if entitlement.id in of.lets_in else len(PEOPLE))


def test_a_role_has_what_it_had_before_beside_what_was_granted() -> None:
    this = here(IamPolicies)
    account = this.stage.aws.accounts[PROD]
    this.put(this.place(this.catalog[-1]))
    assert this.stage.complaints() == ()
    account.put_inline("role", ROLE, "rights", None)
    assert this.stage.complaints()


def test_who_is_in_a_group_signs_in_whoever_asked() -> None:
    this = here(Assignments)
    name = EntitlementId(TEAM_WRITE)
    entitlement = next(each for each in this.catalog if each.id == name)
    asked = PersonId(PEOPLE[-1])
    assert asked not in MEMBERS
    assert this.stage.used(asked, name) is None
    this.put(this.place(entitlement))
    said = this.stage.used(asked, name)
    assert said is not None
    assert said.startswith(MEMBERS)
    this.remove(this.place(entitlement))
    this.clock.forward(MINUTE)
    assert this.stage.access() == frozenset()
    assert this.stage.outlived() == {Access(TEAM, name)}
    this.clock.forward(60 * MINUTE)
    assert this.stage.outlived() == frozenset()


@pytest.mark.parametrize("of", [IamPolicies, Assignments])
def test_a_role_or_a_group_that_is_deleted_has_nothing_meanwhile(of: type[AwsStage]) -> None:
    this = here(of)
    shared = [each for each in this.catalog if each.id in of.lets_in]
    for entitlement in shared:
        this.put(this.place(entitlement))
    assert this.stage.access() == {this.one(each) for each in shared}
    assert isinstance(this.stage, IamPolicies | Assignments)
    deleted = (
        this.stage._delete_role if isinstance(this.stage, IamPolicies) else this.stage._dissolve  # noqa: SLF001 - nothing else is to be done by hand
    )
    assert deleted(Dice(1)) is not None
    assert this.stage.access() == frozenset()
    assert this.stage.taken() == {this.one(each) for each in shared}
    assert this.stage.complaints() == ()
    assert deleted(Dice(1)) is None, "it is not there"
    this.clock.forward(10 * MINUTE)
    assert deleted(Dice(1)) is not None, "it is there again"


def issued(this: Here, name: str, length: timedelta = 10 * MINUTE) -> Request:
    entitlement = next(each for each in this.catalog if each.id == name)
    ask = Ask(
        person=ANA,
        entitlement=entitlement,
        duration=length,
        justification="any",
        asked_at=this.clock.now,
    )
    request = Request(
        id=REQUEST,
        ask=ask,
        state=State.ACTIVE,
        seq=4,
        head=Digest("0" * 64),
        updated_at=this.clock.now,
    )
    window = Window(start=this.clock.now, deadline=this.clock.now + length)
    sessions = this.mechanism
    assert isinstance(sessions, StsSession)
    sessions.issue(request, window, timedelta(minutes=15), this.clock.now)
    return request


@pytest.mark.parametrize("name", ["session-read", "session-write"])
def test_a_session_can_until_the_deadline_or_until_it_is_denied(name: str) -> None:
    this = here(StsSessions)
    request = issued(this, name)
    one = Access(ANA, request.entitlement.id)
    assert this.stage.access() == {one}
    assert this.stage.complaints() == ()
    this.clock.to(START + 10 * MINUTE)
    assert this.stage.access() == frozenset()

    this = here(StsSessions)
    place = this.mechanism.places(issued(this, name).entitlement, a_person("ana")).denial
    assert place is not None
    this.clock.forward(MINUTE)
    until = this.clock.now + MINUTE
    holder = Holder(request=REQUEST, until=until, detail=place.detail)
    slot = this.slot(place, holder)
    this.kind(place).put(slot, (REQUEST,), until)
    assert this.kind(place).see(slot, this.clock.now).holders == frozenset({REQUEST})
    assert this.stage.access() == {one}, "it takes a moment to act"
    this.clock.forward(this.stage.acts_after)
    assert this.stage.access() == frozenset()


def test_a_session_of_a_role_without_a_boundary_is_known_to_outlive_its_grant() -> None:
    this = here(StsSessions)
    issued(this, UNBOUND)
    assert this.stage.access() == frozenset()
    assert this.stage.outlived() == {Access(ANA, this.catalog[-1].id)}


def test_a_session_that_may_make_what_outlives_it_is_complained_of() -> None:
    this = here(StsSessions)
    issued(this, "session-read")
    account = this.stage.aws.accounts["111122223333"]
    object.__setattr__(account.sessions[0], "policy", None)
    assert len(this.stage.complaints()) == 2, "the boundary keeps boundaries as they are"


def test_what_came_of_a_permission_set_outlives_it_until_it_is_denied() -> None:
    this = here(Assignments)
    admin = next(each for each in this.catalog if each.id == "center-admin")
    places = this.mechanism.places(admin, a_person("ana"))
    place, denial = places.grant, places.denial
    assert place is not None
    assert denial is not None
    one = Access(ANA, admin.id)
    assert this.stage.used(ANA, admin.id) is None
    this.put(place)
    assert this.stage.used(ANA, admin.id) is not None
    this.remove(place)
    this.clock.forward(MINUTE)
    assert one not in this.stage.access()
    assert this.stage.outlived() == {one}
    until = this.clock.now + timedelta(hours=2)
    holder = Holder(request=REQUEST, until=until, detail=denial.detail, before=this.clock.now)
    slot = slots.join(slots.at(denial), holder, this.clock.now)
    this.kind(denial).put(slot, (REQUEST,), until)
    this.clock.forward(this.stage.acts_after)
    assert this.stage.outlived() == frozenset()


@pytest.mark.parametrize("of", [*STAGES, StsSessions])
def test_what_others_have_is_theirs_and_what_they_take_is_known(of: type[AwsStage]) -> None:
    this = here(of)
    for seed in range(6):
        this.stage.by_hand(Dice(seed), before=True)
    standing = this.stage.standing()
    assert standing <= this.stage.access()
    assert bool(standing) == (of is not StsSessions)
    assert this.stage.complaints() == ()
    if of is StsSessions:
        return
    for entitlement in this.catalog:
        for part in parts(this, entitlement):
            one = this.one(entitlement, part)
            if one not in standing:
                this.put(this.place(entitlement, part))
    with quietly(this.chaos):
        for seed in range(60):
            this.stage.by_hand(Dice(seed), before=False)
    assert standing <= this.stage.access(), "nobody takes what others gave"
    assert this.stage.complaints() == ()
    for whose in (ANA, *sorted(set(this.stage.lets_in.values()))):
        given = {one for one in this.stage.taken() if one.person == whose}
        assert given, f"something of {whose} was taken"
        assert not given & this.stage.access()


@contextmanager
def quietly(chaos: Injector) -> Iterator[None]:
    chaos.on = True
    yield
    chaos.on = False


@pytest.mark.parametrize("of", [IamGroups, IamPolicies])
def test_what_is_lost_of_others_is_complained_of(of: type[AwsStage]) -> None:
    this = here(of)
    for seed in range(20):
        this.stage.by_hand(Dice(seed), before=True)
    with quietly(this.chaos):
        for seed in range(40):
            this.stage.by_hand(Dice(seed), before=False)
    account = this.stage.aws.accounts["111122223333"]
    for groups in account.members.values():
        for past in groups.values():
            account.turn(past, None)
    for (kind, _), policies in account.inline.items():
        for written in policies.values() if kind == "user" else ():
            account.turn(written, None)
    assert this.stage.complaints()


def test_what_a_role_or_a_group_loses_of_others_is_complained_of() -> None:
    for of, who in ((IamPolicies, DUTY), (Assignments, TEAM)):
        this = here(of)
        for seed in range(20):
            this.stage.by_hand(Dice(seed), before=True)
        assert this.stage.complaints() == ()
        account = this.stage.aws.accounts[PROD]
        for name, written in account.inline_of("role", ROLE).items():
            if name != "rights":
                account.turn(written, None)
        if isinstance(this.stage, Assignments):
            made = this.stage.made
            this.stage.center.unassign_by_hand(made.team, made.elsewhere, PROD, "GROUP")
        assert any(str(who) in said for said in this.stage.complaints())


def test_the_catalogs_are_what_the_mechanisms_take() -> None:
    every: Sequence[type[AwsStage]] = (*STAGES, StsSessions)
    for of in every:
        this = here(of)
        assert isinstance(Catalog({each.id: each for each in this.catalog}), Catalog)
        assert all(this.mechanism.check(each) == () for each in this.catalog)
        assert 1 <= len(this.catalog) == of.catalog.count("[[entitlement]]") <= 5
        assert of.lets_in.keys() <= {each.id for each in this.catalog}
        assert not set(of.lets_in.values()) & set(PEOPLE), "no person is called like that"
