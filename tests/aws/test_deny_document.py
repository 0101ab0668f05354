"""Who can do what once the deny document names a session, and who else still can."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from jitcloud.errors import CloudRefused
from jitcloud.model import Holder, RequestId, Slot
from jitcloud.providers.aws import deny_text
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.deny_document import NO_REQUEST, DenyDocument
from jitcloud.providers.aws.deny_subjects import Denials
from jitcloud.providers.aws.sts_session import StsSession
from tests.aws.conftest import (
    HOUR,
    Aws,
    a_request,
    a_request_id,
    an_entitlement,
    clients_of,
    denied,
    issued,
    named,
    now,
    policy,
)
from tests.factories import a_person


def a_slot(policy_arn: str, *holders: tuple[RequestId, str], **where: str) -> Slot:
    """The document's slot, held by ended requests, each with the role its sessions are of."""
    beside = f"{policy_arn.partition(':policy/')[0]}:role/any"
    entitlement = an_entitlement(role_arn=beside, deny_document=policy_arn, **where)
    place = StsSession(Clients(clock=now)).places(entitlement, a_person("ana")).denial
    assert place is not None
    return Slot(
        key=place.key,
        kind=place.kind,
        where=place.where,
        holders=tuple(Holder(request=r, until=now() + HOUR, detail=role) for r, role in holders),
    )


def end(document: DenyDocument, slot: Slot) -> None:
    document.put(slot, [holder.request for holder in slot.holders], now() + HOUR)


def seen(document: DenyDocument, slot: Slot) -> set[RequestId]:
    return set(document.see(slot, now()).holders or ())


# ── Ending ───────────────────────────────────────────────────────────────────────────────────


def test_an_early_end_ends_that_session_on_its_next_call_and_no_other(
    aws: Aws, sessions: StsSession, document: DenyDocument
) -> None:
    arn, bucket = aws.deny_document(), aws.bucket()
    role = aws.role(boundary=arn)
    ana, ben = a_request(role_arn=role), a_request(role_arn=role)
    anas, bens = issued(sessions, ana), issued(sessions, ben)
    assert aws.can_read(anas, bucket)
    end(document, a_slot(arn, (ana.id, role)))
    assert not aws.can_read(anas, bucket)
    assert aws.can_read(bens, bucket)


def test_every_set_of_an_ended_request_is_ended(
    aws: Aws, sessions: StsSession, document: DenyDocument
) -> None:
    arn, bucket = aws.deny_document(), aws.bucket()
    role = aws.role(boundary=arn)
    request = a_request(role_arn=role)
    first, second = issued(sessions, request), issued(sessions, request)
    end(document, a_slot(arn, (request.id, role)))
    assert not aws.can_read(first, bucket)
    assert not aws.can_read(second, bucket)


def test_a_document_that_ends_nobody_leaves_the_role_as_it_is(
    aws: Aws, sessions: StsSession
) -> None:
    role = aws.role(boundary=aws.deny_document())
    assert aws.can_read(issued(sessions, a_request(role_arn=role)), aws.bucket())


def test_a_bound_session_cannot_lift_what_may_end_it_whatever_the_catalog_opens(
    aws: Aws, sessions: StsSession
) -> None:
    arn = aws.deny_document()
    role = aws.role(boundary=arn)
    mine = aws.iam(issued(sessions, a_request(role_arn=role, allow_escape=["iam-write"])))
    base = deny_text.base_document(arn)
    everything = aws.managed_policy({"Effect": "Allow", "Action": "*", "Resource": "*"})
    assert denied(lambda: mine.create_policy_version(PolicyArn=arn, PolicyDocument=base))
    assert denied(lambda: mine.delete_policy(PolicyArn=arn))
    assert denied(lambda: mine.delete_role_permissions_boundary(RoleName=named(role)))
    assert denied(
        lambda: mine.put_role_permissions_boundary(
            RoleName=named(role), PermissionsBoundary=everything
        )
    )


