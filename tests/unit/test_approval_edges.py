"""Who must still say yes, where needs are added up and where some of them escalate."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from jitcloud import approval
from jitcloud.model import Approval, Approver, Escalation, Need, PersonId, Stage

NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)
ANA = PersonId("ana")
LEADS, SECURITY = Approver(kind="group", id="leads"), Approver(kind="group", id="security")
PLATFORM = Approver(kind="group", id="platform")
PLAIN = Need(count=1, approvers=(LEADS,))
ESCALATED = replace(PLAIN, escalation=Escalation(after=HOUR, to=PLATFORM))


def of(*needs: Need) -> Approval:
    return Approval(stages=(Stage(needs=needs),))


def next_one(asked: Approval, now: datetime = NOW) -> datetime | None:
    return approval.next_escalation(asked, (), {}, ANA, asked_at=NOW, now=now)


@pytest.mark.parametrize("needs", [(PLAIN, ESCALATED), (ESCALATED, PLAIN)])
def test_others_join_the_same_approvers_only_where_each_need_of_them_says_so(
    needs: tuple[Need, ...],
) -> None:
    assert approval.combine([of(*needs)]) == of(replace(PLAIN, count=2))
    both = approval.combine([of(ESCALATED, ESCALATED)])
    assert both == of(replace(ESCALATED, count=2))


def test_a_need_that_never_escalates_is_waited_for_beside_one_that_does() -> None:
    other = Need(count=1, approvers=(SECURITY,))
    assert next_one(of(other, ESCALATED)) == NOW + HOUR
    assert next_one(of(other, PLAIN)) is None


def test_who_has_joined_does_not_join_again_though_they_were_asked_before() -> None:
    again = replace(PLAIN, escalation=Escalation(after=HOUR, to=LEADS))
    assert next_one(of(again)) == NOW + HOUR
    assert next_one(of(again), NOW + HOUR) is None


@pytest.mark.parametrize(
    "needs", [(replace(PLAIN, count=0),), (PLAIN, Need(count=0, approvers=(SECURITY,)))]
)
def test_a_need_of_no_yes_is_none(needs: tuple[Need, ...]) -> None:
    with pytest.raises(ValueError, match="at least one yes"):
        approval.combine([of(*needs)])
