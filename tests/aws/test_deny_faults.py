"""What becomes of a deny document when IAM refuses, fails, or another writer is there too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from urllib.parse import quote

import pytest

from jitcloud.errors import CloudRefused, OutcomeUnknown, Throttled
from jitcloud.model import Holder, RequestId, Slot, SlotKey
from jitcloud.providers.aws import deny_text
from jitcloud.providers.aws.clients import CALL, Clients
from jitcloud.providers.aws.deny_document import DenyDocument
from jitcloud.providers.aws.deny_subjects import denials
from tests.aws.conftest import now
from tests.aws.fake_aws import (
    ROLE,
    WHO,
    Answer,
    FakeAws,
    closes,
    error,
    iam_says,
    page,
    versions,
)

DOCUMENT = "arn:aws:iam::111122223333:policy/deny"
SLOT = Slot(key=SlotKey("d"), kind="aws.deny-document", where={"policy_arn": DOCUMENT})


def put(reach: Clients) -> None:
    DenyDocument(reach).put(SLOT, [RequestId("01J")], now() + timedelta(hours=1))


def actions(fake: FakeAws) -> Sequence[str]:
    return [asked["Action"] for asked in fake.asked]


def test_the_oldest_unused_version_makes_room(fake: FakeAws, reach: Clients) -> None:
    deleted, created = iam_says("DeletePolicyVersion"), iam_says("CreatePolicyVersion")
    fake.answers = [versions(8, 9, 10, 11, 12), deleted, created]
    put(reach)
    assert actions(fake) == ["ListPolicyVersions", "DeletePolicyVersion", "CreatePolicyVersion"]
    assert fake.asked[1]["VersionId"] == "v8"


@pytest.mark.parametrize("code", ["NoSuchEntity", "DeleteConflict"])
def test_room_that_another_writer_made_is_as_good(fake: FakeAws, reach: Clients, code: str) -> None:
    created = iam_says("CreatePolicyVersion")
    fake.answers = [versions(1, 2, 3, 4, 5), error(404, code), created]
    put(reach)
    assert actions(fake)[-1] == "CreatePolicyVersion"


def says_that_it_ends(*holders: Holder) -> Sequence[Answer]:
    text = quote(deny_text.document(DOCUMENT, denials(holders)))
    return [
        WHO,
        iam_says("GetPolicy", "<Policy><DefaultVersionId>v2</DefaultVersionId></Policy>"),
        iam_says("GetPolicyVersion", f"<PolicyVersion><Document>{text}</Document></PolicyVersion>"),
    ]


SOON = now() + timedelta(hours=1)
OF_ROLE = Holder(request=RequestId("01J"), until=SOON, detail=ROLE)
OF_SET = Holder(
    request=RequestId("01K"),
    until=SOON,
    detail="sso 10e1d8a0-c051-70d8-1f2e-0a1b2c3d4e5f Admin",
)
ITS_ROLE = "AWSReservedSSO_Admin_0123456789abcdef"


@pytest.mark.parametrize(("holder", "role"), [(OF_ROLE, "admin"), (OF_SET, ITS_ROLE)])
def test_roles_are_looked_for_on_every_page(
    fake: FakeAws, reach: Clients, holder: Holder, role: str
) -> None:
    fake.answers = [*says_that_it_ends(holder), page("other", more=True), page(role, more=False)]
    sight = DenyDocument(reach).see(replace(SLOT, holders=(holder,)), now())
    assert sight.holders == frozenset({holder.request})
    assert actions(fake)[-2:] == ["ListEntitiesForPolicy"] * 2
    assert fake.asked[-1]["Marker"] == "next"


def test_roles_of_permission_sets_are_looked_for_where_aws_makes_them_and_only_if_needed(
    fake: FakeAws, reach: Clients
) -> None:
    both = (OF_ROLE, OF_SET)
    fake.answers = [
        *says_that_it_ends(*both),
        page("admin", more=True),
        page(ITS_ROLE, more=True),
    ]
    sight = DenyDocument(reach).see(replace(SLOT, holders=both), now())
    assert sight.holders == frozenset({"01J", "01K"})
    listed = [asked.get("PathPrefix") for asked in fake.asked if asked["Action"].startswith("List")]
    assert listed == [None, "/aws-reserved/sso.amazonaws.com/"]
    fake.answers = [*says_that_it_ends()][1:]
    DenyDocument(reach).see(SLOT, now())
    assert actions(fake)[-2:] == ["GetPolicy", "GetPolicyVersion"]


def test_room_that_another_writer_took_is_tried_for_again(fake: FakeAws, reach: Clients) -> None:
    fake.answers = [versions(1, 2), error(409, "LimitExceeded")]
    with pytest.raises(CloudRefused, match="Another writer took the place"):
        put(reach)


def test_a_write_that_is_not_answered_leaves_the_outcome_open(
    fake: FakeAws, reach: Clients
) -> None:
    fake.answers = [versions(1, 2), closes]
    with pytest.raises(OutcomeUnknown):
        put(reach)


def test_no_write_begins_when_it_might_not_end_in_time(fake: FakeAws, reach: Clients) -> None:
    document = DenyDocument(reach, timeout=2 * CALL - timedelta(seconds=1))
    fake.answers = [versions(1, 2)]
    with pytest.raises(Throttled, match="too slowly"):
        document.put(SLOT, [RequestId("01J")], now() + timedelta(hours=1))
    assert actions(fake) == ["ListPolicyVersions"]
