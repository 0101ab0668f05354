"""What those read who are to do something: vote, review, or know that somebody broke the glass."""

from __future__ import annotations

from jitcloud.model import (
    BreakGlass,
    Decided,
    Denied,
    Event,
    Failed,
    Lapsed,
    Request,
    Reviewed,
    ReviewMissed,
    Stage,
    Voted,
    Withdrawn,
)
from jitcloud.notices.parts import (
    Letter,
    Name,
    because,
    commands,
    facts,
    instant,
    letter,
    meaning,
    stage,
)
from jitcloud.text import printable


def vote(after: Request, waits_for: Stage, name: Name) -> Letter:
    """Ask for a yes or a no, and say what a yes would mean."""
    kind = "more of" if after.ask.extends is not None else "for"
    until = "" if after.lapses_at is None else f" until {instant(after.lapses_at)}"
    return letter(
        f"{name(after.person)} asks {kind} {after.what}: yes or no?",
        "You are asked for a yes or a no."
        f" It takes a yes from {stage(waits_for)}{until}; one no is enough.",
        facts(after, name),
        f"What a yes would mean:\n{meaning(after.plan)}",
        commands(
            f"jitcloud approve {after.id}",
            f'jitcloud deny {after.id} --because "WHY"',
            f"jitcloud show {after.id}",
        ),
    )


def settled(event: Event, after: Request, name: Name) -> Letter:
    """Tell those who were asked, for a vote or a review, that they need not answer any more."""
    return letter(
        f"Settled without you: {after.what} for {name(after.person)}",
        f"{_what_settled_it(event, after, name)} Your answer is not needed any more.",
        facts(after, name),
        commands(f"jitcloud show {after.id}"),
    )


def _what_settled_it(  # noqa: PLR0911 - one arm an event
    event: Event, after: Request, name: Name
) -> str:
    by = name(event.actor.id)
    match event.what:
        case Voted(yes=True, reason=reason):
            return f"{by} said yes{because(reason)}."
        case Voted(reason=reason):
            return f"{by} said no{because(reason)}."
        case Withdrawn(reason=reason):
            return f"{by} took the request back{because(reason)}."
        case Reviewed(note=note):
            return f"{by} has reviewed it{because(note)}."
        case Lapsed():
            return "Time has run out, and the request has lapsed."
        case Decided(decision=Denied(because=sentences)):
            return f"Policy says no by now: {printable(' '.join(sentences))}"
        case Failed(reason=reason):
            return f"The cloud did not let {name(after.person)} in{because(reason)}."
        case _:
            return f"The request is {after.state} by now."


def broken(event: Event, after: Request, name: Name) -> Letter:
    """Tell whoever would have been asked, or is to know, that nobody was."""
    return letter(
        f"BREAK-GLASS: {name(after.person)} lets themselves into {after.what}",
        f"{_broke(event, after, name)} If that is wrong, end it.",
        facts(after, name),
        f"What it means:\n{meaning(after.plan)}",
        commands(
            f'jitcloud revoke {after.ask.extends or after.id} --because "WHY"',
            f"jitcloud show {after.id}",
        ),
    )


def review(event: Event, after: Request, name: Name) -> Letter:
    """Ask for the review of a broken glass: at once, and again when its time has passed."""
    who, thing = name(after.person), after.what
    if isinstance(event.what, ReviewMissed):
        subject = f"REVIEW OVERDUE: {thing} for {who}"
        said = (
            f"What {who} did with a broken glass was to be reviewed until"
            f" {_review_by(event, after)}, and was not. Until it is, {who} can break no glass."
        )
    else:
        subject = f"BREAK-GLASS, to be reviewed: {who} lets themselves into {thing}"
        said = (
            f"{_broke(event, after, name)} You are asked to review it: look at what was done, and"
            f" say until {_review_by(event, after)} whether it was right. If it must not go on,"
            " end it."
        )
    return letter(
        subject,
        said,
        facts(after, name),
        f"What it means:\n{meaning(after.plan)}",
        commands(
            f"jitcloud audit show {after.id}",
            f'jitcloud review {after.id} --because "WHAT YOU FOUND"',
            f'jitcloud revoke {after.ask.extends or after.id} --because "WHY"',
        ),
    )


def _broke(event: Event, after: Request, name: Name) -> str:
    begins = "access begins" if after.ask.extends is None else "access is made longer"
    return (
        f"{name(after.person)} broke the glass at {instant(event.at)}: {begins} at once,"
        " and nobody was asked."
    )


def _review_by(event: Event, after: Request) -> str:
    if after.review_by is None and isinstance(after.decision, BreakGlass):
        # Its time begins with the access, which is yet to come: nobody is told of too long a time.
        return instant(event.at + after.decision.review.within)
    return instant(after.review_by or event.at)
