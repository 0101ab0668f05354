"""Which sessions of Identity Center go on once the account's deny document ends one.

Identity Center is emulated, and its roles are mirrored in an account that has a real IAM API: the
document goes there and comes back from there. Whether a session still works is judged by what
came back. ministack knows nothing of Identity Center's users, and takes a session's own ARN for
its role's, so it judges where tags stand in for both.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from jitcloud import slots
from jitcloud.converge import Converger
from jitcloud.model import Credentials, Holder, Sight, Slot
from jitcloud.ports import Change
from jitcloud.providers.aws import deny_text, sso_roles
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.deny_document import NO_REQUEST, DenyDocument
from jitcloud.providers.aws.deny_subjects import SsoUser, denials
from jitcloud.providers.aws.facts import Facts
from jitcloud.providers.aws.sts_session import StsSession
from jitcloud.stores.memory import MemoryStore
from tests.aws.conftest import Aws, a_request, clients_of, issued
from tests.aws.sessions_world import HOUR, World, make_role


@pytest.fixture
def world(aws: Aws, document: DenyDocument) -> World:
    return World(aws, document)


# ── Ending ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("region", ["eu-west-1", "us-east-1"])
def test_an_end_ends_that_users_sessions_of_that_role_and_no_others(
    aws: Aws, document: DenyDocument, region: str
) -> None:
    world = World(aws, document, region)
    anas, again = (world.sign_in(world.ana, world.admin) for _ in range(2))
    bens, elsewhere = world.sign_in(world.ben, world.admin), world.sign_in(world.ana, world.other)
    assert all(world.works(session) for session in (anas, again, bens, elsewhere))
    ended = world.holder(world.ana, world.admin)
    slot = world.end(ended)
    assert world.seen(ended) == {ended}
    assert world.agrees(slot)
    assert not world.works(anas)
    assert not world.works(again)
    assert world.works(bens)
    assert world.works(elsewhere)
    world.end()
    assert world.works(anas)
    assert world.see(world.slot()) == Sight(at=world.clock.now, present=False, holders=frozenset())


def test_who_gets_the_same_anew_keeps_what_begins_then(world: World) -> None:
    old = world.sign_in(world.ana, world.admin)
    ended = world.holder(world.ana, world.admin)
    world.end(ended)
    world.clock.tick(90.5)
    slot = slots.begin_anew(world.slot(ended), ended.detail, world.clock.now)
    assert not world.agrees(slot)  # it would end what comes now, too
    world.end(*slot.holders)
    assert world.agrees(slot)
    same_second = world.sign_in(world.ana, world.admin)
    world.clock.tick(0.5)
    new = world.sign_in(world.ana, world.admin)
    assert not world.works(old)
    assert not world.works(same_second)  # it cannot be told from an old one: sign in again
    assert world.works(new)
    # The new request ends as well: everything is ended, and both requests are seen to be.
    both = (*slot.holders, world.holder(world.ana, world.admin))
    world.end(*both)
    assert world.seen(*both) == set(both)
    assert not world.works(new)
    # The first one has run out meanwhile; the second still wants all of it ended.
    expired = (replace(both[0], until=world.clock.now), both[1])
    assert world.seen(*expired) == {both[1]}
    assert world.agrees(world.slot(*expired))


def test_sessions_told_by_their_tag_are_ended_beside_those_of_users(
    world: World, sessions: StsSession
) -> None:
    aws, bucket = world.aws, world.aws.bucket()
    role = aws.role(boundary=world.arn)
    given_back, goes_on = a_request(role_arn=role), a_request(role_arn=role)
    ended, kept = issued(sessions, given_back), issued(sessions, goes_on)
    anas, bens = (world.sign_in(user, world.admin) for user in (world.ana, world.ben))
    assert aws.can_read(ended, bucket)
    tagged = Holder(request=given_back.id, until=world.clock.now + HOUR, detail=role)
    user = world.holder(world.ana, world.admin)
    slot = world.end(tagged, user)
    assert world.seen(tagged, user) == {tagged, user}
    assert world.agrees(slot)
    assert not aws.can_read(ended, bucket)
    assert aws.can_read(kept, bucket)
    assert not world.works(anas)
    assert world.works(bens)


# ── Seeing ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("there", "asked"),
    [
        pytest.param(2, 1, id="later than asked"),
        pytest.param(1, 2, id="earlier than asked"),
        pytest.param(None, 1, id="everything where a cutoff is asked"),
        pytest.param(1, None, id="a cutoff where everything is asked"),
    ],
)
def test_a_document_with_another_cutoff_is_not_what_was_asked_and_is_written_anew(
    world: World, there: int | None, asked: int | None
) -> None:
    world.sign_in(world.ana, world.admin)
    wrong, right = (
        None if n is None else world.clock.now + timedelta(minutes=n) for n in (there, asked)
    )
    ended = world.holder(world.ana, world.admin, right)
    world.end(replace(ended, before=wrong))
    assert world.see(world.slot(ended)).holders == frozenset({NO_REQUEST})
    world.end(ended)
    assert world.seen(ended) == {ended}


def test_whom_no_request_wants_ended_is_pruned(world: World) -> None:
    bens = world.sign_in(world.ben, world.admin)
    world.sign_in(world.ana, world.admin)
    one, other = (world.holder(user, world.admin) for user in (world.ana, world.ben))
    world.end(one, other)
    for holders in ((one,), (one, replace(other, until=world.clock.now))):
        sight = world.see(world.slot(*holders))
        assert sight.holders == frozenset({one.request, NO_REQUEST})
        assert not world.agrees(world.slot(*holders))
    assert not world.works(bens)
    slot = world.end(one)
    assert world.agrees(slot)
    assert world.works(bens)
    assert not world.agrees(world.slot())
    assert world.agrees(world.end())


def test_what_somebody_else_wrote_into_the_document_is_seen_and_written_over(world: World) -> None:
    world.sign_in(world.ana, world.admin)
    ended = world.holder(world.ana, world.admin)
    slot = world.slot(ended)
    policy = json.loads(deny_text.document(world.arn, denials([ended])))
    policy["Statement"].append({"Effect": "Deny", "Action": "s3:*", "Resource": "*"})
    world.write(json.dumps(policy))
    assert world.see(slot).holders == frozenset({ended.request, NO_REQUEST})
    world.end(ended)
    assert world.agrees(slot)


def test_a_user_whose_role_the_document_does_not_bind_is_not_seen_ended(world: World) -> None:
    bound, loose = world.sign_in(world.ana, world.admin), world.holder(world.ana, world.other)
    world.sign_in(world.ana, world.other, bound=False)
    ended = world.holder(world.ana, world.admin)
    world.end(ended, loose)
    assert world.seen(ended, loose) == {ended}
    assert not world.works(bound)


def test_a_role_that_only_bears_such_a_name_binds_nobody(world: World) -> None:
    ended = world.holder(world.ana, world.admin)
    anywhere = f"arn:aws:iam::{world.aws.account}:role/"
    made, name = f"{anywhere[:-1]}{sso_roles.PATH}", f"AWSReservedSSO_{world.admin}"
    for wrong in (
        f"{anywhere}{name}_0123456789abcdef",
        f"{made}{name}_Read_0123456789abcdef",
        f"{made}{name}_012345678",
        f"{made}{name}",
    ):
        make_role(world.aws, wrong, world.arn)
    world.end(ended)
    assert world.seen(ended) == set()
    make_role(world.aws, f"{made}{name}_abcdef0123456789", world.arn)
    assert world.seen(ended) == {ended}


def test_a_role_that_is_gone_with_its_last_assignment_binds_nobody(world: World) -> None:
    world.sign_in(world.ana, world.admin)
    ended = world.holder(world.ana, world.admin)
    world.end(ended)
    assert world.seen(ended) == {ended}
    world.unassign(world.ana, world.admin)
    assert world.seen(ended) == set()


def test_what_was_seen_ended_before_its_role_went_stays_so(world: World) -> None:
    """No boundary comes off a role that is deleted; one that is there and unbound ends nobody."""
    session = world.sign_in(world.ana, world.admin)
    ended = world.holder(world.ana, world.admin)
    before = world.see(world.end(ended))
    assert before.holders == frozenset({ended.request})
    world.unassign(world.ana, world.admin)
    after = world.see(replace(world.slot(ended), seen=before))
    assert after.holders == frozenset({ended.request})
    assert not world.works(session)
    other = world.holder(world.ben, world.admin)
    world.end(ended, other)
    assert world.see(replace(world.slot(ended, other), seen=after)).holders == frozenset(
        {ended.request}
    )
    made = session.role.arn.rpartition("_")[0]
    make_role(world.aws, f"{made}_abcdef0123456789")
    assert world.see(replace(world.slot(ended, other), seen=after)).holders == frozenset()


def test_who_may_not_list_roles_does_not_know_that_one_is_gone(world: World) -> None:
    world.sign_in(world.ana, world.admin)
    ended = world.holder(world.ana, world.admin)
    before = world.see(world.end(ended))
    world.unassign(world.ana, world.admin)
    iam = [{"Effect": "Allow", "Action": "iam:*", "Resource": "*"}]
    iam.append({"Effect": "Deny", "Action": "iam:ListRoles", "Resource": "*"})
    blind = DenyDocument(clients_of(world.aws, world.aws.user(*iam)))
    sight = blind.see(replace(world.slot(ended), seen=before), world.clock.now)
    assert sight.holders == frozenset()


# ── Room ─────────────────────────────────────────────────────────────────────────────────────


def test_who_does_not_fit_is_not_seen_ended(world: World) -> None:
    world.sign_in(world.ana, world.admin)
    holders = [
        replace(
            world.holder(f"{n:08x}-c051-70d8-1f2e-0a1b2c3d4e5f", world.admin),
            until=world.clock.now + timedelta(minutes=1 + n),
        )
        for n in range(200)
    ]
    world.end(*holders)
    kept = world.seen(*holders)
    assert len(kept) >= 100
    assert kept == set(holders[-len(kept) :])


def test_what_is_known_of_a_document_says_whether_another_user_fits(
    world: World, clients: Clients
) -> None:
    facts = Facts(clients)
    world.sign_in(world.ana, world.admin)
    world.end(world.holder(world.ana, world.admin))
    known = facts.document(world.arn, None, world.clock.now)
    assert known.ended.users == {SsoUser(world.admin, world.ana): None}
    assert deny_text.takes_user(world.arn, known.ended, world.admin)
    many = [world.holder(f"{n:08x}-c051-70d8-1f2e-0a1b2c3d4e5f", world.admin) for n in range(200)]
    world.end(*many)
    assert facts.document(world.arn, None, world.clock.now) == known  # for five minutes
    later = facts.document(world.arn, None, world.clock.now + HOUR)
    assert not deny_text.takes_user(world.arn, later.ended, world.admin)


@pytest.mark.parametrize("others", [1, 200])
def test_whoever_cannot_be_ended_keeps_nobody_else_from_being_proven_to_be(
    world: World, others: int
) -> None:
    world.sign_in(world.ana, world.admin)
    ended = replace(world.holder(world.ana, world.admin), until=world.clock.now + 5 * HOUR)
    in_vain = [  # there is no such role, and of two hundred not all fit
        world.holder(f"{n:08x}-c051-70d8-1f2e-0a1b2c3d4e5f", world.other) for n in range(others)
    ]
    store, key = MemoryStore(), world.slot().key
    at_work = replace(world.slot(ended, *in_vain), wake_at=world.clock.now, version=1)
    store.commit(Change(slots=(at_work,)))
    converger = Converger(store, {world.document.name: world.document}, lambda: world.clock.now)
    slot: Slot | None = None
    for _ in range(3):
        found = store.slot(key)
        assert found is not None
        assert found.wake_at is not None
        world.clock.now = found.wake_at
        slot = converger.converge(key)
    assert slot is not None
    assert slots.is_denied(slot, ended.request, world.document.settle)
    assert not any(slots.is_denied(slot, h.request, timedelta(0)) for h in in_vain)
    versions = world.aws.iam().list_policy_versions(PolicyArn=world.arn)["Versions"]
    assert len(versions) == 2  # the first, and one write


# ── As another evaluator judges ──────────────────────────────────────────────────────────────


def a_session(aws: Aws, role_arn: str, user: str) -> Credentials:
    """A session as Identity Center makes one, but for tags that say whose it is, and of what."""
    made = aws.sts(aws.broker).assume_role(
        RoleArn=role_arn,
        RoleSessionName="user",
        Tags=[{"Key": "user", "Value": user}, {"Key": "role", "Value": role_arn}],
    )["Credentials"]
    return Credentials(
        access_key_id=made["AccessKeyId"],
        secret_access_key=made["SecretAccessKey"],
        session_token=made["SessionToken"],
        expires_at=made["Expiration"],
    )


@pytest.mark.parametrize("region", ["", "eu-west-1/"])
def test_iam_as_ministack_enforces_it_ends_the_same_sessions(world: World, region: str) -> None:
    aws, bucket = world.aws, world.aws.bucket()
    path = f"arn:aws:iam::{aws.account}:role{sso_roles.PATH}{region}"
    roles = [
        f"{path}AWSReservedSSO_{name}_0123456789abcdef"
        for name in (world.admin, f"{world.admin}_Read", f"AWSReservedSSO_{world.admin}"[:32])
    ]
    for role in roles:
        make_role(aws, role, world.arn, may=True)
    began = datetime.now(UTC)
    anas, bens = (a_session(aws, roles[0], user) for user in (world.ana, world.ben))
    elsewhere = [a_session(aws, role, world.ana) for role in roles[1:]]

    def judged(before: datetime | None) -> list[bool]:
        ended = denials([world.holder(world.ana, world.admin, before)])
        text = deny_text.document(world.arn, ended)
        for key, tag in (("identitystore:UserId", "user"), ("aws:PrincipalArn", "role")):
            text = text.replace(key, f"aws:PrincipalTag/{tag}")
        world.write(text)
        return [aws.can_read(session, bucket) for session in (anas, bens, *elsewhere)]

    assert judged(began - timedelta(seconds=1)) == [True, True, True, True]
    assert judged(began + HOUR) == [False, True, True, True]
    assert judged(None) == [False, True, True, True]
