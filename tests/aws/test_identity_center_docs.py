"""What the pages say of Identity Center is what the code reads, takes and leaves."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest

from jitcloud.durations import format_duration
from jitcloud.model import Holder, RequestId
from jitcloud.providers.aws import deny_text, doctor_load
from jitcloud.providers.aws import identity_center_accounts as accounts
from jitcloud.providers.aws import identity_center_outlook as outlook
from jitcloud.providers.aws import identity_center_target as targets
from jitcloud.providers.aws import organization_pages as pages
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.deny_subjects import sso_detail
from jitcloud.providers.aws.identity_center import AccountAssignment
from jitcloud.providers.aws.identity_center_places import KIND
from tests.aws.conftest import now
from tests.aws.iam_world import keys_on_page, needed, on_page
from tests.docs.pages import prose, table
from tests.factories import NOW

ENDS = 600


def test_the_keys_on_the_page_are_those_that_are_read() -> None:
    assert keys_on_page("instance_arn") == needed(targets.Target)


def test_the_entitlement_on_the_page_would_be_accepted() -> None:
    assert targets.check(on_page(KIND)) == ()


def test_the_accounts_on_the_page_are_as_many_as_are_taken() -> None:
    assert f"in use, up to {accounts.MOST_ACCOUNTS}, shown together" in prose("docs/policy.md")
    tagged = int(10 * pages.WITHIN.total_seconds())  # ten a second, says Organizations
    assert f"from {tagged} accounts or so on" in prose("docs/operations.md")


def test_what_a_grant_leaves_stands_on_the_page() -> None:
    page = prose("docs/operations.md")
    for sentence in (outlook.BROKER_ENDS, outlook.MADE_MEANWHILE, outlook.BACKGROUND):
        assert f"\n* {sentence}\n" in page


@pytest.mark.parametrize(
    ("takes", "said"),
    [(timedelta(seconds=1.5), "1m30s"), (doctor_load.TAKES, "5m"), (None, "30m30s")],
)
def test_how_long_many_ends_take_is_reckoned_right(takes: timedelta | None, said: str) -> None:
    rows = table("docs/operations.md", "if AWS takes", "600 ends take", "the limit is")
    by_calls = timedelta(seconds=ENDS * doctor_load.CALLS / doctor_load.RATE)
    measured = timedelta(minutes=61) / 1200
    lasting = (
        measured * ENDS if takes is None else max(by_calls, takes * ENDS / doctor_load.OUTSTANDING)
    )
    assert format_duration(lasting) == said
    assert said in [row["600 ends take"] for row in rows]


def test_how_long_a_grant_waits_is_on_the_page() -> None:
    waits = AccountAssignment(Clients(clock=now)).patience
    assert f"fails after {waits // timedelta(minutes=1)} minutes" in prose("docs/operations.md")


def test_as_many_users_as_the_page_says_have_room_in_a_deny_document() -> None:
    assert "has room for some 100 users of an account" in prose("docs/operations.md")
    policy = "arn:aws:iam::222233334444:policy/jitcloud-deny-document"
    ended = [
        Holder(
            request=RequestId(f"{number:026}"),
            until=NOW,
            detail=sso_detail(f"1234567890-{uuid.UUID(int=number)}", f"Admins{number % 3}"),
        )
        for number in range(300)
    ]
    assert abs(len(deny_text.fitting(policy, ended).users) - 100) < 10
