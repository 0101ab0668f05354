"""Whom a deny document ends, and nobody else: its text, judged as IAM judges it, and its size."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jitcloud.emulators.identity_center.deny import leaves_anything
from jitcloud.emulators.identity_center.names import role_arn
from jitcloud.errors import Refused
from jitcloud.model import Holder, RequestId
from jitcloud.providers.aws import deny_text, sso_roles
from jitcloud.providers.aws.deny_subjects import (
    NOBODY,
    Denials,
    SsoUser,
    denials,
    denied,
    sso_detail,
    subject,
)
from tests.factories import request_id

ACCOUNT = "111122223333"
DOCUMENT = f"arn:aws:iam::{ACCOUNT}:policy/jitcloud-deny"
GOV = f"arn:aws-us-gov:iam::{ACCOUNT}:policy/jitcloud-deny-document"
SUFFIX = "0123456789abcdef"
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)

ANA = "10e1d8a0-c051-70d8-1f2e-0a1b2c3d4e5f"
BEN = "20e1d8a0-c051-70d8-1f2e-0a1b2c3d4e5f"
USERS = (ANA, BEN, f"1234567890-{ANA}")
SETS = (
    "Admin",
    "Admin_Read",
    "Admin_",
    "admin",
    "AWSReservedSSO_Admin",
    f"Admin_{SUFFIX}"[:32],
    "Ad.in",
    "Ad+in,=@",
    "A" * 32,
)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def holder(
    number: int,
    user: str = ANA,
    permission_set: str = "Admin",
    *,
    before: datetime | None = None,
    until: datetime = LATER,
) -> Holder:
    detail = sso_detail(user, permission_set)
    return Holder(request=request_id(number), until=until, detail=detail, before=before)


def of_request(number: int, until: datetime = LATER) -> Holder:
    return Holder(request=request_id(number), until=until, detail="arn:aws:iam::1:role/r")


# Any: a policy document is whatever JSON holds.
def document(*holders: Holder) -> dict[str, Any]:
    return dict(json.loads(deny_text.document(DOCUMENT, denials(holders))))


def role(
    permission_set: str = "Admin", *, region: str = "eu-west-1", account: str = ACCOUNT
) -> str:
    return role_arn(account, region, permission_set, SUFFIX)


def works(policy: dict[str, Any], user: str, principal_arn: str, issued_at: datetime) -> bool:
    """Whether a session of that role that is that user's can still do something."""
    return leaves_anything(
        policy,
        {
            "aws:principalarn": principal_arn,
            "aws:tokenissuetime": issued_at,
            "identitystore:userid": user,
        },
    )


# ── Whom it ends ─────────────────────────────────────────────────────────────────────────────

CUTOFFS = st.none() | st.integers(0, 2000).map(lambda ms: at(ms / 1000))
HOLDERS = st.lists(
    st.builds(
        holder,
        st.integers(1, 10**6),
        st.sampled_from(USERS),
        st.sampled_from(SETS),
        before=CUTOFFS,
    )
    | st.builds(of_request, st.integers(1, 10**6)),
    max_size=12,
)


@settings(deadline=None)
@given(HOLDERS, st.sampled_from(["us-east-1", "eu-west-1"]))
def test_exactly_the_sessions_that_are_meant_are_ended(
    holders: Sequence[Holder], region: str
) -> None:
    policy = document(*holders)
    for user in USERS:
        for name in SETS:
            wanted = [h.before for h in holders if h.detail == f"sso {user} {name}"]
            for seconds in range(-1, 4):
                issued_at = at(seconds)
                meant = any(
                    cutoff is None or int(issued_at.timestamp()) <= int(cutoff.timestamp())
                    for cutoff in wanted
                )
                assert works(policy, user, role(name, region=region), issued_at) != meant


NAMES = st.from_regex(r"[A-Za-z0-9_+=,.@-]{1,32}", fullmatch=True)


@settings(deadline=None)
@given(NAMES, NAMES | st.sampled_from(SETS), st.sampled_from(["", "_", "_Read", f"_{SUFFIX}"]))
def test_a_permission_set_is_never_taken_for_another(one: str, other: str, more: str) -> None:
    for name in {other, f"{one}{more}"[:32], f"AWSReservedSSO_{one}"[:32]}:
        policy = document(holder(1, permission_set=one))
        assert works(policy, ANA, role(name), NOON) == (name != one)


def test_a_role_elsewhere_or_of_another_kind_is_left_alone() -> None:
    policy = document(holder(1))
    assert not works(policy, ANA, role(), NOON)
    assert works(policy, ANA, role(account="222233334444"), NOON)
    for name in (f"role/AWSReservedSSO_Admin_{SUFFIX}", "role/Admin", "user/Admin"):
        assert works(policy, ANA, f"arn:aws:iam::{ACCOUNT}:{name}", NOON)


