"""Which policy text judges: a new one is taken up and recorded, a replaced one judges no more."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from jitcloud import controls
from jitcloud.errors import Conflict, Misconfigured
from jitcloud.judge import Judge
from jitcloud.ledger import TRIES, Ledger
from jitcloud.model import Actor, Adopted, Digest, PolicyRef
from jitcloud.text import one_line


def current(ledger: Ledger, judge: Judge, actor: Actor, now: datetime) -> Judge:
    """Return the judge with the text of this moment, its number, and the brakes that are on.

    A text never seen before is taken up at once, and the trail says who was served by it first.
    One that was replaced judges no more, wherever it still lies about: going back to it is a
    decision of its own (``adopt``). Raises ``Misconfigured``.
    """
    judge = renewed(judge)
    for _ in range(TRIES):
        known = ledger.controls()
        latest = None if known is None else known.policy
        if known is not None and latest is not None and latest.sha256 == judge.policy.digest:
            stops = controls.in_force(known)
            return replace(judge, number=latest.number, stops=stops, control_seq=known.seq)
        replaced = _number(ledger, judge.policy.digest)
        if replaced is not None or ledger.signer is None:
            message = _outdated(judge.policy.digest, replaced, latest)
            raise Misconfigured(message)
        try:
            after = ledger.control(
                known, (controls.adopt(known, judge.policy.ref),), actor=actor, now=now
            )
        except Conflict:
            continue
        if after.policy is not None:
            stops = controls.in_force(after)
            return replace(judge, number=after.policy.number, stops=stops, control_seq=after.seq)
    message = "The policy changes too fast to judge by it; try again."
    raise Conflict(message)


def adopt(  # noqa: PLR0913 - the facts of the event
    ledger: Ledger,
    judge: Judge,
    actor: Actor,
    now: datetime,
    reason: str,
    *,
    vouched: bool = False,
) -> PolicyRef:
    """Take up the text of this moment, though it was replaced before; return what judges now.

    ``vouched`` answers for the deployment's own trail, which then need not be signed by a key
    that is trusted still: for when one was stolen. Raises ``Misconfigured``, ``Invalid``, and
    ``Tampered`` for a trail that nobody vouches for.
    """
    because = one_line(reason, "reason")
    judge = renewed(judge)
    for _ in range(TRIES):
        known = ledger.store.controls() if vouched else ledger.controls()
        latest = None if known is None else known.policy
        if not vouched and latest is not None and latest.sha256 == judge.policy.digest:
            return latest
        what = controls.adopt(known, judge.policy.ref, because, vouched=vouched)
        try:
            ledger.control(known, (what,), actor=actor, now=now)
        except Conflict:
            continue
        return what.after
    message = "The policy changes too fast to be taken up; try again."
    raise Conflict(message)


def renewed(judge: Judge) -> Judge:
    """Return the judge with the text of this moment. Raises ``Misconfigured``."""
    policy = judge.policy if judge.renew is None else judge.renew()
    return judge if policy is judge.policy else replace(judge, policy=policy)


def _number(ledger: Ledger, digest: Digest) -> int | None:
    """Under which number a text was taken up last, if it ever was."""
    numbers = [
        line.event.what.after.number
        for line in ledger.store.control_events()
        if isinstance(line.event.what, Adopted) and line.event.what.after.sha256 == digest
    ]
    return max(numbers, default=None)


def _outdated(digest: Digest, number: int | None, latest: PolicyRef | None) -> str:
    judging = "none" if latest is None else f"{latest.number} ({latest.sha256[:12]})"
    if number is None:
        return (
            f"This policy text ({digest[:12]}) was not taken up yet, and cannot be here, where"
            f" nothing signs; policy {judging} judges."
        )
    return (
        f"This policy text is number {number} ({digest[:12]}) and was replaced; policy {judging}"
        " judges. Bring that here; or go back to this one on purpose: jitcloud policy adopt"
        " --because TEXT."
    )
