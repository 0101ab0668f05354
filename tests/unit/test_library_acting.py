"""What a person can do by the library beyond asking and approving, and what each call raises."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from botocore.credentials import RefreshableCredentials

import jitcloud
from jitcloud import Conflict, Invalid, Misconfigured, NotFound, Reach, Refused, Scope, State
from jitcloud.library import Acting, Jitcloud
from jitcloud.model import BreakGlass, Denied, NeedsApproval, PolicyRef
from jitcloud.providers.memory import Fault
from tests.cli_world import BRAKES, GLASS, POLICY, CliWorld

NAME = "01JD8Z6N3V5E6X7Y8Z9ABCDEFG"
NEXT = "01JD8Z6N3V5E6X7Y8Z9ABCDEFH"
EVERYTHING = Scope(reach=Reach.EVERYTHING)
OF_ANA = Scope(reach=Reach.PERSON, id="ana@example.com")


@pytest.fixture
def world(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CliWorld:
    made = CliWorld(tmp_path, capsys, monkeypatch)
    made.permit(GLASS, BRAKES)
    return made


@pytest.fixture
def deployment(world: CliWorld) -> Iterator[Jitcloud]:
    with world.opener(world.folder) as opened:
        yield opened


@pytest.fixture
def ana(deployment: Jitcloud) -> Acting:
    return deployment.acting_as("ana")


@pytest.fixture
def ben(deployment: Jitcloud) -> Acting:
    return deployment.acting_as("ben")


# ── Several at once ──────────────────────────────────────────────────────────────────────────


def test_several_are_asked_for_at_once_and_decided_apart(ana: Acting) -> None:
    one, two = ana.request_all(["dev-read", "prod-write"], timedelta(minutes=30), "INC-7")
    assert (one.state, two.state) == (State.ACTIVE, State.PENDING)
    assert one.ask.together == two.ask.together == (one.id, two.id)
    assert ana.request("dev-read", "30m", "alone", id_=NAME).ask.together == ()


def test_the_same_id_asks_for_all_of_it_once(ana: Acting) -> None:
    asked = [
        ana.request_all(["dev-read", "prod-write"], "30m", "INC-7", id_=NAME) for _ in range(2)
    ]
    assert [[request.id for request in each] for each in asked] == [[NAME, NEXT]] * 2
    with pytest.raises(Conflict, match="asks for something else"):
        ana.request_all(["dev-read", "prod-role"], "30m", "INC-7", id_=NAME)


def test_what_cannot_be_asked_is_asked_for_by_none_of_it(world: CliWorld, ana: Acting) -> None:
    for what, kind in (
        ([], Invalid),
        (["dev-read"] * 2, Invalid),
        ([str(number) for number in range(21)], Invalid),
        (["dev-read", "no-such"], NotFound),
    ):
        with pytest.raises(kind):
            ana.request_all(what, "30m", "INC-7")
    with pytest.raises(Invalid, match="not a request id"):
        ana.request_all(["dev-read"], "30m", "INC-7", id_="x")
    with pytest.raises(Invalid, match="names no time zone"):
        ana.request("dev-read", "30m", "x", start=world.time().replace(tzinfo=None))
    with pytest.raises(Invalid, match="needs an incident"):
        ana.request("prod-write", "30m", "x", break_glass=True)
    assert world.recorded()[0] == 0


# ── More time ────────────────────────────────────────────────────────────────────────────────


def test_an_extension_gives_the_grant_its_later_deadline(world: CliWorld, ana: Acting) -> None:
    request = ana.request("dev-read", "30m", "INC-7")
    extension = ana.extend(request, timedelta(minutes=30), "not done yet")
    assert extension.state is State.EXTENDED
    assert extension.ask.duration == timedelta(hours=1)
    after = ana.show(request)
    assert after.prolonged_by == (extension.id,)
    assert after.window is not None
    assert after.window.deadline == world.time() + timedelta(hours=1)
    assert ana.extend(request.id, "9h", "all day").state is State.DENIED


def test_what_cannot_be_extended_is_said_so(ana: Acting, ben: Acting) -> None:
    request = ana.request("dev-read", "30m", "INC-7")
    with pytest.raises(NotFound, match="only the person who asked"):
        ben.extend(request, "30m", "x")
    with pytest.raises(NotFound):
        ana.extend(NAME, "30m", "x")
    with pytest.raises(Invalid, match="is not a duration"):
        ana.extend(request, "0s", "x")
    with pytest.raises(Invalid, match="at least a second"):
        ana.extend(request, -timedelta(minutes=1), "x")
    with pytest.raises(Invalid, match="justification is empty"):
        ana.extend(request, "30m", " ")
    ana.give_back(request)
    with pytest.raises(Refused, match="nothing to extend"):
        ana.extend(request, "30m", "x")


def test_the_same_id_extends_once(ana: Acting) -> None:
    request = ana.request("dev-read", "30m", "INC-7")
    for _ in range(2):
        assert ana.extend(request, "30m", "not done yet", id_=NAME).id == NAME
    assert len(ana.show(request).prolonged_by) == 1
    with pytest.raises(Conflict):
        ana.extend(request, "30m", "another", id_=NAME)


def test_waiting_for_an_extension_gives_the_grant_that_it_extends(
    world: CliWorld, ana: Acting, ben: Acting
) -> None:
    request = ana.request("prod-write", "30m", "INC-7")
    ben.approve(request)
    extension = ana.extend(request, "30m", "not done yet")
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        assert len(naps) < 5, "it never ends"
        ben.approve(extension)

    with ana.wait(extension, sleep=nap) as grant:
        assert grant.request.id == request.id
        world.time.forward(minutes=31)
        assert ana.credentials(grant.request).expires_at == world.time() + timedelta(minutes=15)
    assert world.state(request.id) in {State.ENDING, State.ENDED}


def test_waiting_for_an_extension_ends_with_a_no_and_when_the_grant_is_over(
    ana: Acting, ben: Acting
) -> None:
    request = ana.request("prod-write", "30m", "INC-7")
    ben.approve(request)
    denied, let_in = ana.extend(request, "30m", "more"), ana.extend(request, "1h", "more")
    ben.deny(denied, "enough")
    with pytest.raises(Refused, match=f"{denied.id} is denied: enough"):
        ana.wait(denied)
    ben.approve(let_in)
    ana.give_back(request)
    with pytest.raises(Refused, match=f"{request.id} is end"):
        ana.wait(let_in)


def test_waiting_ends_at_its_timeout(world: CliWorld, ana: Acting) -> None:
    request = ana.request("prod-write", "30m", "INC-7")
    with pytest.raises(Refused, match="is still pending; wait again, or withdraw it"):
        ana.wait(request, timedelta(minutes=1), lambda _: world.time.forward(seconds=20))


def test_a_session_goes_on_past_the_first_deadline(world: CliWorld, ana: Acting) -> None:
    request = ana.request("dev-read", "10m", "INC-7")
    with ana.wait(request) as grant:
        held = grant.boto3_session().get_credentials()
        assert isinstance(held, RefreshableCredentials)
        # botocore reads the clock of the machine.
        held._time_fetcher = world.time  # type: ignore[attr-defined]  # noqa: SLF001 - what is inside is what is looked at
        assert held.get_frozen_credentials().access_key == "AKIA1"
        ana.extend(request, "20m", "not done yet")
        world.time.forward(minutes=9, seconds=59)
        assert held.get_frozen_credentials().access_key == "AKIA1"
        world.time.forward(seconds=2)
        assert held.get_frozen_credentials().access_key == "AKIA2"
        world.time.forward(minutes=20)
        with pytest.raises(Refused, match="has reached its deadline"):
            held.get_frozen_credentials()


# ── Broken glass ─────────────────────────────────────────────────────────────────────────────


def test_a_broken_glass_awaits_those_who_review_it(ana: Acting, ben: Acting) -> None:
    request = ana.request("prod-write", "30m", "down", incident="INC-9", break_glass=True)
    assert request.state is State.ACTIVE
    assert isinstance(request.decision, BreakGlass)
    assert ana.unreviewed() == ()
    assert [each.id for each in ben.unreviewed()] == [request.id]
    done = ben.review(request, "nothing was on fire", fine=False)
    assert (done.review_by, done.state) == (None, State.ACTIVE)
    assert ben.unreviewed() == ()


def test_the_most_urgent_review_comes_first(world: CliWorld, ana: Acting, ben: Acting) -> None:
    first = ana.request("prod-write", "5m", "down", incident="INC-9", break_glass=True)
    world.time.forward(minutes=1)
    second = ana.request("prod-write", "5m", "again", incident="INC-9", break_glass=True)
    assert [each.id for each in ben.unreviewed()] == [first.id, second.id]


def test_what_cannot_be_reviewed_is_said_so(ana: Acting, ben: Acting) -> None:
    request = ben.request("prod-write", "30m", "down", incident="INC-9", break_glass=True)
    with pytest.raises(Refused, match="cannot review your own"):
        ben.review(request, "fine")
    with pytest.raises(Refused, match="not among the people asked"):
        ana.review(request, "fine")
    with pytest.raises(Refused, match="waits for no review"):
        ben.review(ana.request("dev-read", "30m", "x"), "fine")
    with pytest.raises(Invalid, match="note is empty"):
        ana.review(request, "")
    with pytest.raises(NotFound):
        ben.review(NAME, "fine")


# ── Brakes ───────────────────────────────────────────────────────────────────────────────────


def test_what_is_stopped_is_refused_until_it_is_resumed(
    world: CliWorld, ana: Acting, ben: Acting
) -> None:
    active = ana.request("dev-read", "30m", "INC-7")
    ben.stop(OF_ANA, "laptop stolen")
    refused = ana.request("dev-read", "30m", "INC-7")
    assert refused.state is State.DENIED
    assert refused.reason.startswith("Activations are stopped for person ana: laptop stolen")
    assert ana.show(active).state is State.ACTIVE
    ben.resume(Scope(reach=Reach.PERSON, id="ana"), "found again")
    assert ana.request("dev-read", "30m", "INC-7").state is State.ACTIVE
    assert world.recorded()[1] == ["adopted", "stopped", "resumed"]


def test_ending_everything_sweeps_at_once(world: CliWorld, ana: Acting, ben: Acting) -> None:
    request = ana.request("dev-read", "30m", "INC-7")
    others = ben.request("dev-read", "30m", "INC-7")
    swept = ben.end_all(OF_ANA, "laptop stolen")
    assert swept.troubles == ()
    assert ana.show(request).state is State.ENDED
    assert ben.show(others).state is State.ACTIVE
    assert world.recorded()[1] == ["adopted", "end-all"]


def test_what_a_cloud_refuses_to_end_is_tried_by_each_sweep(
    world: CliWorld, deployment: Jitcloud, ana: Acting, ben: Acting
) -> None:
    request = ana.request("prod-role", "30m", "INC-7")
    for lead in (ben, deployment.acting_as("caro")):
        lead.approve(request)
    world.cloud.faults.append(Fault.REFUSED)
    ben.end_all(EVERYTHING, "laptop stolen")
    assert ana.show(request).state is State.ENDING
    world.time.forward(minutes=1)
    assert deployment.sweep().troubles == ()
    assert ana.show(request).state is State.ENDED


def test_a_brake_takes_a_right_a_reason_and_a_scope_that_is_known(
    world: CliWorld, ana: Acting, ben: Acting
) -> None:
    ana.request("dev-read", "30m", "INC-7")
    before = world.recorded()
    for name in ("stop", "resume", "end_all"):
        for acting, scope, reason, kind in (
            (ana, EVERYTHING, "because I can", Refused),
            (ben, EVERYTHING, "", Invalid),
            (ben, EVERYTHING, "a\x1bb", Invalid),
            (ben, Scope(reach=Reach.CLOUD, id="aks"), "x", Invalid),
            (ben, Scope(reach=Reach.ENTITLEMENT, id=""), "x", Invalid),
            (ben, Scope(reach=Reach.ENTITLEMENT, id="no-such"), "x", NotFound),
            (ben, Scope(reach=Reach.PERSON, id="zoe"), "x", NotFound),
        ):
            with pytest.raises(kind):
                getattr(acting, name)(scope, reason)
    with pytest.raises(Refused, match="Nothing is stopped for everything"):
        ben.resume(EVERYTHING, "x")
    assert world.recorded() == before


def test_everything_has_no_name(world: CliWorld, ben: Acting) -> None:
    ben.stop(Scope(reach=Reach.EVERYTHING, id="all of it"), "a leak")
    ben.resume(EVERYTHING, "mended")
    assert world.recorded()[1] == ["adopted", "stopped", "resumed"]


def test_nothing_that_is_broken_keeps_a_brake_from_ending(world: CliWorld, ana: Acting) -> None:
    request = ana.request("dev-read", "30m", "INC-7")
    world.write("people.toml", "[[person")
    with jitcloud.load_to_end(world.folder, clock=world.time) as broken:
        acting = broken.acting_as("caro")
        with pytest.raises(Misconfigured):
            acting.stop(EVERYTHING, "a leak")
        with pytest.raises(NotFound, match="known by their ids alone"):
            acting.end_all(OF_ANA, "laptop stolen")
        acting.end_all(Scope(reach=Reach.PERSON, id="ana"), "laptop stolen")
    assert world.state(request.id) is State.ENDED


def test_a_directory_that_breaks_meanwhile_keeps_nobody_from_ending(
    world: CliWorld, ana: Acting, ben: Acting
) -> None:
    request = ana.request("dev-read", "30m", "INC-7")
    world.write("people.toml", "[[person")
    ben.end_all(Scope(reach=Reach.PERSON, id="ana"), "laptop stolen")
    assert world.state(request.id) is State.ENDED


# ── Which policy judges ──────────────────────────────────────────────────────────────────────


def test_going_back_to_a_policy_takes_a_reason(world: CliWorld) -> None:
    new = POLICY.replace('"1 of resource.owner"', '"2 of resource.owner"')
    with ExitStack() as opened:

        def acting(text: str) -> Acting:
            world.write("policy/rules.cedar", text)
            return opened.enter_context(world.opener(world.folder)).acting_as("caro")

        for number, text in enumerate((POLICY, new), start=1):
            judged = acting(text).request("dev-read", "5m", "x").policy
            assert judged is not None
            assert judged.number == number
        back = acting(POLICY)
        with pytest.raises(Misconfigured, match="was replaced"):
            back.request("dev-read", "5m", "x")
        with pytest.raises(Invalid, match="reason is empty"):
            adopt(back, " ")
        adopted = adopt(back, "two were too many")
        assert adopted.number == 3
        assert adopt(back, "again") == adopted
        assert back.request("dev-read", "5m", "x").policy == adopted
        world.write("policy/rules.cedar", "permit (")
        with pytest.raises(Misconfigured):
            adopt(back, "x")


def adopt(who: Acting, reason: str) -> PolicyRef:
    return Jitcloud(who.deployment).adopt(who.caller, reason)


# ── Help ─────────────────────────────────────────────────────────────────────────────────────


def test_a_request_is_explained_with_whose_yes_it_takes(ana: Acting) -> None:
    request = ana.request("prod-write", "30m", "INC-7")
    for asked in (request, request.id):
        found = ana.advise(asked)
        assert isinstance(found.decision, NeedsApproval)
        assert [rule.id for rule in found.rules] == ["prod-write"]
        assert [person.name for person in found.asked[0].people] == ["Ben", "Caro"]
    with pytest.raises(NotFound):
        ana.advise(NAME)
    with pytest.raises(Invalid):
        ana.advise("x")


def test_a_refusal_is_explained_with_what_would_help(ana: Acting) -> None:
    found = ana.advise(ana.request("prod-write", "5h", "INC-7"))
    assert isinstance(found.decision, Denied)
    assert found.hints[0].sentence == (
        "This would be allowed within 4h, after a yes from 1 of leads."
    )
    assert found.offers[-1].duration == timedelta(hours=4)


def test_what_whoever_left_asked_is_not_explained(
    world: CliWorld, ana: Acting, ben: Acting
) -> None:
    request = ana.request("prod-write", "30m", "INC-7")
    people = (world.folder / "people.toml").read_text()
    world.write("people.toml", people.replace('"ana"', '"anne"').replace("ana@", "anne@"))
    with pytest.raises(NotFound):
        ben.advise(request)


def test_an_outlook_records_nothing(world: CliWorld, ana: Acting) -> None:
    assert ana.outlook("dev-read").decision.kind == "activate"
    assert ana.outlook("prod-write", timedelta(hours=2)).decision.kind == "needs-approval"
    assert ana.outlook("prod-write", "5h").decision.kind == "denied"
    with pytest.raises(NotFound):
        ana.outlook("no-such")
    with pytest.raises(Invalid):
        ana.outlook("dev-read", "forever")
    assert world.recorded() == (0, [])


def test_what_a_disabled_person_tries_is_refused(world: CliWorld, ben: Acting) -> None:
    people = (world.folder / "people.toml").read_text()
    world.write("people.toml", people.replace('id = "ben"', 'id = "ben"\ndisabled = true'))
    tries = (
        lambda: ben.request("dev-read", "5m", "x"),
        lambda: ben.request_all(["dev-read"], "5m", "x"),
        lambda: ben.stop(EVERYTHING, "x"),
        lambda: ben.resume(EVERYTHING, "x"),
        lambda: ben.end_all(EVERYTHING, "x"),
        lambda: adopt(ben, "x"),
        ben.unreviewed,
        lambda: ben.outlook("dev-read"),
    )
    for attempt in tries:
        with pytest.raises(Refused, match="Ben is disabled"):
            attempt()
    assert world.recorded() == (0, [])
