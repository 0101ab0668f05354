"""Shows what is left in the record: the trail, whether it holds, and that no secret is in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from jitcloud import config
from jitcloud.audit.verify import all_ids, signature_holds, verified, verify_all
from jitcloud.cli import words
from jitcloud.cli.demo.timeline import Timeline, Unexpected
from jitcloud.clock import utc_now
from jitcloud.model import (
    Activating,
    Asked,
    Credentials,
    Decided,
    Ended,
    Ending,
    Happening,
    Issuing,
    Request,
    RequestId,
    Sealed,
    Voted,
)


def show_trail(folder: Path, name: RequestId, say: Timeline) -> None:
    """Print one trail, which must hold and must have its end on record before its access."""
    store, verifier = config.open_record(folder)
    try:
        _, trail = verified(store, name, verifier)
    finally:
        store.close()
    say.tell("demo", "prints the trail of alice's change, by time of day (UTC):")
    for line in trail:
        event = line.event
        signed = " [signed]" if signature_holds(line, verifier) else ""
        say.entry(event.at, event.actor.id, f"{event.seq}. {_said(event.what)}{signed}")
    fixed, issued = _seq(trail, Activating), _seq(trail, Issuing)
    if fixed > issued:
        raise Unexpected("The trail", expected="the deadline first", got="credentials first")
    say.showed(
        "The end is on record before the access exists.",
        f"event {fixed} fixed the deadline, event {issued} came before the credentials did",
    )


def show_standing(folder: Path, request: Request, say: Timeline) -> None:
    """Say that the record knows of access that was there before a grant."""
    store, _ = config.open_record(folder)
    try:
        slot = None if request.places.grant is None else store.slot(request.places.grant.key)
    finally:
        store.close()
    if slot is None or slot.standing is not True:
        raise Unexpected("The record", expected="to say that it was there before", got="nothing")
    say.tell("jitcloud", "has on record that this was there before: it is not to be taken")


def verify(folder: Path, forged: RequestId, say: Timeline) -> None:
    """Verify every trail, with no more than public keys. Only the forged one must not hold."""
    store, verifier = config.open_record(folder)
    try:
        report = verify_all(store, verifier, utc_now())
        count = len(list(all_ids(store)))
    finally:
        store.close()
    say.tell(
        "demo",
        f"verifies all {count} trails: {report.events} events, {report.signed} signed",
    )
    for finding in report.findings:
        say.quote("jitcloud", finding.message)
    wrong = [finding.where for finding in report.findings]
    if wrong != [forged]:
        raise Unexpected(
            "The verification", expected=f"to find {forged} alone", got=", ".join(wrong) or "none"
        )
    say.showed(
        "Every change is in the trail, and an edit shows.",
        f"{count - 1} trails hold, and the forged one was found",
    )


def no_secrets(folder: Path, issued: Iterable[Credentials], say: Timeline) -> None:
    """Look through every file of the deployment for anything of what was handed out."""
    secrets = [
        secret.encode()
        for made in issued
        for secret in (made.access_key_id, made.secret_access_key, made.session_token)
        if secret
    ]
    files = [path for path in folder.rglob("*") if path.is_file()]
    found = [path.name for path in files if any(s in path.read_bytes() for s in secrets)]
    say.tell("demo", f"looks for {len(secrets)} keys and tokens in {len(files)} files")
    if found:
        raise Unexpected("The broker's files", expected="no credentials", got=", ".join(found))
    say.showed(
        "No credentials are stored or logged.",
        f"none of what was handed out is in any of the broker's {len(files)} files",
    )


def _seq(trail: Sequence[Sealed], kind: type[Happening]) -> int:
    return next(line.event.seq for line in trail if isinstance(line.event.what, kind))


def _said(what: Happening) -> str:  # noqa: PLR0911 - one arm an event
    match what:
        case Asked(ask=ask):
            return f"asks: {ask.justification}"
        case Decided(decision=decision):
            return f"judged: {words.decision(decision)}"
        case Voted(yes=yes):
            return "yes" if yes else "no"
        case Activating(window=window):
            return f"let in until {window.deadline:%H:%M:%S}"
        case Issuing(number=number):
            return f"is handed credentials, set {number}"
        case Ending(cause=cause):
            return f"ending: {cause}"
        case Ended(evidence=evidence):
            return f"ended: {words.KNOWN_BY[evidence]}"
        case _:
            return what.type
