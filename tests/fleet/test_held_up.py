"""What used to hold up ends, grants or messages of a fleet, and does so no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, cast

import boto3
import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from moto import mock_aws

from functions import publish
from jitcloud import config, rounds
from jitcloud.ahead import MOST
from jitcloud.asking import Wish
from jitcloud.audit.keys import Ed25519Signer
from jitcloud.directories.static import StaticDirectory
from jitcloud.due import Wake
from jitcloud.emulators.oidc import OidcIssuer
from jitcloud.errors import JitError, Misconfigured, Tampered, Unavailable
from jitcloud.fleet import advancing, judging
from jitcloud.fleet.expiring import Expiring
from jitcloud.fleet.judging import LOOKS_WITHIN
from jitcloud.fleet.publishing import Publishing
from jitcloud.identities.claims import Issuer
from jitcloud.identities.oidc import OidcIdentities
from jitcloud.journals.s3 import S3Journal
from jitcloud.looking import Asked
from jitcloud.model import (
    CONTROLS,
    EntitlementId,
    Hold,
    Holder,
    Mark,
    Place,
    Places,
    Presented,
    Reach,
    Request,
    RequestId,
    Scope,
    SlotKey,
    State,
)
from jitcloud.ports import Change
from jitcloud.providers.memory import KIND, MemoryAssignments, MemoryCloud, MemoryMechanism
from jitcloud.reconcile import Reconciler
from jitcloud.settings import PolicySettings, Settings
from jitcloud.sign_ins import SignInBook
from jitcloud.stores.dynamodb import keys, plans
from jitcloud.stores.dynamodb.store import DynamoStore
from jitcloud.stores.memory import MemoryStore
from jitcloud.stores.memory_sign_ins import MemorySignIns
from jitcloud.sweep import to_tell
from jitcloud.telling import CHANNEL
from tests.factories import asked
from tests.faults import Killed
from tests.fleet import in_time
from tests.fleet.in_time import BRAKE, Fleet
from tests.infra.text import functions, grants, of_type, parsed
from tests.world import PEOPLE, POLICY, START, Time, World, caller

SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)


class Call:
    aws_request_id = "r"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


class Over:
    """A store over another one: a test says what of it is otherwise."""

    def __init__(self, store: Any) -> None:
        self.store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


class Spoilt(Over):
    """One request's row cannot be read, as after a slip of whoever administers the table."""

    name = RequestId("")
    reads = 0
    dies_after = 1 << 30
    """Reads until the platform ends the function."""

    def request(self, name: RequestId) -> Request | None:
        self.reads += 1
        if self.reads > self.dies_after:
            raise Killed
        if name == self.name:
            raise Tampered("This row is spoilt.")
        return cast("Request | None", self.store.request(name))

    def requests(self, names: Sequence[RequestId]) -> Any:
        self.reads += 1
        if self.name in names:
            raise Tampered("This row is spoilt.")
        return self.store.requests(names)

    def by_state(self, state: State, limit: int, after: RequestId | None = None) -> Any:
        page = self.store.by_state(state, limit, after)
        if any(request.id == self.name for request in page.requests):
            raise Tampered("This row is spoilt.")
        return page


# ── Brakes ───────────────────────────────────────────────────────────────────────────────────


def test_one_spoilt_row_does_not_keep_a_brake_from_ending_anything_in_time(tmp_path: Path) -> None:
    """With one spoilt row a brake read every request there ever was, one by one, before its
    first end. A function is ended by its platform before that (200 rows a second in 120 s make
    24,000 rows), each minute anew: nothing was ever ended."""
    store = Spoilt(MemoryStore())
    world = World(tmp_path, store=cast("Any", store), policy_text=f"{POLICY}\n{BRAKE}")
    spoilt = world.ask("ben", minutes=60)
    ana = world.ask("ana", minutes=60)
    for _ in range(20):  # finished long ago, and never deleted
        world.time.forward(seconds=1)
        world.give_back(world.ask("caro", minutes=5), "caro")
    world.sweep_until_quiet_but(spoilt, ana, step=1)
    store.name = spoilt.id
    with suppress(Killed):
        _brake(world, store)
    assert world.now(ana).state is not State.ACTIVE