def test_a_broker_that_may_only_write_the_document_can_end_but_let_nobody_in(
    aws: Aws, sessions: StsSession
) -> None:
    arn, bucket = aws.deny_document(), aws.bucket()
    role = aws.role(boundary=arn)
    request = a_request(role_arn=role)
    made = issued(sessions, request)
    read = ["iam:GetPolicy", "iam:GetPolicyVersion", "iam:ListPolicyVersions"]
    write = ["iam:CreatePolicyVersion", "iam:DeletePolicyVersion", "iam:ListEntitiesForPolicy"]
    narrow = aws.user({"Effect": "Allow", "Action": [*read, *write], "Resource": arn})
    document = DenyDocument(clients_of(aws, narrow))
    slot = a_slot(arn, (request.id, role))
    end(document, slot)
    assert seen(document, slot) == {request.id}
    assert not aws.can_read(made, bucket)
    assert not aws.can_read(narrow, bucket)


# ── Seeing ───────────────────────────────────────────────────────────────────────────────────


def test_what_was_ended_is_seen_and_what_was_let_go_is_not(
    aws: Aws, document: DenyDocument
) -> None:
    arn = aws.deny_document()
    role = aws.role(boundary=arn)
    slot = a_slot(arn, (a_request_id(), role), (a_request_id(), role))
    assert not document.see(slot, now()).present
    end(document, slot)
    sight = document.see(slot, at := now())
    assert sight.present
    assert sight.at == at
    assert sight.holders == frozenset(holder.request for holder in slot.holders)
    document.remove(slot)
    assert not document.see(slot, now()).present
    document.remove(slot)


def test_a_session_whose_role_the_document_does_not_bind_is_not_seen_ended(
    aws: Aws, document: DenyDocument
) -> None:
    arn = aws.deny_document()
    bound, loose = a_request_id(), a_request_id()
    slot = a_slot(arn, (bound, aws.role(boundary=arn)), (loose, aws.role()))
    end(document, slot)
    assert seen(document, slot) == {bound}


def test_whom_the_document_names_beyond_the_record_is_seen_so_that_it_is_pruned(
    aws: Aws, document: DenyDocument
) -> None:
    arn = aws.deny_document()
    role = aws.role(boundary=arn)
    old, new = a_request_id(), a_request_id()
    end(document, a_slot(arn, (old, role), (new, role)))
    later = a_slot(arn, (new, role))
    assert seen(document, later) == {NO_REQUEST, new}
    end(document, later)
    assert seen(document, later) == {new}


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param({"Resource": "arn:aws:s3:::one/*"}, id="for one resource only"),
        pytest.param({"Action": "s3:*"}, id="for one service only"),
        pytest.param({"Condition": {"StringLike": {"aws:x": "y"}}}, id="for somebody else"),
    ],
)
def test_a_statement_that_somebody_weakened_ends_nobody(
    aws: Aws, document: DenyDocument, edit: dict[str, object]
) -> None:
    arn = aws.deny_document()
    role = aws.role(boundary=arn)
    slot = a_slot(arn, (a_request_id(), role))
    ended = Denials(requests=frozenset({slot.holders[0].request}))
    text = json.loads(deny_text.document(arn, ended))
    text["Statement"][-1].update(edit)
    aws.iam().create_policy_version(
        PolicyArn=arn, PolicyDocument=json.dumps(text), SetAsDefault=True
    )
    assert seen(document, slot) == {NO_REQUEST}
    end(document, slot)
    assert seen(document, slot) == {slot.holders[0].request}


# ── Writing ──────────────────────────────────────────────────────────────────────────────────


def test_a_document_can_be_written_more_often_than_iam_keeps_versions(
    aws: Aws, document: DenyDocument
) -> None:
    arn = aws.deny_document()
    role = aws.role(boundary=arn)
    for _ in range(7):
        slot = a_slot(arn, (a_request_id(), role))
        end(document, slot)
        assert seen(document, slot) == {slot.holders[0].request}
    assert len(aws.iam().list_policy_versions(PolicyArn=arn)["Versions"]) == 5


