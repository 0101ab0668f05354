"""Decisions in the words of the policy itself: for decision tables, matrices and hints."""

from __future__ import annotations

from typing import Literal, assert_never

from jitcloud.model import (
    Activate,
    Approval,
    Approver,
    Decision,
    Denied,
    Need,
    NeedsApproval,
    Stage,
)

Verdict = Literal["activate", "request", "deny"]


def verdict(decision: Decision) -> Verdict:
    """Name the verb that a decision lets somebody do, or deny."""
    match decision:
        case Activate():
            return "activate"
        case NeedsApproval():
            return "request"
        case Denied():
            return "deny"
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
    """Write whose yes is asked for, such as ``2 of sre-leads or platform-leads``."""
    return f"{what.count} of {' or '.join(_approver(who) for who in what.approvers)}"


def _approver(who: Approver) -> str:
    return f"rotation.{who.id}" if who.kind == "rotation" else who.id