def _brake(world: World, store: Spoilt) -> None:
    store.reads, store.dies_after = 0, 15
    try:
        world.broker.end_all(
            caller("ben"), Scope(reach=Reach.EVERYTHING), world.time(), "An intruder"
        )
    finally:
        store.dies_after = 1 << 30


# ── Ends on DynamoDB ─────────────────────────────────────────────────────────────────────────


class Fits(Over):
    """Refuses what DynamoDB would, by the code of the store that uses it."""

    def commit(self, change: Change) -> None:
        plans.plan(change, "table", "0" * 32)
        self.store.commit(change)


@dataclass(frozen=True, slots=True)
class Denying(MemoryMechanism):
    """Its sessions outlive the grant, and are denied in one place for the whole account."""

    def places(self, entitlement: Any, person: Any, *, part: str = "") -> Places:
        found = MemoryMechanism.places(self, entitlement, person, part=part)
        denial = Place(
            key=SlotKey("deny/111122223333"),
            kind="deny",
            where={"policy_arn": "arn:aws:iam::111122223333:policy/jitcloud-deny"},
            detail=f"{PERMISSION_SET} {person.id}",
        )
        return replace(found, denial=denial)


PERMISSION_SET = "arn:aws:sso:::permissionSet/ssoins-7223aaaaaaaaaaaa/ps-1234567890abcdef"


def test_an_account_with_many_denials_does_not_keep_anybody_in(tmp_path: Path) -> None:
    """What denies sessions of one account is one item. With as many ended grants in twelve hours
    as fill 400 KB (some 1,800: a brake over a large organisation), DynamoDB refuses the next one's
    end, because the commit that takes the person out also adds to that item: giving back, revoking
    and braking fail, access goes on until the deadline, and the request stays active after it."""
    world = World(
        tmp_path,
        store=cast("Any", Fits(MemoryStore())),
        mechanisms={KIND: Denying(outlives=12 * HOUR)},
    )
    request = world.ask("ana", minutes=60)
    assert request.state is State.ACTIVE
    place = request.places.denial
    assert place is not None
    slot = world.ledger.slot_at(place)
    many = tuple(
        Holder(
            request=RequestId(f"01J{number:023}"),
            until=world.time() + 12 * HOUR,
            detail=f"{PERMISSION_SET} 906779a8-b0a1-4c4e-9f2a-{number:012}",
        )
        for number in range(2_100)
    )
    full = replace(slot, holders=many, version=slot.version + 1)
    cast("Any", world.store).store.commit(Change(slots=(full,)))
    world.time.forward(minutes=1)
    with suppress(JitError):
        world.give_back(request)
    world.time.forward(seconds=10)
    world.sweep()
    assert not world.cloud.who_can("reader")


def test_whoever_keeps_writing_a_mark_does_not_keep_an_end_from_being_written() -> None:
    """A commit, an end among them, makes marks due in its own transaction. Whoever may write marks
    and nothing else (a thief of `publish`, or of `issue`) can keep writing one: each commit about
    that request is then cancelled (TransactionConflict), until all its tries are used up."""
    change = replace(asked(1), channels=("notices",))

    class Client:
        """DynamoDB while somebody else is always at the mark."""

        def transact_write_items(self, *, TransactItems: Any, **_: Any) -> None:  # noqa: N803 - the SDK's
            marks = ["Update" in each for each in TransactItems]
            if any(marks):
                codes = [{"Code": "TransactionConflict" if mark else "None"} for mark in marks]
                said: Any = {
                    "Error": {"Code": "TransactionCanceledException"},
                    "CancellationReasons": codes,
                }
                raise ClientError(said, "TransactWriteItems")

    client = cast("Any", Client())
    DynamoStore("table", client=lambda: client, pause=lambda _: None).commit(change)