def test_of_two_writers_with_different_records_the_later_wins_and_the_next_read_tells(
    aws: Aws, sessions: StsSession, document: DenyDocument
) -> None:
    arn, bucket = aws.deny_document(), aws.bucket()
    role = aws.role(boundary=arn)
    ana, ben = a_request(role_arn=role), a_request(role_arn=role)
    anas, bens = issued(sessions, ana), issued(sessions, ben)
    end(document, a_slot(arn, (ana.id, role)))
    end(document, a_slot(arn, (ben.id, role)))  # its record did not know of Ana's end yet
    both = a_slot(arn, (ana.id, role), (ben.id, role))
    assert aws.can_read(anas, bucket)
    assert seen(document, both) == {ben.id}
    end(document, both)
    assert not aws.can_read(anas, bucket)
    assert not aws.can_read(bens, bucket)


def test_what_somebody_else_wrote_into_the_document_is_overwritten(
    aws: Aws, sessions: StsSession, document: DenyDocument
) -> None:
    arn, bucket = aws.deny_document(), aws.bucket()
    role = aws.role(boundary=arn)
    nothing = policy({"Effect": "Deny", "Action": "*", "Resource": "*"})
    aws.iam().create_policy_version(PolicyArn=arn, PolicyDocument=nothing, SetAsDefault=True)
    made = issued(sessions, a_request(role_arn=role))
    assert not aws.can_read(made, bucket)
    document.remove(a_slot(arn))
    assert aws.can_read(made, bucket)


def test_a_full_document_keeps_those_that_would_live_longest(
    aws: Aws, document: DenyDocument
) -> None:
    arn = aws.deny_document()
    role = aws.role(boundary=arn)
    ids = [a_request_id() for _ in range(300)]
    began = now()
    holders = tuple(
        Holder(request=request, until=began + timedelta(minutes=at), detail=role)
        for at, request in enumerate(ids)
    )
    slot = replace(a_slot(arn), holders=holders)
    end(document, slot)
    kept = seen(document, slot)
    assert kept == set(ids[-len(kept) :])
    assert deny_text.fits(arn, Denials(requests=frozenset(kept)))
    assert not deny_text.takes_request(arn, Denials(requests=frozenset(kept)))


# ── Where the set-up lacks it ────────────────────────────────────────────────────────────────


def test_a_document_that_does_not_exist_ends_nobody_and_cannot_be_written(
    aws: Aws, document: DenyDocument
) -> None:
    slot = a_slot(f"arn:aws:iam::{aws.account}:policy/gone", (a_request_id(), aws.role()))
    assert not document.see(slot, now()).present
    document.remove(slot)
    with pytest.raises(CloudRefused, match="NoSuchEntity"):
        end(document, slot)


def test_a_document_in_an_account_that_cannot_be_looked_into_is_not_taken_for_absent(
    document: DenyDocument,
) -> None:
    slot = a_slot("arn:aws:iam::999988887777:policy/jitcloud-deny")
    with pytest.raises(CloudRefused, match="name an account_role"):
        document.see(slot, now())
    with pytest.raises(CloudRefused, match="name an account_role"):
        document.remove(slot)


def test_a_document_in_another_account_is_reached_through_a_role_there(
    aws: Aws, document: DenyDocument
) -> None:
    far = Aws(aws.ministack, "999988887777", broker=aws.broker)
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{aws.account}:root"},
        "Action": "sts:AssumeRole",
    }
    arn, door = far.deny_document(), far.role(trust=trust)
    target = far.role(boundary=arn)
    request = a_request_id()
    slot = a_slot(arn, (request, target), account_role=door)
    end(document, slot)
    assert seen(document, slot) == {request}


def test_a_door_that_does_not_open_is_told_as_what_to_check(
    aws: Aws, document: DenyDocument
) -> None:
    arn = aws.deny_document()
    shut = f"arn:aws:iam::{aws.account}:role/shut"
    with pytest.raises(CloudRefused, match="its trust policy names the broker"):
        document.see(a_slot(arn, account_role=shut), now())
