"""Reads the whole record and says what does not hold, and what no reading of it could show."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain as chain_of
from typing import TYPE_CHECKING

from jitcloud import lifecycle
from jitcloud.audit import chain, unsigned
from jitcloud.errors import NotFound, Tampered
from jitcloud.model import CONTROLS, Controls, Prolonged, Request, RequestId, Sealed
from jitcloud.ports import Store, Verifier

if TYPE_CHECKING:  # whoever verifies without a log need not load what reads one
    from jitcloud.audit.log import Log

PAGE = 500
"""How many ids are asked of the store at a time."""

TRIES = 10
"""How often a request is read again that others change while it is being verified."""

GRACE = timedelta(minutes=1)
"""How long after a deadline the sweep may take before that is worth reporting."""

UNSEEN = (
    "A request that was deleted whole, trail and all: nothing that is left names it.",
    "Events cut from the end of a trail, if the request's own row was set back to match.",
    (
        "The unsigned events after a request's last signed one (activation, issue, end), if"
        " whoever can write the record wrote them anew: they are chained, and only what was"
        " decided is signed."
    ),
    "What somebody signed who has the signing key.",
)
"""What no verification of the record alone can see, in words for whoever relies on one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that does not hold."""

    where: str
    """The request's id; or a line, where that cannot be read."""
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a verification read, and what it found."""

    requests: int
    events: int
    signed: int
    """Events that carry a signature; each of them was checked."""
    findings: tuple[Finding, ...]
    policy: int = 0
    """The highest number of a policy that any request was judged by."""
    unseen: tuple[str, ...] = UNSEEN


def verify_all(
    store: Store,
    verifier: Verifier,
    now: datetime,
    progress: Callable[[int], None] | None = None,
    log: Log | None = None,
) -> Report:
    """Verify the whole record; ``progress`` hears how many requests have been read.

    With a ``log`` of checkpoints also that all is there still that was there at each of them.
    """
    ids = chain_of(all_ids(store), () if log is None else _unlisted(store, log))
    report = verify_these(store, ids, verifier, now, progress, log)
    trail: tuple[Sealed, ...] = ()
    try:
        trail = store.control_events()
        known = chain.verify_controls(store.controls(), trail, verifier)
        wrong = _set_back(report, known)
    except Tampered as exc:
        wrong = str(exc)
    findings = [Finding(where=CONTROLS, message=wrong)] if wrong else []
    if log is not None:
        findings += [*against(log, CONTROLS, trail), *gone(log)]
    return replace(
        report,
        events=report.events + len(trail),
        signed=report.signed + sum(line.signature is not None for line in trail),
        findings=(*report.findings, *findings),
        unseen=report.unseen if log is None else log.unseen(),
    )


def _unlisted(store: Store, log: Log) -> Iterator[RequestId]:
    """Name what checkpoints hold and no list did, though it is there: lists may be behind."""
    for name, _ in list(log.gone()):
        try:
            is_there = name != CONTROLS and store.request(name) is not None
        except Tampered:
            is_there = True
        if is_there:
            yield name


def against(log: Log, name: RequestId, trail: Sequence[Sealed]) -> Iterator[Finding]:
    """Hold a trail to what checkpoints say of it."""
    wrong = log.missing(name, trail) or log.smuggled(name, trail)
    if wrong:
        yield Finding(where=name, message=wrong)


def gone(log: Log) -> Iterator[Finding]:
    """Name the trails that checkpoints hold and nobody has met."""
    yield from (Finding(where=name, message=message) for name, message in log.gone())


def damage(log: Log) -> Iterator[Finding]:
    """Say what is wrong with the checkpoints themselves."""
    yield from (Finding(where=where, message=message) for where, message in log.findings)


def _set_back(report: Report, known: Controls | None) -> str:
    latest = 0 if known is None or known.policy is None else known.policy.number
    if report.policy <= latest:
        return ""
    return (
        f"Policy {report.policy} has judged, and the deployment's own trail knows of none after"
        f" {latest}: its end was cut off, or it was set back."
    )


def verify_these(  # noqa: PLR0913, PLR0917 - what is read, and what it is held to
    store: Store,
    ids: Iterable[RequestId],
    verifier: Verifier,
    now: datetime,
    progress: Callable[[int], None] | None = None,
    log: Log | None = None,
) -> Report:
    """Verify the named requests. What is wrong with one keeps no other from being verified.

    With a ``log`` of checkpoints also that all of them is there still; not that of others.
    """
    findings = [] if log is None else list(damage(log))
    requests = events = signed = policy = 0
    for name in ids:
        requests += 1
        try:
            request, trail = verified(store, name, verifier)
        except (NotFound, Tampered) as exc:
            findings.append(Finding(where=name, message=str(exc)))
            trail = _readable(store, name)
        else:
            findings += [Finding(where=name, message=m) for m in _neglected(store, request, now)]
            policy = max(policy, 0 if request.policy is None else request.policy.number)
        if log is not None:
            findings += against(log, name, trail)
        events += len(trail)
        signed += sum(line.signature is not None for line in trail)
        if progress is not None:
            progress(requests)
    return Report(
        requests=requests,
        events=events,
        signed=signed,
        findings=tuple(findings),
        policy=policy,
        unseen=UNSEEN if log is None else log.unseen(),
    )


def verified(
    store: Store, name: RequestId, verifier: Verifier
) -> tuple[Request, tuple[Sealed, ...]]:
    """Return a request and its trail, each of which proves the other.

    Raises ``NotFound`` and ``Tampered``.
    """
    for _ in range(TRIES):
        request = store.request(name)
        if request is None:
            raise NotFound(f"There is no request {name}; `jitcloud list` shows yours.")
        trail = store.events(name)
        try:
            chain.verify(request, trail, verifier)
            _prove_extensions(store, request, trail, verifier)
        except Tampered:
            # Snapshot and trail are two reads: a commit in between looks like a forgery.
            if store.request(name) == request:
                raise
        else:
            return request, trail
    raise Tampered(f"Request {name} changes too fast to be verified; verify it again.")


def _prove_extensions(
    store: Store, request: Request, trail: Iterable[Sealed], verifier: Verifier
) -> None:
    """Hold each later deadline to the signed trail of the extension that it names."""
    for line in trail:
        match line.event.what:
            case Prolonged(by=by, window=window):
                child = store.request(by)
                if child is None or child.ask.extends is None:
                    unsigned.disbelieve(request.id, line, "there is no such extension")
                chain.verify(child, store.events(by), verifier)
                unsigned.check_prolonged(request, line, child, window)


def signature_holds(line: Sealed, verifier: Verifier) -> bool | None:
    """Whether a known key signed this event; None where it is not signed at all."""
    if line.signature is None:
        return None
    try:
        verifier.verify(chain.SIGNED_AS + line.text.encode(), line.signature)
    except Tampered:
        return False
    return True


def all_ids(store: Store) -> Iterator[RequestId]:
    """Every request there is, oldest first, a page at a time."""
    page = store.ids(PAGE)
    while page:
        yield from page
        page = store.ids(PAGE, page[-1])


def _neglected(store: Store, request: Request, now: datetime) -> Iterator[str]:
    """What a request lacks although its trail holds: somebody to see to it, and in time."""
    if request.state.is_finished:
        return
    if store.wake_at(request.id) is None and store.request(request.id) == request:
        yield (
            f"It is {request.state}, and nothing will ever wake it: its wake-up was taken out. "
            "`jitcloud revoke` ends it."
        )
    if request.window is None or now < lifecycle.deadline(request) + GRACE:
        return
    late = int((now - lifecycle.deadline(request)).total_seconds())
    yield (
        f"It is still {request.state} {late} s after its deadline; see that "
        "`jitcloud sweep` runs, and what it says."
    )


def _readable(store: Store, name: RequestId) -> tuple[Sealed, ...]:
    """Whatever can be counted of a trail that does not hold."""
    try:
        return store.events(name)
    except Tampered:
        return ()