# ── KMS and Secrets Manager away ─────────────────────────────────────────────────────────────


class Down:
    """A signer whose key cannot be reached."""

    key = "ed25519:0"

    def sign(self, message: bytes) -> Any:  # noqa: ARG002 - the port
        raise Unavailable("KMS did not answer in time.")


@pytest.fixture(scope="module")
def issuer() -> Iterator[OidcIssuer]:
    with OidcIssuer(algorithm="ES256", clock=Time()) as running:
        yield running


def test_while_kms_is_down_people_can_still_say_who_they_are_to_end_something(
    issuer: OidcIssuer, tmp_path: Path
) -> None:
    """What a token says of groups is signed and kept while its holder is identified. With KMS
    down nobody who was not here within the hour is identified, so nobody can give back, revoke or
    put a brake on, although none of these waits for a signature itself."""
    (tmp_path / "people.toml").write_text(PEOPLE)
    verifier = Ed25519Signer(Ed25519PrivateKey.from_private_bytes(b"k" * 32)).verifier()
    book = SignInBook(MemorySignIns(), verifier, cast("Any", Down()))
    trusted = Issuer(
        url=issuer.url,
        audiences=frozenset({"jitcloud"}),
        algorithms=frozenset({"ES256"}),
        groups_claim="groups",
    )
    identities = OidcIdentities([trusted], StaticDirectory(tmp_path / "people.toml"), book=book)
    token = issuer.token("ana", groups=["developers"])
    assert identities.identify(Presented(kind="oidc", text=token), START).person == "ana"


