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
from tests.aws.conftest import now
from tests.aws.fake_aws import (
    ROLE,
    WHO,
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


def test_roles_are_looked_for_on_every_page(fake: FakeAws, reach: Clients) -> None:
    request = RequestId("01J")
    policy = "<Policy><DefaultVersionId>v2</DefaultVersionId></Policy>"
    text = quote(deny_text.document(DOCUMENT, [request]))
    version = f"<PolicyVersion><Document>{text}</Document></PolicyVersion>"
    fake.answers = [
        WHO,
        iam_says("GetPolicy", policy),
        iam_says("GetPolicyVersion", version),
        page("other", more=True),
        page("admin", more=False),
    ]
    holder = Holder(request=request, until=now() + timedelta(hours=1), detail=ROLE)
    sight = DenyDocument(reach).see(replace(SLOT, holders=(holder,)), now())
    assert sight.holders == frozenset({request})
    assert actions(fake)[-2:] == ["ListEntitiesForPolicy"] * 2
    assert fake.asked[-1]["Marker"] == "next"


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
