"""The doctor as a whole: silent on what is set up well, bounded, and stopped by nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.model import OperationModel

from jitcloud.doctor import Finding, Grade, ordered
from jitcloud.emulators.identity_center import Fault
from jitcloud.emulators.ministack import Ministack
from jitcloud.model import Cloud
from jitcloud.providers.aws import doctor_iam
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.skew import ClockWatch
from tests.aws.conftest import now
from tests.aws.doctor_world import Clinic, changed, consulting, graded
from tests.aws.fake_aws import WHO, FakeAws, iam_says, says


@pytest.fixture(scope="module")
def clinic(ministack: Ministack) -> Iterator[Clinic]:
    with consulting(ministack) as opened:
        yield opened


def test_what_is_set_up_well_has_nothing_to_be_found(clinic: Clinic) -> None:
    examined = clinic.examined(*clinic.good)
    assert examined.findings == ()
    assert examined.is_well
    assert examined.entitlements == len(clinic.good)


def test_each_thing_is_asked_once_however_many_need_it(clinic: Clinic) -> None:
    first = clinic.examined(*clinic.good)
    many = [changed(one, f"{one.id}-{number}") for one in clinic.good for number in range(10)]
    again = clinic.examined(*clinic.good, *many)
    assert again.findings == ()
    # The rights of the broker, and in one place after the other who is there.
    assert again.calls <= first.calls < 50


def test_what_is_in_another_cloud_is_left_to_others(clinic: Clinic) -> None:
    other = replace(clinic.good[1], cloud=Cloud.AZURE)
    examined = clinic.examined(other)
    assert (examined.findings, examined.entitlements, examined.calls) == ((), 0, 0)


class Watching(ClockWatch):
    """Notes which operations are called."""

    def __init__(self) -> None:
        super().__init__(now)
        self.asked: set[str] = set()

    def follow(self, client: Any) -> None:
        super().follow(client)
        client.meta.events.register("before-call", self._note)

    def _note(self, model: OperationModel, **_: object) -> None:
        self.asked.add(model.name)


def test_it_only_reads_and_tries_doors(clinic: Clinic) -> None:
    clients = clinic.reach(clinic.credentials)
    clients.watch = watch = Watching()
    watch.follow(clients.sts("aws"))
    assert clinic.examined(*clinic.good, clients=clients).is_well
    reads = ("Describe", "Get", "List", "Simulate")
    assert {name for name in watch.asked if not name.startswith(reads)} == {"AssumeRole"}
    assert len(watch.asked) > 15


# ── What keeps it from looking ───────────────────────────────────────────────────────────────


def test_an_aws_out_of_reach_is_one_finding_and_what_it_costs(clinic: Clinic) -> None:
    away = clinic.reach(clinic.credentials, endpoint_url="http://127.0.0.1:9")
    (finding,) = clinic.examined(*clinic.good, clients=away).findings
    assert (finding.grade, finding.about) == (Grade.HARM, "the broker")
    assert "aws.iam-group, aws.identity-center has granted lives on" in finding.costs
    (finding,) = clinic.examined(clinic.good[0], clients=away).findings
    assert finding.grade is Grade.FAILURE


def test_being_throttled_is_waited_for_and_then_told(clinic: Clinic) -> None:
    waits: list[float] = []
    faults = clinic.center.faults
    faults.append(Fault.THROTTLED, on="ListInstances")
    assert clinic.examined(clinic.good[3], pause=waits.append).findings == ()
    assert [seconds for seconds in waits if seconds >= 1] == [1.0]
    for _ in range(3):
        faults.append(Fault.THROTTLED, on="ListInstances")
    (finding,) = clinic.examined(clinic.good[3]).findings
    assert finding.grade is Grade.FAILURE
    assert finding.about.startswith("instance arn:aws:sso:::instance/")
    assert "It could not be looked at. AWS limits the rate" in finding.what


def test_an_answer_that_makes_no_sense_hides_no_other(
    clinic: Clinic, fake: FakeAws, reach: Clients
) -> None:
    fake.answers += [WHO, iam_says("GetGroup"), iam_says("ListGroupsForUser")]
    both = clinic.found(doctor_iam.groups, clinic.good[1], clients=reach)
    assert [asked["Action"] for asked in fake.asked[1:]] == ["GetGroup", "ListGroupsForUser"]
    for finding in both:
        assert finding.what == "It could not be looked at. jitcloud has a defect here: KeyError."


def test_a_run_begins_nothing_after_its_time(clinic: Clinic) -> None:
    late = timedelta(0)

    def clock() -> datetime:
        return now() + late

    def pause(_: float) -> None:
        nonlocal late
        late = timedelta(minutes=6)

    clients = clinic.reach(clinic.credentials, clock=clock)
    asked = Counter(clinic.center.calls)
    findings = clinic.examined(*clinic.good, clients=clients, pause=pause).findings
    assert [one.grade for one in findings] == [Grade.FAILURE] * len(findings)
    stopped = next(one for one in findings if one.about == "this run")
    assert stopped.what == "It was stopped after 5m, before everything was looked at."
    assert clinic.center.calls == asked


# ── The clock ────────────────────────────────────────────────────────────────────────────────


WHO_BODY = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
    "<GetCallerIdentityResult><Arn>arn:aws:sts::999999999999:assumed-role/broker/i</Arn>"
    "</GetCallerIdentityResult></GetCallerIdentityResponse>"
)


@pytest.mark.parametrize("ahead", [timedelta(minutes=2), timedelta(minutes=-2)])
def test_a_clock_that_is_wrong_is_told_with_what_that_costs(
    clinic: Clinic, fake: FakeAws, reach: Clients, ahead: timedelta
) -> None:
    # The broker is in another account, so that nothing else is asked for.
    fake.answers += [says(200, WHO_BODY, ahead=ahead)]
    findings = clinic.examined(clinic.good[1], clients=reach, external_id=None).findings
    (finding,) = (one for one in findings if one.about == "this machine's clock")
    late = ahead > timedelta(0)
    side = "behind" if late else "ahead of"
    assert finding.grade is (Grade.HARM if late else Grade.FAILURE)
    assert finding.what.startswith(f"It is {side} that of AWS by 1m5")
    assert ("has to end itself ends 1m5" in finding.costs) is late


# ── Findings ─────────────────────────────────────────────────────────────────────────────────


def test_the_worst_comes_first_and_nothing_twice() -> None:
    told = [
        Finding(grade=grade, about="a", what=what, costs="c", remedy="r")
        for grade, what in (
            (Grade.NOTICE, "one"),
            (Grade.HARM, "two"),
            (Grade.FAILURE, "three"),
            (Grade.HARM, "two"),
        )
    ]
    assert [one.what for one in ordered(told)] == ["two", "three", "one"]
    assert [grade.matters for grade in Grade] == [True, True, False]
    assert graded(told, Grade.NOTICE) == told[:1]