def test_without_the_secret_the_judge_still_takes_what_ends_something(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A secret that cannot be read (Secrets Manager away, a wrong ARN) keeps the judge from being
    put together at all: nobody can give back, revoke or put a brake on over the API."""

    def away() -> None:
        raise Misconfigured("The secret cannot be read.")

    def put_together(*_: object, **__: object) -> None:
        raise Killed  # it came so far

    monkeypatch.setenv("JITCLOUD_CONFIG", "/nowhere")
    monkeypatch.setenv("JITCLOUD_LOOK", "look")
    monkeypatch.setattr(judging, "secrets", away)
    monkeypatch.setattr(config, "load_to_end", put_together)
    with pytest.raises(Killed):
        judging.judge()


def test_a_driver_that_began_without_its_secrets_looks_for_them_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A driver that could not read its secrets when it started goes on without them, which ends
    need; but it is kept as if it were whole, so that for as long as its process lives (hours)
    every ticket and every group that needs one cannot be asked for, and nobody is let in by it."""
    tries: list[str] = []

    def away_at_first() -> None:
        tries.append("tried")
        if len(tries) == 1:
            raise Misconfigured("The secret cannot be read.")

    class Deployment:
        broken = ""  # secrets are read where they are needed, so nothing is missing yet

    monkeypatch.setenv("JITCLOUD_CONFIG", "/nowhere")
    monkeypatch.setenv("JITCLOUD_QUEUE", "https://queue")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setattr(advancing, "secrets", away_at_first)
    monkeypatch.setattr(advancing, "AGAIN", 0.0)
    monkeypatch.setattr(config, "load_to_end", lambda *_, **__: Deployment())
    made = advancing.made()
    made.deployment()
    made.deployment()
    assert len(tries) == 2


# ── A row that is brought back ───────────────────────────────────────────────────────────────


# ── Clocks ───────────────────────────────────────────────────────────────────────────────────


# ── Wake-ups ─────────────────────────────────────────────────────────────────────────────────


def test_wake_ups_do_not_multiply_while_the_record_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the record is out of reach for who drives (throttled, say) and not for who looks
    ahead, each wake-up is put back every five seconds for ever, and each minute adds another for
    the same thing: after half an hour there are 30 times as many, each tried twelve times a
    minute, so that what throttles the table grows until it is reached again, and then some."""
    fleet = Fleet(tmp_path)
    fleet.ask(minutes=1)
    fleet.run_until(fleet.time() + 5 * SECOND)

    def away(*_: object) -> None:
        raise Unavailable("DynamoDB limits the rate.")

    monkeypatch.setattr(in_time, "wake_one", away)
    fleet.run_until(fleet.time() + 5 * MINUTE)
    early = fleet.woken
    fleet.run_until(fleet.time() + MINUTE)
    early = fleet.woken - early
    fleet.run_until(fleet.time() + 20 * MINUTE)
    late = fleet.woken
    fleet.run_until(fleet.time() + MINUTE)
    late = fleet.woken - late
    assert late < 2 * early


# ── Publishing ───────────────────────────────────────────────────────────────────────────────


def test_one_spoilt_row_does_not_keep_everything_from_being_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the schedule publishes comes after the figures of how things stand, and these cannot
    be told with one spoilt row: nothing that the stream has lost is passed on any more, nobody is
    told of approvals that wait, and no figure of what is overdue is written."""
    store = Spoilt(MemoryStore())
    world = World(tmp_path, store=cast("Any", store))
    store.name = world.ask("ana", minutes=60).id
    done: list[str] = []

    class Counting(Publishing):
        def pass_on(self, context: Any) -> dict[str, object]:
            done.append("passed on")
            return super().pass_on(context)

    made = Counting(store=world.store, subscriptions=(), teller=None)
    monkeypatch.setattr(publish, "_publishing", lambda: made)
    with suppress(JitError):
        publish.handler({}, Call())
    assert done == ["passed on"]


def test_a_backlog_of_events_does_not_keep_people_from_hearing_what_waits_for_them() -> None:
    """Who is to be told is looked for among the thousand oldest marks of all channels. After an
    outage of a bus there are more than that of its own, so that for as long as the backlog lasts
    (100,000 marks: 100 minutes and more) no approver hears of anything."""
    store = MemoryStore()
    for number in range(1_001):
        name = RequestId(f"01J{number:023}")
        store.put_mark(Mark(channel="publish-bus", request=name, wake_at=START, version=1))
    waits = RequestId("01K00000000000000000000000")
    store.put_mark(Mark(channel=CHANNEL, request=waits, wake_at=START + MINUTE, version=1))
    assert to_tell(store, START + 5 * MINUTE) == [waits]


# ── Looking ahead ────────────────────────────────────────────────────────────────────────────


class Taken:
    def __init__(self) -> None:
        self.ids: list[str] = []

    def put(self, wakes: Sequence[Wake], now: object) -> None:  # noqa: ARG002 - the port
        self.ids += [wake.id for wake in wakes if wake.kind != "brakes"]


class Index:
    """The index of what is due, where 10,000 things of another cloud are overdue."""

    def query(self, **asked: Any) -> dict[str, Any]:
        partition = asked["ExpressionAttributeValues"][":partition"]["S"]
        begin = asked.get("ExclusiveStartKey", {}).get("n", 0)
        many = {"aws#0": 1, self.stuck: MOST}.get(partition, 0)
        since = START if partition == "aws#0" else START - HOUR
        rows = [
            {
                "pk": keys.text(f"request#{partition}-{number}"),
                "due": keys.text(partition),
                "wake": keys.instant(since),
            }
            for number in range(begin, min(begin + asked["Limit"], many))
        ]
        end = begin + len(rows)
        return {"Items": rows} | ({"LastEvaluatedKey": {"n": end}} if end < many else {})

    def __init__(self, stuck: str) -> None:
        self.stuck = stuck


@pytest.mark.parametrize("stuck", ["azure#0", "other#1"])
def test_a_cloud_with_much_that_is_overdue_keeps_no_other_cloud_waiting(stuck: str) -> None:
    """A look took the 10,000 oldest of all clouds together. While so many of one cloud could not
    be worked on (or had no queue at all), no deadline of another was queued any more."""
    aws, azure = Taken(), Taken()
    queues = cast("Any", {"aws": aws, "azure": azure})
    Expiring(client=cast("Any", Index(stuck)), table="t", queues=queues, dead={}).look()
    assert aws.ids == ["aws#0-0"]


# ── Looking ──────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Spanning(MemoryMechanism):
    def spans(self, entitlement: Any) -> bool:  # noqa: ARG002 - the port
        return False


def test_an_ask_for_several_things_is_decided_though_nobody_looks(tmp_path: Path) -> None:
    """Whoever looks is waited for anew for each thing that is asked for: eight seconds each. From
    three on the judge is ended (20 s) before it has recorded anything, so that while `look` hangs
    such an ask cannot be made at all, let alone decided."""
    waited: list[float] = []

    def hangs(_: Mapping[str, object]) -> Mapping[str, object]:
        waited.append(LOOKS_WITHIN)
        raise Unavailable("The function look did not answer in time.")

    world = World(tmp_path, mechanisms={KIND: cast("Any", Asked(Spanning(), hangs))})
    wish = Wish(duration=HOUR, justification="testing")
    names = [EntitlementId(name) for name in ("dev-read", "prod-write", "prod-admin")]
    world.broker.request_all(caller("ana"), names, wish, world.time())
    assert sum(waited) < 20


# ── What the template says ───────────────────────────────────────────────────────────────────


@pytest.fixture
def allowed() -> Iterator[Callable[[set[str]], S3Journal]]:
    """Makes a journal in S3 for a role that has these rights there."""
    names = {"ListObjectsV2": "s3:ListBucket"}

    def make(may: set[str]) -> S3Journal:
        def check(model: Any, **_: object) -> None:
            if names.get(model.name, f"s3:{model.name}") not in may:
                raise ClientError({"Error": {"Code": "AccessDenied"}}, model.name)

        client = boto3.client(
            "s3",
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - an emulator's
        )
        client.create_bucket(Bucket="journal")
        client.meta.events.register("before-call.s3.*", check)
        journal = S3Journal("journal", "", region="us-east-1")
        journal._client = client  # noqa: SLF001 - one that has the role's rights
        return journal

    with mock_aws():
        yield make


def in_a_shared_place(folder: Path, journal: S3Journal) -> tuple[World, Request]:
    """Somebody who stands in a place already asks for it, and half an hour goes by."""
    time = Time()
    cloud = MemoryCloud(time)
    kinds = {KIND: MemoryAssignments(cloud, shares=Hold.SHARED)}
    world = World(folder, time=time, cloud_=cloud, kinds_=kinds, journal=journal)
    cloud.assign_by_hand("ana", "reader")
    request = world.ask("ana", minutes=5)
    for _ in range(60):
        time.forward(seconds=30)
        world.sweep()
    return world, request


def test_who_stands_where_the_journal_cannot_be_read_goes_on_standing(
    tmp_path: Path, allowed: Callable[[set[str]], S3Journal]
) -> None:
    """While the journal cannot be read nobody knows whether what is there was there before, but it
    was seen; at the deadline that sight alone was enough to remove it, as if it were ours: P7."""
    world, _ = in_a_shared_place(tmp_path, allowed({"s3:PutObject"}))
    assert world.cloud.who_can("reader") == {"ana"}


def test_who_drives_clouds_may_do_what_its_journal_does(
    tmp_path: Path, allowed: Callable[[set[str]], S3Journal]
) -> None:
    """Where somebody stands in a shared place already, whoever drives it reads the journal to see
    whether that is jitcloud's own doing. The template (and docs/operations.md) let `advance` only
    write there, so that such a request neither comes nor ends."""
    role = of_type(parsed(), "AWS::IAM::Role")["AdvanceAwsRole"]
    may = {grant.action for grant in grants(role) if grant.action.startswith("s3:")}
    world, request = in_a_shared_place(tmp_path, allowed(may))
    assert not world.slot(request).trouble
    assert world.now(request).state is State.ENDED


class _Deployment:
    def __init__(self, world: World, adopt: str | None = None) -> None:
        self.settings = Settings(policy=PolicySettings(adopt=adopt))
        self.ledger, self.judge = world.ledger, world.advance.judge
        self.clock = world.time


@pytest.mark.parametrize("role", ["PublishRole", "IssueRole"])
def test_a_thief_of_a_mark_does_not_keep_reconcile_from_finding_what_has_leaked(
    tmp_path: Path, role: str
) -> None:
    """How far a comparison has come is a mark as well. Whoever may write any mark (a thief of
    `publish` or of `issue`) writes that it has passed all areas: each comparison is then finished
    at once, finds no leak ever, and lets activations go on after a restore."""
    world = World(tmp_path)
    world.cloud.assign_by_hand("eve", "reader")  # exclusive to jitcloud, and in no record
    name = keys.mark(rounds.CHANNEL, CONTROLS)
    patterns = {
        pattern
        for grant in grants(of_type(parsed(), "AWS::IAM::Role")[role])
        if grant.action == "dynamodb:PutItem"
        for pattern in grant.condition.split(",")
    }
    if any(fnmatchcase(name, pattern) for pattern in patterns):
        now = world.time()
        terms = _reconciler(world)._terms(None)  # noqa: SLF001 - a thief reads it in the mark, or counts it out
        passed = rounds.Round(begun_at=now, terms=terms, passed="\U0010ffff")
        cursor = rounds._encoded(passed, now)  # noqa: SLF001 - as a thief would write it
        mark = Mark(channel=rounds.CHANNEL, request=CONTROLS, cursor=cursor, version=1)
        world.store.put_mark(mark)
    found = _reconciler(world).run()
    assert (found.tally.leaked, found.is_finished) == (1, True)


def _reconciler(world: World) -> Reconciler:
    return Reconciler(
        ledger=world.ledger,
        kinds=world.kinds,
        mechanisms=world.mechanisms,
        catalog=world.advance.judge.catalog,
        clock=world.time,
    )


def test_somebody_hears_when_reconcile_fails_or_finds_a_leak() -> None:
    """No alarm speaks of `reconcile`: it may fail, or never be called, for weeks, and what it
    finds to be leaked is a line of a log that nobody is told of."""
    alarms = of_type(parsed(), "AWS::CloudWatch::Alarm")
    assert "Reconcile" in functions(parsed())
    assert any("econcile" in repr(alarm) or "eaked" in repr(alarm) for alarm in alarms.values())


# ── The deployment's own trail ───────────────────────────────────────────────────────────────


def test_what_the_deployments_own_trail_costs_does_not_grow_with_every_comparison(
    tmp_path: Path,
) -> None:
    """A comparison each quarter of an hour that finds nothing is on record twice a day: whoever
    grants reads the deployment's own trail whole."""
    world = World(tmp_path)
    world.ask("ana", minutes=5)
    world.sweep_until_quiet(step=30)
    for _ in range(4 * 24):
        world.time.forward(minutes=15)
        assert _reconciler(world).run().is_finished
    types = [line.event.what.type for line in world.store.control_events()]
    assert types.count("reconciled") == 2


def test_going_back_to_an_older_policy_text_can_be_said_in_the_configuration(
    tmp_path: Path,
) -> None:
    """In a fleet the judge alone can sign, and no command of its adopts: the configuration says
    so, as it says all else that judges."""
    world = World(tmp_path)
    world.ask("ana", minutes=5)
    older = world.advance.judge.policy.digest
    world.policy_text = POLICY.replace("8h", "9h")
    world.put_together()
    world.ask("ben", minutes=5)
    world.policy_text = POLICY
    world.put_together()
    with pytest.raises(Misconfigured, match="policy adopt"):
        judging.take_up(cast("Any", _Deployment(world)))
    taken = judging.take_up(cast("Any", _Deployment(world, adopt=older)))
    assert taken == {"policy": 3}
    assert judging.take_up(cast("Any", _Deployment(world))) == {"policy": 3}
    assert world.ask("caro", minutes=5).state is State.ACTIVE
