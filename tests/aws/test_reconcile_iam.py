"""With the record lost: who is still in a group, and which policies of ours are still there."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from jitcloud import slots
from jitcloud.errors import CloudRefused
from jitcloud.journals.file import FileJournal
from jitcloud.model import Area, Holder, RequestId, State
from jitcloud.ports import Journal
from jitcloud.providers.aws import iam_group, iam_policy, timed_policy
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.iam_group import GroupMembership, IamGroup
from jitcloud.providers.aws.iam_policy import IamPolicy, InlinePolicy
from jitcloud.providers.aws.sts_session import StsSession
from jitcloud.reconcile import Compared
from jitcloud.rounds import Tally
from jitcloud.verdicts import Verdict
from tests.aws.conftest import Aws, clients_of, named, now
from tests.aws.conftest import an_entitlement as an_sts_entitlement
from tests.aws.fake_aws import WHO, FakeAws, says
from tests.aws.iam_world import (
    NOTHING,
    Member,
    an_entitlement,
    catalog,
    documented,
    group,
    may,
    member,
    reading,
    rights,
    this_second,
)
from tests.factories import a_person
from tests.reconciling import reconcile
from tests.world import World

GROUP = "arn:aws:iam::111122223333:group/on-call"


@pytest.fixture(scope="module")
def ana(aws: Aws) -> Member:
    return member(aws)


@pytest.fixture(scope="module")
def ben(aws: Aws) -> Member:
    return member(aws)


@dataclass
class Lost:
    """A broker whose record can be lost, over an emulated account."""

    aws: Aws
    clients: Clients
    folder: Path
    catalog: str
    journal: Journal | None = None
    world: World = field(init=False)

    def __post_init__(self) -> None:
        self.lose()

    def lose(self) -> None:
        """Begin with an empty record."""
        self.world = World(
            self.folder,
            time=self.world.time if hasattr(self, "world") else this_second(),
            catalog_text=self.catalog,
            mechanisms={
                iam_group.KIND: IamGroup(self.clients),
                iam_policy.KIND: IamPolicy(self.clients),
            },
            kinds_={
                iam_group.KIND: GroupMembership(self.clients),
                iam_policy.KIND: InlinePolicy(self.clients),
            },
            journal=self.journal,
        )

    def sweep(self) -> None:
        for _ in range(4):
            self.world.sweep()
            self.world.time.forward(seconds=15)


def told(found: Compared) -> dict[str, Verdict]:
    """What was found, by the last part of its key."""
    return {each.place.rpartition("/")[2]: each.verdict for each in found.findings}


# ── Groups ───────────────────────────────────────────────────────────────────────────────────


def of_group(arn: str, people: dict[str, Member], **more: object) -> str:
    users = {person: each.arn for person, each in people.items()}
    target = {"group_arn": arn, "users": users, **more}
    return catalog(iam_group.KIND, dev_read=target, prod_write=target, prod_admin=target)


def join(aws: Aws, arn: str, who: Member) -> None:
    aws.iam().add_user_to_group(GroupName=named(arn), UserName=who.name)


def test_whoever_is_left_in_a_group_of_ours_is_found_and_taken_out(
    aws: Aws, clients: Clients, ana: Member, ben: Member, tmp_path: Path
) -> None:
    arn = group(aws, bucket := aws.bucket())
    here = Lost(aws, clients, tmp_path, of_group(arn, {"ana": ana}))
    assert here.world.ask("ana", minutes=60).state is State.ACTIVE
    join(aws, arn, ben)
    here.lose()
    expected = {ana.name: Verdict.LEAKED, ben.name: Verdict.LEAKED}
    assert told(reconcile(here.world, is_dry=True)) == expected
    assert told(reconcile(here.world, ends_leaked=True)) == expected
    assert aws.can_read(ana.key, bucket)
    here.sweep()
    assert not aws.can_read(ana.key, bucket)
    assert not aws.can_read(ben.key, bucket)
    assert reconcile(here.world).findings == ()


def test_in_a_group_that_others_use_too_only_what_the_journal_has_is_ours(
    aws: Aws, clients: Clients, ana: Member, ben: Member, tmp_path: Path
) -> None:
    arn = group(aws, bucket := aws.bucket())
    text = of_group(arn, {"ana": ana, "ben": ben}, exclusive=False)
    here = Lost(aws, clients, tmp_path, text, FileJournal(tmp_path / "journal"))
    assert here.world.ask("ana", minutes=60).state is State.ACTIVE
    join(aws, arn, ben)
    here.lose()
    found = reconcile(here.world, ends_leaked=True)
    assert told(found) == {ana.name: Verdict.LEAKED, ben.name: Verdict.FOREIGN}
    here.sweep()
    assert not aws.can_read(ana.key, bucket)
    assert aws.can_read(ben.key, bucket)


def test_in_a_group_that_is_not_there_is_nobody(
    aws: Aws, clients: Clients, ana: Member, tmp_path: Path
) -> None:
    gone = f"arn:aws:iam::{aws.account}:group/gone"
    found = reconcile(Lost(aws, clients, tmp_path, of_group(gone, {"ana": ana})).world)
    assert (found.findings, found.is_finished) == ((), True)


def test_a_broker_that_may_not_look_says_so_and_finishes_nothing(
    aws: Aws, ana: Member, tmp_path: Path
) -> None:
    arn = group(aws)
    blind = clients_of(aws, aws.user(NOTHING))
    found = reconcile(Lost(aws, blind, tmp_path, of_group(arn, {"ana": ana})).world)
    ((what, why),) = found.troubles
    assert what == f"{iam_group.KIND}/{arn}"
    assert "may look who is in this group" in why
    assert not found.is_finished


def test_the_rights_in_operations_are_enough_to_find_and_to_end(
    aws: Aws, ana: Member, tmp_path: Path
) -> None:
    arn = group(aws)
    join(aws, arn, ana)
    broker = aws.user(NOTHING)
    granted = documented("iam:AddUserToGroup", group=arn, user=ana.arn)
    # AWS judges a change of a group by the group, and the emulator by the user.
    may(aws, broker, *granted, {**granted[0], "Resource": ana.arn})
    here = Lost(aws, clients_of(aws, broker), tmp_path, of_group(arn, {"ana": ana}))
    assert reconcile(here.world, ends_leaked=True).tally == Tally(leaked=1)
    here.sweep()
    assert reconcile(here.world).findings == ()


def test_whether_a_group_is_ours_alone_stands_in_the_slot() -> None:
    kind, mechanism = GroupMembership(clients := Clients(clock=now)), IamGroup(clients)
    users = {"ana": "arn:aws:iam::111122223333:user/ana"}
    for exclusive, hold in ((True, "exclusive"), (False, "shared")):
        entitlement = an_entitlement(
            iam_group.KIND, group_arn=GROUP, users=users, exclusive=exclusive
        )
        place = mechanism.places(entitlement, a_person("ana")).grant
        assert place is not None
        slot = slots.at(place)
        assert kind.hold(slot) == hold
        assert (kind.area(slot),) == mechanism.areas(entitlement, now())
    (wrong,) = mechanism.check(
        an_entitlement(iam_group.KIND, group_arn=GROUP, users=users, exclusive="no")
    )
    assert "exclusive" in wrong


# ── Pages, as no emulator gives them ─────────────────────────────────────────────────────────


def a_page(*names: str, marker: str = "") -> str:
    users = "".join(
        f"<member><UserName>{name}</UserName><UserId>AIDA</UserId><Path>/</Path>"
        f"<Arn>arn:aws:iam::111122223333:user/team/{name}</Arn>"
        "<CreateDate>2020-01-01T00:00:00Z</CreateDate></member>"
        for name in names
    )
    more = "<IsTruncated>false</IsTruncated>"
    if marker:
        more = f"<IsTruncated>true</IsTruncated><Marker>{marker}</Marker>"
    return (
        '<GetGroupResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/"><GetGroupResult>'
        f"<Users>{users}</Users>{more}<Group><GroupName>on-call</GroupName><GroupId>AGPA</GroupId>"
        f"<Path>/</Path><Arn>{GROUP}</Arn><CreateDate>2020-01-01T00:00:00Z</CreateDate></Group>"
        "</GetGroupResult></GetGroupResponse>"
    )


AREA = Area(key=f"{iam_group.KIND}/{GROUP}", kind=iam_group.KIND, where={"group_arn": GROUP})


def test_a_group_is_read_a_page_at_a_time(fake: FakeAws, reach: Clients) -> None:
    fake.answers += [WHO, says(200, a_page("ana", "Ben", marker="next"))]
    kind = GroupMembership(reach, page=2)
    first = kind.ours(AREA, None, now())
    assert [place.key for place in first.found] == [f"{AREA.key}/ana", f"{AREA.key}/ben"]
    assert first.after == "next"
    fake.answers += [says(200, a_page(marker="more")), says(200, a_page("caro"))]
    empty = kind.ours(AREA, first.after, now())
    assert (empty.found, empty.after) == ((), "more"), "an empty page is not the end"
    last = kind.ours(AREA, empty.after, now())
    assert ([place.key for place in last.found], last.after) == ([f"{AREA.key}/caro"], None)
    asked = [(each.get("MaxItems"), each.get("Marker")) for each in fake.asked[1:]]
    assert asked == [("2", None), ("2", "next"), ("2", "more")]


def test_a_page_that_iam_no_longer_knows_is_refused(fake: FakeAws, reach: Clients) -> None:
    said = "<Error><Code>ValidationError</Code><Message>Invalid Marker.</Message></Error>"
    fake.answers += [WHO, says(400, f"<ErrorResponse>{said}</ErrorResponse>")]
    with pytest.raises(CloudRefused, match="Invalid Marker"):
        GroupMembership(reach).ours(AREA, "old", now())


# ── Policies ─────────────────────────────────────────────────────────────────────────────────


def of_role(arn: str, *statements: object) -> str:
    target = {"role_arn": arn, "policy": rights(*statements)}
    return catalog(iam_policy.KIND, dev_read=target, prod_write=target, prod_admin=target)


def of_users(people: dict[str, Member], *statements: object) -> str:
    users = {person: each.arn for person, each in people.items()}
    target = {"users": users, "policy": rights(*statements)}
    return catalog(iam_policy.KIND, dev_read=target, prod_write=target, prod_admin=target)


def test_a_policy_of_ours_is_found_by_its_mark_and_all_others_stay(
    aws: Aws, clients: Clients, tmp_path: Path
) -> None:
    arn = aws.role(NOTHING)
    bucket, session = aws.bucket(), aws.role_session(arn)
    here = Lost(aws, clients, tmp_path, of_role(arn, reading(bucket)))
    assert here.world.ask("ana", minutes=60).state is State.ACTIVE
    others = {"all", "jit-by-hand", f"jit-{'x' * 32}"}
    for name in others:
        aws.iam().put_role_policy(
            RoleName=named(arn), PolicyName=name, PolicyDocument=json.dumps(rights(NOTHING))
        )
    here.lose()
    found = reconcile(here.world, ends_leaked=True)
    name = timed_policy.policy_name([reading(bucket)])
    assert told(found) == {name: Verdict.LEAKED}
    slot = here.world.store.slot(found.findings[0].place)
    assert slot is not None
    assert slot.where == {"principal_arn": arn, "statements": [reading(bucket)]}
    assert aws.can_read(session, bucket)
    here.sweep()
    assert not aws.can_read(session, bucket)
    left = aws.iam().list_role_policies(RoleName=named(arn))["PolicyNames"]
    assert set(left) == others


def test_a_policy_of_ours_on_a_user_is_found_too(
    aws: Aws, clients: Clients, tmp_path: Path
) -> None:
    people = {"ana": member(aws), "ben": member(aws)}
    bucket = aws.bucket()
    here = Lost(aws, clients, tmp_path, of_users(people, reading(bucket)))
    for person in people:
        here.world.ask(person, minutes=60)
    here.lose()
    assert reconcile(here.world, ends_leaked=True).tally == Tally(leaked=2)
    here.sweep()
    assert not any(aws.can_read(each.key, bucket) for each in people.values())


def test_a_policy_of_ours_that_somebody_changed_is_ended_by_its_name(
    aws: Aws, clients: Clients, tmp_path: Path
) -> None:
    arn = aws.role(NOTHING)
    bucket, session = aws.bucket(), aws.role_session(arn)
    name = timed_policy.policy_name([reading("another")])
    aws.iam().put_role_policy(
        RoleName=named(arn), PolicyName=name, PolicyDocument=json.dumps(rights(reading(bucket)))
    )
    here = Lost(aws, clients, tmp_path, of_role(arn, reading("another")))
    assert aws.can_read(session, bucket)
    assert told(reconcile(here.world, ends_leaked=True)) == {name: Verdict.LEAKED}
    here.sweep()
    assert not aws.can_read(session, bucket)
    # What it was to allow stood nowhere, so it is not put again from this.
    kind = here.world.kinds[iam_policy.KIND]
    slot = here.world.store.all_slots(1)[0]
    with pytest.raises(CloudRefused, match="found changed by hand"):
        kind.put(slot, (RequestId("r"),), now())


def test_a_policy_whose_deadline_has_passed_is_cleared_away(
    aws: Aws, clients: Clients, tmp_path: Path
) -> None:
    arn = aws.role(NOTHING)
    here = Lost(aws, clients, tmp_path, of_role(arn, reading("some")))
    kind, mechanism = InlinePolicy(clients), IamPolicy(clients)
    entitlement = next(iter(here.world.advance.judge.catalog))
    place = mechanism.places(entitlement, a_person("ana")).grant
    assert place is not None
    past = Holder(request=RequestId("r"), until=now().replace(year=2020))
    kind.put(slots.join(slots.at(place), past, now()), (past.request,), past.until)
    assert reconcile(here.world, ends_leaked=True).tally == Tally(leaked=1)
    here.sweep()
    (area,) = mechanism.areas(entitlement, now())
    assert kind.ours(area, None, now()).found == ()


STATEMENTS: dict[str, list[dict[str, object]]] = {
    "no condition": [reading("x")],
    "a condition": [{**reading("x"), "Condition": {"Bool": {"aws:SecureTransport": "true"}}}],
    "the same operator": [
        {**reading("x"), "Condition": {"DateLessThan": {"aws:EpochTime": "2030-01-01T00:00:00Z"}}}
    ],
    "the same operator in other letters": [
        {**reading("x"), "Condition": {"datelessthan": {"aws:EpochTime": "2030-01-01T00:00:00Z"}}}
    ],
    "several": [{**reading("x"), "Sid": "One"}, {**reading("y"), "Sid": "Two"}],
}


@pytest.mark.parametrize("what", STATEMENTS)
def test_what_a_policy_was_to_allow_is_read_back_from_it(what: str) -> None:
    statements = STATEMENTS[what]
    policy = json.loads(timed_policy.document(statements, now()))
    assert list(timed_policy.untimed(policy)) == statements


@pytest.mark.parametrize(
    "policy", [None, "text", [], {}, {"Statement": "x"}, {"Statement": [1]}, {"Statement": {}}]
)
def test_from_what_is_no_policy_of_ours_nothing_is_read(policy: object) -> None:
    assert timed_policy.untimed(policy) == ()


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        (timed_policy.policy_name([reading("x")]), True),
        ("jit-0123456789abcdef0123456789abcdef", True),
        ("jit-0123456789ABCDEF0123456789abcdef", False),
        ("jit-0123", False),
        ("all", False),
        ("xjit-0123456789abcdef0123456789abcdef", False),
    ],
)
def test_our_mark_is_the_whole_of_a_name(name: str, *, ours: bool) -> None:
    assert timed_policy.is_ours(name) is ours


# ── Sessions ─────────────────────────────────────────────────────────────────────────────────


def test_sessions_stand_in_no_list() -> None:
    sessions = StsSession(Clients(clock=now))
    entitlement = an_sts_entitlement(role_arn="arn:aws:iam::111122223333:role/admin")
    assert sessions.areas(entitlement, now()) == ()
    assert sessions.parts(entitlement, now()) == ()