def test_in_another_partition_the_role_is_named_as_it_is_there() -> None:
    ended = denials([holder(1)])
    text = deny_text.document(GOV, ended)
    assert f"arn:aws-us-gov:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com" in text
    assert deny_text.denials_in(GOV, json.loads(text)) == ended
    assert deny_text.denials_in(DOCUMENT, json.loads(text)) == NOBODY


# ── Several for one user and role ────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (None, None, None),
        (None, at(3), None),
        (at(3), at(1), at(3)),
        (at(1.9), at(1.1), at(1)),
    ],
)
def test_of_two_requests_the_later_cutoff_holds_and_both_are_ended(
    one: datetime | None, other: datetime | None, both: datetime | None
) -> None:
    two = (holder(1, before=one), holder(2, before=other))
    there = deny_text.denials_in(DOCUMENT, document(*two))
    assert there.users == {SsoUser("Admin", ANA): both}
    assert denied(there, two) == two


def test_users_are_in_one_statement_for_each_role_and_cutoff() -> None:
    plain = len(document()["Statement"])
    alike = [holder(n, user, before=None) for n, user in enumerate(USERS)]
    assert len(document(*alike)["Statement"]) == plain + 1
    same_second = [replace(h, before=at(0.1 * n)) for n, h in enumerate(alike)]
    assert len(document(*same_second)["Statement"]) == plain + 1
    assert len(document(*alike[:2], same_second[2])["Statement"]) == plain + 2
    assert len(document(*alike, holder(9, permission_set="Other"))["Statement"]) == plain + 2


@pytest.mark.parametrize(
    ("there", "asked"),
    [
        pytest.param(at(2), at(1), id="later than asked"),
        pytest.param(at(1), at(2), id="earlier than asked"),
        pytest.param(None, at(1), id="all where a cutoff is asked"),
        pytest.param(at(1), None, id="a cutoff where all is asked"),
    ],
)
def test_what_denies_more_or_less_than_asked_is_not_what_was_asked(
    there: datetime | None, asked: datetime | None
) -> None:
    found = deny_text.denials_in(DOCUMENT, document(holder(1, before=there)))
    assert denied(found, [holder(1, before=asked)]) == ()
    assert denied(found, [holder(1, before=there)]) == (holder(1, before=there),)


def test_a_user_is_not_denied_by_a_statement_for_another_role_or_by_the_requests_tag() -> None:
    asked = holder(1)
    assert denied(denials([holder(2, permission_set="Other")]), [asked]) == ()
    assert denied(denials([holder(2, BEN)]), [asked]) == ()
    assert denied(Denials(requests=frozenset({asked.request})), [asked]) == ()


# ── What must not reach a policy ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize("user", ["", "*", "ana", ANA.replace("1", "?"), f"{ANA} ", ANA + "0"])
def test_what_is_no_user_id_is_refused(user: str) -> None:
    with pytest.raises(Refused, match="is not the id of a user"):
        sso_detail(user, "Admin")


@pytest.mark.parametrize("name", ["", "*", "Ad?in", "${aws:userid}", "A/B", "A B", "Ä", "A" * 33])
def test_what_cannot_be_a_permission_set_is_refused(name: str) -> None:
    with pytest.raises(Refused, match="cannot be the name of a permission set"):
        sso_detail(ANA, name)


@pytest.mark.parametrize(
    "detail", ["sso ", "sso *", f"sso {ANA}", f"sso {ANA} *", f"sso {ANA} A B", "sso * Admin"]
)
def test_what_cannot_be_read_ends_nobody_and_keeps_nobody_from_being_ended(detail: str) -> None:
    unreadable = replace(holder(2), detail=detail)
    both = [holder(1), unreadable]
    assert document(*both) == document(holder(1))
    assert deny_text.fitting(DOCUMENT, both) == denials([holder(1)])
    there = deny_text.denials_in(DOCUMENT, document(*both))
    assert denied(there, both) == (holder(1),)


# ── Reading ──────────────────────────────────────────────────────────────────────────────────


@settings(deadline=None)
@given(HOLDERS)
def test_whom_a_document_ends_can_be_read_back_from_it(holders: Sequence[Holder]) -> None:
    ended, policy = denials(holders), document(*holders)
    assert deny_text.denials_in(DOCUMENT, policy) == ended
    assert deny_text.is_exactly(DOCUMENT, policy, ended)
    assert denied(ended, holders) == tuple(holders)


@pytest.mark.parametrize(
    "statement",
    [
        None,
        "text",
        [],
        [{"Effect": "Deny", "Action": "*", "Resource": "*"}],
        [{"Condition": {"StringEquals": "text"}}],
        [{"Condition": {"StringEquals": {"aws:PrincipalTag/jitcloud-request": ["x"]}}}],
        [{"Condition": {"StringEquals": {"identitystore:UserId": ANA}}}],
        [{"Condition": {"StringEquals": {"identitystore:UserId": ANA}, "ArnLike": 1}}],
    ],
)
def test_a_document_of_another_form_ends_nobody(statement: object) -> None:
    policy = {"Statement": statement}
    assert deny_text.denials_in(DOCUMENT, policy) == NOBODY
    assert not deny_text.is_exactly(DOCUMENT, policy, NOBODY)


