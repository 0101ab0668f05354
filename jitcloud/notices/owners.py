"""What the owner of an entitlement reads: that access has not ended as it should."""

from __future__ import annotations

from jitcloud.model import Attested, Cause, Event, Removed, Reopened, Request
from jitcloud.notices.parts import Letter, Name, because, commands, facts, instant, letter

EARLY = frozenset({Cause.REVOKED, Cause.DISABLED})
"""Why access ends that somebody wants gone at once, whatever was told beforehand of its end."""


def outcome(event: Event, after: Request, name: Name) -> Letter | None:
    """Tell whoever owns what was asked for; None for what they need not be told."""
    who = name(after.person)
    match event.what:
        case Attested(by=by, reason=reason):
            return letter(
                f"Ended by attestation: {after.what} for {who}",
                f"{name(by)} answers for it that this access is gone{because(reason)}. No cloud was"
                " seen to say so. If that is wrong, end the access where it is.",
                facts(after, name),
                commands(f"jitcloud audit show {after.id}"),
            )
        case Reopened(seen_at=seen_at):
            return letter(
                f"ACCESS NOT GONE: {after.what} for {who}",
                f"This access had ended, and was seen to be there after all at {instant(seen_at)}."
                " It ends again; see what was done with it meanwhile.",
                facts(after, name),
                commands(f"jitcloud show {after.id}", f"jitcloud audit show {after.id}"),
            )
        case Removed(dead_by=dead_by) if after.cause in EARLY:
            return letter(
                f"Sessions may live on: {after.what} for {who}",
                f"The access was taken away, but what {who} made of it before may work until"
                f" {instant(dead_by)}. If that is too long, end those sessions in the cloud.",
                facts(after, name),
                commands(f"jitcloud show {after.id}", f"jitcloud audit show {after.id}"),
            )
        case _:
            return None
