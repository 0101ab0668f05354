"""Whether sessions can be ended early: each way in which a deny document may be out of order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from jitcloud.doctor import Finding, Grade
from jitcloud.emulators.ministack import Ministack
from jitcloud.model import RequestId
from jitcloud.providers.aws import deny_text, doctor_documents
from jitcloud.providers.aws.deny_subjects import Denials
from tests.aws.conftest import named, policy
from tests.aws.doctor_world import AWAY, Clinic, changed, consulting

BASE = json.loads(deny_text.base_document("ARN"))["Statement"]
FOREIGN = {"Effect": "Deny", "Action": "s3:*", "Resource": "*"}


@pytest.fixture(scope="module")
def clinic(ministack: Ministack) -> Iterator[Clinic]:
    with consulting(ministack) as opened:
        clinic = opened
        clinic.away.iam().put_role_policy(
            RoleName=named(clinic.way_in),
            PolicyName="all",
            PolicyDocument=policy({"Effect": "Allow", "Action": "iam:*", "Resource": "*"}),
        )
        yield clinic


def test_what_is_set_up_well_is_fine(clinic: Clinic) -> None:
    assert clinic.found(doctor_documents.roles, clinic.good[0]) == []
    assert clinic.found(doctor_documents.documents, clinic.good[0]) == []


# ── Roles ────────────────────────────────────────────────────────────────────────────────────


def of_role(clinic: Clinic, **other: object) -> Finding:
    (finding,) = clinic.found(doctor_documents.roles, clinic.session(**other))
    return finding


def test_a_role_that_is_not_there_is_a_failure(clinic: Clinic) -> None:
    finding = of_role(clinic, role_arn=f"arn:aws:iam::{AWAY}:role/nobody")
    assert (finding.grade, finding.what) == (Grade.FAILURE, "It does not exist.")


def test_a_role_of_that_name_under_another_path_is_not_the_role(clinic: Clinic) -> None:
    role = clinic.target_role(clinic.deny_document).replace(":role/", ":role/team/")
    assert of_role(clinic, role_arn=role).what == "It does not exist."


def test_a_role_with_another_boundary_or_none_is_harm(clinic: Clinic) -> None:
    for other in (clinic.away.managed_policy(FOREIGN), None):
        finding = of_role(clinic, role_arn=clinic.target_role(other))
        assert finding.grade is Grade.HARM
        assert "boundary is not the deny document" in finding.what
        assert clinic.deny_document in finding.remedy


def test_that_the_catalog_names_no_document_is_told(clinic: Clinic) -> None:
    finding = of_role(clinic, deny_document=None)
    assert finding.grade is Grade.NOTICE
    assert "work on until their deadline" in finding.costs


def test_a_role_elsewhere_cannot_be_looked_at_without_a_way_in(clinic: Clinic) -> None:
    finding = of_role(clinic, account_role=None)
    assert finding.grade is Grade.FAILURE
    assert "name an account_role there" in finding.what
    # Without a document, there is nothing to look at.
    assert of_role(clinic, account_role=None, deny_document=None).grade is Grade.NOTICE


# ── Documents ────────────────────────────────────────────────────────────────────────────────


def of_document(clinic: Clinic, arn: str) -> list[Finding]:
    wanted = changed(clinic.good[0], deny_document=arn)
    return clinic.found(doctor_documents.documents, wanted)


def saying(clinic: Clinic, *statements: object) -> list[Finding]:
    return of_document(clinic, clinic.document(policy(*statements)))


def test_a_document_that_is_not_there_is_harm(clinic: Clinic) -> None:
    (finding,) = of_document(clinic, f"arn:aws:iam::{AWAY}:policy/none")
    assert (finding.grade, finding.what) == (Grade.HARM, "It does not exist.")
    assert finding.about == f"deny document arn:aws:iam::{AWAY}:policy/none (read)"


def test_a_document_that_allows_less_is_a_failure(clinic: Clinic) -> None:
    (finding,) = saying(clinic, *BASE[1:])
    assert finding.grade is Grade.FAILURE
    assert "does not allow everything" in finding.what


@pytest.mark.parametrize("missing", [1, 2])
def test_a_document_that_does_not_keep_itself_is_harm(clinic: Clinic, missing: int) -> None:
    (finding,) = saying(clinic, *(one for one in BASE if one is not BASE[missing]))
    assert finding.grade is Grade.HARM
    assert finding.costs == "A session that may write IAM can lift its own end."


def test_what_others_have_written_into_it_is_told(clinic: Clinic) -> None:
    (finding,) = saying(clinic, *BASE, FOREIGN)
    assert finding.grade is Grade.NOTICE
    assert "did not write" in finding.what


def test_a_document_that_is_attached_as_a_permissions_policy_is_harm(clinic: Clinic) -> None:
    arn = clinic.document(policy(*BASE))
    user = clinic.away.sts(clinic.away.user()).get_caller_identity()["Arn"]
    clinic.away.iam().attach_user_policy(UserName=named(user), PolicyArn=arn)
    (finding,) = of_document(clinic, arn)
    assert finding.grade is Grade.HARM
    assert "attached as a permissions policy" in finding.what


def test_a_document_that_was_set_back_is_harm(clinic: Clinic) -> None:
    arn = clinic.document(policy(*BASE))
    clinic.away.iam().create_policy_version(
        PolicyArn=arn, PolicyDocument=policy(*BASE).replace("ARN", arn), SetAsDefault=False
    )
    (finding,) = of_document(clinic, arn)
    assert finding.grade is Grade.HARM
    assert finding.what.startswith("An older version of it is in effect")


def test_how_full_a_document_is_is_told(clinic: Clinic) -> None:
    def ending(count: int) -> list[Finding]:
        ended = Denials(requests=frozenset(RequestId(f"01J{n:023d}") for n in range(count)))
        text = deny_text.document("ARN", ended)
        return of_document(clinic, clinic.document(text))

    full = next(n for n in range(300) if not deny_text.takes_request(MEASURED, some(n)))
    assert ending(full // 2) == []
    (nearly,) = ending(full * 9 // 10)
    assert (nearly.grade, "% full" in nearly.what) == (Grade.NOTICE, True)
    (finding,) = ending(full)
    assert finding.grade is Grade.HARM
    assert finding.what == f"It is full: it ends the sessions of {full} already."


MEASURED = f"arn:aws:iam::{AWAY}:policy/document-00"


def some(count: int) -> Denials:
    return replace(Denials(), requests=frozenset(RequestId(f"01J{n:023d}") for n in range(count)))


def test_a_document_that_may_not_be_read_is_a_failure_and_hides_no_other(clinic: Clinic) -> None:
    away = clinic.away
    blind = clinic.role(away, clinic.trusting("sts:AssumeRole", external_id="example-corp"))
    clinic.home.iam().put_role_policy(
        RoleName=named(clinic.broker),
        PolicyName="more",
        PolicyDocument=policy({"Effect": "Allow", "Action": "sts:*", "Resource": blind}),
    )
    unread = changed(clinic.good[0], "unread", account_role=blind)
    gone = changed(clinic.good[0], deny_document=f"arn:aws:iam::{AWAY}:policy/none")
    harm, failure = clinic.found(doctor_documents.documents, unread, gone)
    assert harm.what == "It does not exist."
    assert failure.grade is Grade.FAILURE
    assert failure.what.startswith("It could not be looked at. AWS refused iam:GetPolicy")
