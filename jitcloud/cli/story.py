"""A trail as a story that an auditor can follow: who did what when, by which rule, and signed."""

from __future__ import annotations

from typing import assert_never

from jitcloud.cli import words
from jitcloud.cli.times import short
from jitcloud.durations import format_duration
from jitcloud.model import (
    BROKER,
    Activate,
    Activated,
    Activating,
    Actor,
    Approved,
    Asked,
    Cause,
    Decided,
    Denied,
    Ended,
    Ending,
    Failed,
    Happening,
    Issuing,
    Lapsed,
    NeedsApproval,
    PolicyRef,
    Sealed,
    Voted,
    Withdrawn,
)

WHY = {
    Cause.DEADLINE: "its deadline has come",
    Cause.GIVEN_BACK: "its holder gave it back",
    Cause.REVOKED: "it was revoked",
    Cause.FAILED: "the cloud did not let the person in",
}


def told(line: Sealed, *, holds: bool | None) -> str:
    """Tell one event on one line."""
    event = line.event
    parts = [f"{event.seq}.", short(event.at), f"{actor(event.actor)}:", what(event.what)]
    if line.signature is not None:
        mark = "holds" if holds else "DOES NOT HOLD"
        parts.append(f"[signature of {line.signature.key} {mark}]")
    return " ".join(parts)


def actor(who: Actor) -> str:
    """Name who caused an event, and by what they proved who they are."""
    if who.token is None:
        return who.id if who == BROKER else f"{who.id}, without a token"
    token = who.token
    return f"{who.id} ({token.kind}{f' {token.id}' if token.id != who.id else ''})"


def what(happening: Happening) -> str:  # noqa: C901, PLR0911, PLR0912 - one arm an event
    """Say what happened, in a sentence."""
    match happening:
        case Asked():
            return _asked(happening)
        case Decided():
            return f"{_decided(happening)} {_judged_by(happening.policy)}"
        case Voted(yes=True):
            return f"said yes (stage {happening.stage + 1}){_because(happening.reason)}."
        case Voted():
            return f"said no{_because(happening.reason)}."
        case Approved():
            needed = words.approval(happening.approval)
            rules = words.by(happening.rules)
            return f"the yeses meet what is asked, {needed}{rules}. {_judged_by(happening.policy)}"
        case Withdrawn():
            return f"the request was withdrawn{_because(happening.reason)}."
        case Lapsed():
            return "the request lapsed: nothing came of it in time."
        case Activating():
            return _activating(happening)
        case Activated():
            return f"access was there, as seen {short(happening.seen_at)}."
        case Issuing():
            return (
                f"set {happening.number} of credentials is about to be made;"
                f" the cloud forgets it by {short(happening.dead_by)}."
            )
        case Ending():
            return f"access is to end: {WHY[happening.cause]}{_because(happening.reason)}."
        case Ended():
            known = words.KNOWN_BY[happening.evidence]
            return f"access has ended; {known}, {short(happening.seen_at)}."
        case Failed():
            return (
                f"it came to nothing{_because(happening.reason)};"
                f" access was seen absent {short(happening.seen_at)}."
            )
        case _:
            assert_never(happening)


def _asked(asked: Asked) -> str:
    ask, thing = asked.ask, asked.ask.entitlement
    parts = [
        f"{ask.person} asks for {thing.id}, {thing.title}",
        f"which is {thing.privilege} in {thing.environment}",
        f"for {format_duration(ask.duration)}",
    ]
    if ask.start is not None:
        parts.append(f"from {short(ask.start)}")
    for label, value in (("ticket", ask.ticket), ("incident", ask.incident)):
        if value is not None:
            parts.append(f"{label} {value}")
    return f"{', '.join(parts)}: “{ask.justification}”."


def _decided(decided: Decided) -> str:
    match decided.decision:
        case Activate(rules=rules):
            return f"policy lets them in at once{words.by(rules)}."
        case NeedsApproval(rules=rules, approval=approval):
            needed = words.approval(approval)
            until = short(decided.lapses_at)
            return f"policy wants a yes from {needed} until {until}{words.by(rules)}."
        case Denied(rules=rules, because=because):
            return f"policy says no{words.by(rules)}: {' '.join(because)}"


def _activating(activating: Activating) -> str:
    window = activating.window
    held = words.HELD_BY[activating.guarantee]
    left = "".join(f" Would leave: {text}" for text in activating.residual)
    return (
        f"the window is fixed, {short(window.start)} to {short(window.deadline)}; its end is held"
        f" by {held}.{left} {_judged_by(activating.policy)}"
    )


def _judged_by(policy: PolicyRef) -> str:
    return f"(policy {policy.sha256[:12]})"


def _because(reason: str) -> str:
    return f": “{reason}”" if reason else ""
