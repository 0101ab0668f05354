"""Who the broker is, and which roles let it in: with the external id, and without."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from jitcloud.doctor import Finding, Grade
from jitcloud.emulators.ministack import Ministack
from jitcloud.model import Credentials
from jitcloud.providers.aws import doctor_ways_in
from jitcloud.providers.aws.clients import Clients
from tests.aws import iam_world
from tests.aws.conftest import named, policy
from tests.aws.doctor_world import CORP, Clinic, changed, consulting
from tests.aws.fake_aws import GOOD, ROLE, FakeAws, error, says

if TYPE_CHECKING:
    from mypy_boto3_sts.type_defs import CredentialsTypeDef


@pytest.fixture(scope="module")
def clinic(ministack: Ministack) -> Iterator[Clinic]:
    with consulting(ministack) as opened:
        yield opened


# ── Who the broker is ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("caller", "grade"),
    [
        ("arn:aws:iam::111122223333:root", Grade.HARM),
        ("arn:aws:iam::111122223333:user/team/broker", Grade.NOTICE),
    ],
)
def test_a_broker_with_a_key_that_lasts_is_told(caller: str, grade: Grade) -> None:
    (finding,) = doctor_ways_in.identity(caller)
    assert finding.grade is grade
    assert caller in finding.what


def test_a_broker_with_a_role_is_fine() -> None:
    assert not list(doctor_ways_in.identity("arn:aws:sts::111122223333:assumed-role/broker/i-1"))


# ── The roles by which accounts are reached ──────────────────────────────────────────────────


def ways_in(clinic: Clinic, role: str, external_id: str | None = CORP) -> list[Finding]:
    wanted = clinic.session(account_role=role)
    return clinic.found(doctor_ways_in.account_roles, wanted, external_id=external_id)


def test_a_role_that_asks_for_the_external_id_is_fine(clinic: Clinic) -> None:
    assert ways_in(clinic, clinic.way_in) == []


def test_a_role_that_lets_the_broker_in_without_it_is_harm(clinic: Clinic) -> None:
    role = clinic.role(clinic.away, clinic.trusting("sts:AssumeRole"))
    (finding,) = opened(clinic, role)
    assert (finding.grade, finding.about) == (Grade.HARM, f"role {role} (read)")
    assert finding.what == "It lets the broker in without the external id."


def opened(clinic: Clinic, role: str) -> list[Finding]:
    clinic.home.iam().put_role_policy(
        RoleName=named(clinic.broker),
        PolicyName="more",
        PolicyDocument=policy({"Effect": "Allow", "Action": "sts:*", "Resource": role}),
    )
    return ways_in(clinic, role)


def test_a_role_that_wants_another_external_id_is_harm(clinic: Clinic) -> None:
    role = clinic.role(clinic.away, clinic.trusting("sts:AssumeRole", external_id="another"))
    (finding,) = opened(clinic, role)
    assert finding.grade is Grade.HARM
    assert finding.what.startswith("The broker does not get in by it. AWS refused sts:AssumeRole")


def test_a_role_that_the_broker_may_not_assume_is_harm(clinic: Clinic) -> None:
    (finding,) = ways_in(clinic, clinic.role(clinic.away, clinic.trusting("sts:AssumeRole")))
    assert finding.what.startswith("The broker does not get in by it.")


def test_without_any_external_id_another_account_is_told_and_the_own_is_not(
    clinic: Clinic,
) -> None:
    there = clinic.role(clinic.away, clinic.trusting("sts:AssumeRole"))
    opened(clinic, there)
    (finding,) = ways_in(clinic, there, external_id=None)
    assert (finding.grade, finding.about) == (Grade.NOTICE, f"role {there} (read)")
    here = clinic.role(clinic.home, clinic.trusting("sts:AssumeRole"))
    opened(clinic, here)
    assert ways_in(clinic, here, external_id=None) == []


def test_a_role_that_many_need_is_tried_once(clinic: Clinic) -> None:
    before = clinic.clients.watch.calls
    wanted = [changed(clinic.good[0], f"read-{number}") for number in range(5)]
    assert clinic.found(doctor_ways_in.account_roles, *wanted) == []
    assert clinic.clients.watch.calls - before == 2


# ── The roles that are handed out ────────────────────────────────────────────────────────────


def test_a_role_that_gives_a_session_is_fine(clinic: Clinic) -> None:
    assert clinic.found(doctor_ways_in.target_roles, clinic.good[0]) == []


def test_a_role_that_gives_none_is_a_failure(clinic: Clinic) -> None:
    wrong = changed(clinic.good[0], external_id="another")
    (finding,) = clinic.found(doctor_ways_in.target_roles, wrong)
    assert finding.grade is Grade.FAILURE
    assert finding.what.startswith("The broker gets no session of it. AWS refused sts:AssumeRole")


def test_a_role_that_gives_one_without_the_external_id_is_harm(clinic: Clinic) -> None:
    role = clinic.target_role(None, external_id=None)
    opened(clinic, role)
    wanted = clinic.session(role_arn=role)
    (finding,) = clinic.found(doctor_ways_in.target_roles, wanted)
    assert finding.what == "It lets the broker in without the external id."


def test_a_session_that_is_tried_may_do_nothing(
    clinic: Clinic, fake: FakeAws, reach: Clients
) -> None:
    fake.answers += [says(200, GOOD)]
    wanted = clinic.session(role_arn=ROLE, account_role=None, deny_document=None, external_id=None)
    assert clinic.found(doctor_ways_in.target_roles, wanted, clients=reach) == []
    (asked,) = fake.asked
    assert asked["DurationSeconds"] == "900"
    assert asked["Tags.member.1.Key"] == "jitcloud-request"
    home = clinic.home
    role, bucket = home.role(iam_world.ANYTHING), home.bucket()
    made = home.sts(clinic.anybody).assume_role(
        RoleArn=role, RoleSessionName="tried", Policy=asked["Policy"]
    )["Credentials"]
    assert home.can_read(home.role_session(role, clinic.anybody), bucket)
    assert not home.can_read(session_of(made), bucket)


def session_of(made: CredentialsTypeDef) -> Credentials:
    return Credentials(
        access_key_id=made["AccessKeyId"],
        secret_access_key=made["SecretAccessKey"],
        session_token=made["SessionToken"],
        expires_at=made["Expiration"],
    )


def test_what_aws_says_is_one_line(clinic: Clinic, fake: FakeAws, reach: Clients) -> None:
    fake.answers += [error(403, "AccessDenied", "no\x1b[31m way")]
    wanted = clinic.session(role_arn=ROLE, account_role=None, deny_document=None, external_id=None)
    (finding,) = clinic.found(doctor_ways_in.target_roles, wanted, clients=reach)
    assert finding.what.isprintable()