ROLE = sso_roles.pattern(DOCUMENT, "Admin")


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param({"Resource": "arn:aws:s3:::one/*"}, id="for one resource only"),
        pytest.param({"Action": "s3:*"}, id="for one service only"),
        pytest.param({"Effect": "Allow"}, id="the other way round"),
        pytest.param({"ArnLike": {"aws:PrincipalArn": f"{ROLE}x"}}, id="for another role"),
        pytest.param({"ArnLike": {"aws:PrincipalArn": [ROLE]}}, id="in another form"),
        pytest.param({"Bool": {"aws:SecureTransport": "true"}}, id="for some calls only"),
        pytest.param({"DateLessThanEquals": {"aws:TokenIssueTime": "soon"}}, id="never"),
        pytest.param({"DateLessThanEquals": {"aws:CurrentTime": "2026"}}, id="for a while"),
    ],
)
def test_a_statement_that_somebody_weakened_ends_nobody(edit: dict[str, object]) -> None:
    policy = document(holder(1))
    last = policy["Statement"][-1]
    elsewhere = last if edit.keys() <= {"Effect", "Action", "Resource"} else last["Condition"]
    elsewhere.update(edit)
    there = deny_text.denials_in(DOCUMENT, policy)
    assert denied(there, [holder(1)]) == ()
    assert not deny_text.is_exactly(DOCUMENT, policy, there)


@pytest.mark.parametrize(
    "beside",
    [
        {"Effect": "Deny", "Action": "*", "Resource": "*"},
        {"Effect": "Allow", "Action": "*", "Resource": "*"},
        document(holder(1, before=NOON))["Statement"][-1],
    ],
)
def test_what_stands_beside_what_we_write_shows(beside: object) -> None:
    policy = document(holder(1))
    policy["Statement"].append(beside)
    there = deny_text.denials_in(DOCUMENT, policy)
    assert denied(there, [holder(1)]) == (holder(1),)
    assert not deny_text.is_exactly(DOCUMENT, policy, there)


# ── Size ─────────────────────────────────────────────────────────────────────────────────────


def user_id(number: int) -> str:
    """As long as a user's id can be."""
    return f"1234567890-{number:08x}-c051-70d8-1f2e-0a1b2c3d4e5f"


@pytest.mark.parametrize("name", ["Admin", "A" * 32])
def test_a_hundred_users_of_a_permission_set_fit_into_one_document(name: str) -> None:
    holders = [holder(n, user_id(n), name) for n in range(200)]
    assert len(deny_text.fitting(GOV, holders[:100])) == 100
    kept = deny_text.fitting(GOV, holders)
    assert len(deny_text.document(GOV, kept)) <= deny_text.MOST_CHARACTERS
    assert not deny_text.takes_user(GOV, kept, name)
    one_less = replace(kept, users=dict(list(kept.users.items())[1:]))
    assert deny_text.takes_user(GOV, one_less, name)
    assert not deny_text.takes_user(GOV, one_less, "Other")


def test_a_document_is_as_full_of_requests_as_iam_allows_and_no_fuller() -> None:
    ids = [request_id(number) for number in range(300)]
    kept = deny_text.fitting(DOCUMENT, [of_request(number) for number in range(300)])
    assert len(kept) > 180
    assert not deny_text.takes_request(DOCUMENT, kept)
    one_less = Denials(requests=frozenset(list(kept.requests)[1:]))
    assert deny_text.takes_request(DOCUMENT, one_less)
    assert kept.requests == set(ids[-len(kept) :])


@settings(deadline=None, max_examples=10)
@given(st.integers())
def test_those_that_would_live_longest_are_kept_where_not_all_fit(seed: int) -> None:
    choose = Random(seed)  # noqa: S311 - it only has to be the same again
    holders = [
        of_request(n, until)
        if choose.random() < 0.5
        else holder(n, user_id(choose.randrange(60)), choose.choice(SETS[:4]), until=until)
        for n in range(250)
        for until in (NOON + timedelta(hours=choose.randrange(5)),)
    ]
    kept = deny_text.fitting(DOCUMENT, holders)
    assert deny_text.fits(DOCUMENT, kept)
    assert kept.without(denials(holders)) == NOBODY

    lives: dict[object, tuple[datetime, RequestId]] = {}
    wants: dict[object, list[Holder]] = {}
    for one in sorted(holders, key=lambda h: (h.until, h.request)):
        lives[subject(one)] = one.until, one.request
        wants.setdefault(subject(one), []).append(one)
    left = lives.keys() - kept.requests - kept.users.keys()
    assert left
    stay = [h for h in holders if subject(h) not in left]
    for out in left:
        longer = [h for h in stay if lives[subject(h)] > lives[out]]
        assert not deny_text.fits(DOCUMENT, denials([*longer, *wants[out]]))
