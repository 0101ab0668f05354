"""A trail as a story that an auditor can follow: who did what when, by which rule, and signed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import assert_never

from jitcloud.cli import words
from jitcloud.cli.times import short
from jitcloud.cli.trails import Trail
from jitcloud.controls import said
from jitcloud.durations import format_duration
from jitcloud.model import (
    BROKER,
    Activate,
    Activated,
    Activating,
    Actor,
    Adopted,
    AllEnding,
    Approved,
    Asked,
    Attested,
    BreakGlass,
    Cause,
    Decided,
    Denied,
    EndAll,
    Ended,
    Ending,
    Escalated,
    Extended,
    Facts,
    Failed,
    GlassBroken,
    Happening,
    Issuing,
    Lapsed,
    Looked,
    NeedsApproval,
    PolicyRef,
    Prolonged,
    Reconciled,
    Removed,
    Reopened,
    Restored,
    Resumed,
    Reviewed,
    ReviewMissed,
    Sealed,
    Stopped,
    Voted,
    Withdrawn,
)
from jitcloud.text import quoted

WHY = {
    Cause.DEADLINE: "its deadline has come",
    Cause.GIVEN_BACK: "its holder gave it back",
    Cause.REVOKED: "it was revoked",
    Cause.DISABLED: "the directory has disabled its holder, or knows them no longer",
    Cause.FAILED: "the cloud did not let the person in",
}


_MARKS = {True: "holds", False: "DOES NOT HOLD", None: "was not checked here"}


def of(trail: Trail, extensions: Sequence[Trail] = ()) -> Iterator[str]:
    """Tell a trail line by line; what was asked to extend it stands where it happened."""
    lines = [("", line, holds) for line, holds in trail.lines]
    for number, extension in enumerate(extensions, start=1):
        name = f"extension {number}, "
        lines += [(name, line, holds) for line, holds in extension.lines]
    for name, line, holds in sorted(lines, key=_place):
        yield f"{name}{told(line, holds=holds)}"


def _place(each: tuple[str, Sealed, bool | None]) -> tuple[datetime, bool]:
    # Of one commit, what led to the later deadline stands before it.
    event = each[1].event
    return event.at, isinstance(event.what, Extended | Prolonged)


def told(line: Sealed, *, holds: bool | None) -> str:
    """Tell one event on one line."""
    event = line.event
    parts = [f"{event.seq}.", short(event.at), f"{actor(event.actor)}:", what(event.what)]
    if line.signature is not None:
        mark = _MARKS[holds]
        parts.append(f"[signature of {line.signature.key} {mark}]")
    elif holds is False:
        parts.append("[NOT SIGNED]")
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
            return f"{_decided(happening)}{_on(happening.facts)} {_judged_by(happening.policy)}"
        case GlassBroken(decision=decision, facts=facts, policy=policy):
            return f"{_broken(decision)}{_on(facts)} {_judged_by(policy)}"
        case Escalated(stage=stage, to=to):
            who = words.any_of(to)
            return f"stage {stage + 1} has waited for long enough; {who} may say yes as well."
        case Voted(yes=True):
            return f"said yes (stage {happening.stage + 1}){_because(happening.reason)}."
        case Voted():
            return f"said no{_because(happening.reason)}."
        case Approved():
            needed = words.approval(happening.approval)
            rules = words.by(happening.rules)
            on = _on(happening.facts)
            by = _judged_by(happening.policy)
            return f"the yeses meet what is asked, {needed}{rules}.{on} {by}"
        case Withdrawn():
            return f"the request was withdrawn{_because(happening.reason)}."
        case Lapsed():
            return "the request lapsed: nothing came of it in time."
        case Activating():
            return _activating(happening)
        case Activated():
            return f"access was there, as seen {short(happening.seen_at)}."
        case Extended(window=window, policy=policy):
            until = short(window.deadline)
            return f"what it extends now lasts until {until}. {_judged_by(policy)}"
        case Prolonged(by=by, window=window):
            return f"the deadline is later now, {short(window.deadline)}: request {by} was let in."
        case Issuing():
            return (
                f"set {happening.number} of credentials is about to be made;"
                f" the cloud forgets it by {short(happening.dead_by)}."
            )
        case Ending():
            return f"access is to end: {WHY[happening.cause]}{_because(happening.reason)}."
        case Removed(seen_at=seen_at, dead_by=dead_by):
            return (
                f"the place was seen empty {short(seen_at)}; what was made of the access before"
                f" may work until {short(dead_by)}."
            )
        case Attested(reason=reason):
            return (
                "answers for it that access is gone, which no cloud was seen to say"
                f"{_because(reason)}."
            )
        case Reopened(seen_at=seen_at):
            return f"ACCESS WAS SEEN TO BE THERE AFTER ALL, {short(seen_at)}: it ends again."
        case Ended():
            known = words.KNOWN_BY[happening.evidence]
            return f"access has ended; {known}, {short(happening.seen_at)}."
        case Failed():
            return (
                f"it came to nothing{_because(happening.reason)};"
                f" access was seen absent {short(happening.seen_at)}."
            )
        case Reviewed(fine=fine, note=note, done=done):
            found = "it was right to break the glass" if fine else "the glass was broken wrongly"
            more = "" if done else " Others have yet to review it."
            return f"reviewed it: {found}{_because(note)}.{more}"
        case ReviewMissed():
            return "nobody has reviewed it in time; who asked breaks no glass before that is done."
        case Adopted() | Stopped() | Resumed() | EndAll() | AllEnding() | Restored() | Reconciled():
            return _controlled(happening)
        case _:
            assert_never(happening)


def _controlled(  # noqa: PLR0911 - one arm an event
    happening: Adopted | Stopped | Resumed | EndAll | AllEnding | Restored | Reconciled,
) -> str:
    match happening:
        case Adopted(before=before, after=after, reason=reason, vouched=vouched):
            was = "" if before is None else f", after {before.number} ({before.sha256[:12]})"
            more = " Who says so answers for all that stands before." if vouched else ""
            judges = f"policy {after.number} judges ({after.sha256[:12]}){was}{_because(reason)}"
            return f"{judges}.{more}"
        case Stopped(scope=scope, reason=reason):
            return f"activations are stopped for {said(scope)}{_because(reason)}."
        case Resumed(scope=scope, reason=reason):
            return f"activations go on for {said(scope)}{_because(reason)}."
        case EndAll(scope=scope, reason=reason):
            return f"{said(scope)} is to end{_because(reason)}."
        case AllEnding(scope=scope):
            return f"all of it is ending: {said(scope)}."
        case Restored(reason=reason):
            return (
                f"the record was restored{_because(reason)}; nothing is activated before the clouds"
                " were compared with it."
            )
        case Reconciled(begun_at=begun_at, leaked=leaked, missing=missing, foreign=foreign):
            without = ", ".join(quoted(what) for what in happening.left_out)
            return (
                f"the clouds were compared with the record, from {short(begun_at)} on: {leaked}"
                f" leaked, {missing} missing, {foreign} foreign and left alone"
                f"{f'; left out: {without}' if without else ''}."
            )


def _broken(decision: BreakGlass) -> str:
    hours = format_duration(decision.review.within)
    review = f"to be reviewed within {hours} by {words.stage(decision.review.by)}"
    skipped = decision.skipped
    past = "" if skipped is None else f", past {words.approval(skipped)}"
    heard = f"; {words.all_of(decision.notify)} hear of it" if decision.notify else ""
    rules = words.by(decision.rules)
    return f"THE GLASS IS BROKEN: policy lets them in{past}{rules}, {review}{heard}."


def _on(facts: Facts) -> str:
    """Say on what facts of the world something was decided, where there were any."""
    known = [f"a change freeze is on ({facts.freeze})"] if facts.freeze else []
    for label, looked in (("ticket", facts.ticket), ("incident", facts.incident)):
        if looked is not None:
            known.append(f"the {label} {LOOKED[looked]}")
    return f" On record: {'; '.join(known)}." if known else ""


LOOKED = {
    Looked.OPEN: "was found open",
    Looked.UNCHECKED: "was not looked up",
    Looked.UNKNOWN: "is text that nobody looks up",
}


def _asked(asked: Asked) -> str:
    ask, thing = asked.ask, asked.ask.entitlement
    asks = f"{ask.person} asks for {ask.what}"
    if ask.break_glass:
        asks = f"{ask.person} breaks the glass for {ask.what}"
    if ask.extends is not None:
        asks = f"{ask.person} asks to extend {ask.extends}, {ask.what}"
    parts = [
        f"{asks}, {thing.title}",
        f"which is {thing.privilege} in {thing.environment}",
        f"for {format_duration(ask.duration)}{'' if ask.extends is None else ' in all'}",
    ]
    if ask.start is not None:
        parts.append(f"from {short(ask.start)}")
    for label, value in (("ticket", ask.ticket), ("incident", ask.incident)):
        if value is not None:
            parts.append(f"{label} {value}")
    if ask.together:
        parts.append(f"with {len(ask.together) - 1} more at once")
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
        case BreakGlass() as broken:
            return _broken(broken)


def _activating(activating: Activating) -> str:
    window = activating.window
    held = words.HELD_BY[activating.guarantee]
    left = "".join(f" Would leave: {text}" for text in activating.residual)
    return (
        f"the window is fixed, {short(window.start)} to {short(window.deadline)}; its end is held"
        f" by {held}.{left} {_judged_by(activating.policy)}"
    )


def _judged_by(policy: PolicyRef) -> str:
    number = f" {policy.number}," if policy.number else ""
    return f"(policy{number} {policy.sha256[:12]})"


def _because(reason: str) -> str:
    return f": “{reason}”" if reason else ""
