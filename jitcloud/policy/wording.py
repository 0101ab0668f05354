"""Decisions in the words of the policy itself: for decision tables, matrices and hints."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, assert_never

from jitcloud.durations import format_duration
from jitcloud.model import (
    Activate,
    Approval,
    Approver,
    BreakGlass,
    Decision,
    Denied,
    Need,
    NeedsApproval,
    Review,
    Stage,
)

Verdict = Literal["activate", "request", "break-glass", "deny"]


def verdict(decision: Decision) -> Verdict:
    """Name the verb that a decision lets somebody do, or deny."""
    match decision:
        case Activate():
            return "activate"
        case NeedsApproval():
            return "request"
        case BreakGlass():
            return "break-glass"
        case Denied():
            return "deny"
        case _:
            assert_never(decision)


def outcome(decision: Decision) -> str:
    """Write what somebody could have, such as ``request: 1 of sre-leads``; nothing for a denial."""
    match decision:
        case NeedsApproval():
            return f"{verdict(decision)}: {approval(decision.approval)}"
        case BreakGlass():
            return f"{verdict(decision)}: {review(decision.review)}"
        case Activate():
            return verdict(decision)
        case Denied():
            return ""
        case _:
            assert_never(decision)


def approval(what: Approval) -> str:
    """Write who must say yes as an ``@approval`` would, with names for its relations.

    Rules that ask different people at the same stage are joined by ``and``, which no rule writes.
    """
    return " then ".join(stage(each) for each in what.stages)


def stage(what: Stage) -> str:
    """Write who is asked at the same time, such as ``2 of sre-leads and 1 of privacy``."""
    return " and ".join(need(each) for each in what.needs)


def need(what: Need) -> str:
    """Write whose yes is asked for, such as ``2 of sre-leads (or platform-leads after 30m)``."""
    asked = f"{what.count} of {' or '.join(map(approver, what.approvers))}"
    if what.escalation is None:
        return asked
    joining, after = approver(what.escalation.to), format_duration(what.escalation.after)
    return f"{asked} (or {joining} after {after})"


def review(what: Review) -> str:
    """Write who looks afterwards, such as ``1 of security within 1d``."""
    return f"{stage(what.by)} within {format_duration(what.within)}"


def notify(who: Iterable[Approver]) -> str:
    """Write who hears of it as a ``@notify`` would."""
    return ", ".join(map(approver, who))


def approver(who: Approver) -> str:
    """Write one of those asked as an ``@approval`` would."""
    return f"rotation.{who.id}" if who.kind == "rotation" else who.id
