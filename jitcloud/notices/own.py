"""What somebody reads about their own request: what came of it, and when it ends."""

from __future__ import annotations

from jitcloud.model import (
    Activated,
    Attested,
    BreakGlass,
    Cause,
    Decided,
    Denied,
    Ended,
    Ending,
    Event,
    Extended,
    Failed,
    Lapsed,
    NeedsApproval,
    Reopened,
    Request,
    Reviewed,
    State,
    Voted,
    Withdrawn,
)
from jitcloud.notices.parts import (
    Letter,
    Name,
    because,
    commands,
    deadline,
    end,
    facts,
    instant,
    letter,
    stage,
)
from jitcloud.text import printable


def outcome(  # noqa: C901, PLR0911, PLR0912 - one arm an event
    before: Request | None, event: Event, after: Request, name: Name
) -> Letter | None:
    """Tell the person what came of their request; None for what they need not be told."""
    by = name(event.actor.id)
    match event.what:
        case Decided(decision=Denied(because=sentences)):
            why = f"Policy says no: {printable(' '.join(sentences))}"
            return _nothing("Denied", why, after, name)
        case Voted(yes=False, reason=reason):
            return _nothing("Denied", f"{by} said no{because(reason)}.", after, name)
        case Lapsed():
            allowed = before is not None and before.state is State.SCHEDULED
            why = "nothing could activate it in time" if allowed else "nobody decided in time"
            return _nothing("Lapsed", f"Your request has lapsed: {why}.", after, name)
        case Withdrawn(reason=reason) if event.actor.id != after.person:
            why = f"{by} took your request back{because(reason)}."
            return _nothing("Withdrawn", why, after, name)
        case Failed(reason=reason):
            why = f"The cloud did not let you in{because(reason)}; it shows no access of yours."
            return _nothing("Failed", why, after, name)
        case Extended():
            return _extended(after, name)
        case Ending(cause=Cause.REVOKED, reason=reason) if event.actor.id != after.person:
            return _ended(f"{by} has ended your access{because(reason)}.", after, name)
        case Ended() if after.cause is Cause.GIVEN_BACK:
            return _ended("You gave your access back, and it is known to be gone.", after, name)
        case Attested(reason=reason):
            why = f"{by} answers for it that your access is gone{because(reason)}."
            return _ended(f"{why} No cloud was seen to say so.", after, name)
        case Reopened(seen_at=seen_at):
            return _reopened(instant(seen_at), after, name)
        case Reviewed(fine=fine, note=note):
            return _reviewed(by, note, after, name, fine=fine)
        case Activated():
            return _active(after, name)
        case _:
            return _approved(after, name) if _was_approved(before, after) else None


def missed(after: Request, name: Name) -> Letter:
    """Tell the person that their broken glass was not reviewed in time."""
    return letter(
        f"Review overdue: {after.what}",
        "Nobody has reviewed in time what you did with a broken glass. Until somebody does, you"
        " can break no glass; those who are asked to were told once more.",
        facts(after, name),
        commands(f"jitcloud show {after.id}"),
    )


def ending(request: Request, name: Name) -> Letter:
    """Warn the person that their access is about to end."""
    return letter(
        f"Ends at {deadline(request)}: {request.what}",
        f"Your access ends at {deadline(request)}. Finish what you are at, or ask for more time"
        " before then; afterwards it has to be asked for anew.",
        facts(request, name),
        commands(
            f'jitcloud extend {request.id} --for 30m --because "WHY"',
            f"jitcloud give-back {request.id}",
        ),
    )


def _was_approved(before: Request | None, after: Request) -> bool:
    """Whether somebody's yes has let it in; who needed none has seen that when they asked."""
    return (
        before is not None
        and before.state is State.PENDING
        and after.state is State.SCHEDULED
        and isinstance(before.decision, NeedsApproval)
        and after.ask.extends is None  # the same commit says what came of that
    )


def _approved(after: Request, name: Name) -> Letter:
    start = after.ask.start
    begins = "as soon as the cloud lets you in" if start is None else f"at {instant(start)}"
    return letter(
        f"Approved: {after.what}",
        "\n".join(f"{name(vote.by)} said yes{because(vote.reason)}." for vote in after.votes),
        f"Access begins {begins}; you will be told.",
        facts(after, name),
        commands(f"jitcloud show {after.id}"),
    )


def _active(after: Request, name: Name) -> Letter:
    session = after.places.grant is None
    use = (f"jitcloud exec {after.id} -- COMMAND",) if session else ()
    return letter(
        f"Active until {deadline(after)}: {after.what}",
        f"You have access until {deadline(after)}; give it back when you are done.",
        _reviewed_by(after),
        facts(after, name),
        end(after),
        commands(*use, f"jitcloud give-back {after.id}"),
    )


def _extended(after: Request, name: Name) -> Letter:
    return letter(
        f"Extended until {deadline(after)}: {after.what}",
        f"You have access until {deadline(after)} now.",
        _reviewed_by(after),
        facts(after, name),
        commands(f"jitcloud show {after.ask.extends}"),
    )


def _reviewed_by(after: Request) -> str:
    if not isinstance(after.decision, BreakGlass) or after.review_by is None:
        return ""
    who, by = stage(after.decision.review.by), instant(after.review_by)
    return f"You broke the glass: {who} are asked to review it until {by}."


def _ended(why: str, after: Request, name: Name) -> Letter:
    return letter(
        f"Ended: {after.what}",
        why,
        facts(after, name),
        commands(f"jitcloud audit show {after.id}"),
    )


def _reopened(seen_at: str, after: Request, name: Name) -> Letter:
    return letter(
        f"Ends again: {after.what}",
        f"Your access had ended, and was seen to be there after all at {seen_at}. It is not yours"
        " to use any more, and ends again; you need do nothing.",
        facts(after, name),
        commands(f"jitcloud show {after.id}"),
    )


def _reviewed(by: str, note: str, after: Request, name: Name, *, fine: bool) -> Letter:
    verdict = "was right" if fine else "was not right"
    return letter(
        f"Reviewed: {after.what}",
        f"{by} has looked at your breaking the glass, and finds that it {verdict}{because(note)}.",
        facts(after, name),
        commands(f"jitcloud audit show {after.id}"),
    )


def _nothing(what: str, why: str, after: Request, name: Name) -> Letter:
    kept = ""
    if after.ask.extends is not None:
        what = f"Not extended ({what.lower()})"
        kept = (
            "The access itself keeps the deadline that it has:"
            f" `jitcloud show {after.ask.extends}`."
        )
    return letter(
        f"{what}: {after.what}",
        why,
        kept,
        facts(after, name),
        commands(f"jitcloud show {after.id}"),
    )
