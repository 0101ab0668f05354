"""What holds for the whole deployment, pure: which policy text judges, and which brakes are on."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from jitcloud.errors import Refused, Tampered
from jitcloud.model import (
    BROKER,
    CONTROLS,
    GENESIS,
    SKEW,
    Adopted,
    AllEnding,
    Brake,
    Controls,
    EndAll,
    Entitlement,
    PersonId,
    PolicyRef,
    Reach,
    Reconciled,
    Request,
    Restored,
    Resumed,
    Scope,
    Sealed,
    Stopped,
)

EVERYTHING = Scope(reach=Reach.EVERYTHING)

UNRECONCILED = (
    "The record was restored, and the clouds have not been compared with it since: run"
    " `jitcloud reconcile`."
)


def fold(  # noqa: PLR0911 - one arm an event
    controls: Controls | None, sealed: Sealed
) -> Controls:
    """Add one event to what the earlier ones gave. Raises ``Tampered`` where it cannot follow."""
    event = sealed.event
    known = controls or Controls(seq=0, head=GENESIS, updated_at=event.at)
    if event.request != CONTROLS or (event.seq, event.prev) != (known.seq + 1, known.head):
        message = f"Event {event.seq} of the deployment's own trail does not follow the last one."
        raise Tampered(message)
    moved = replace(known, seq=event.seq, head=sealed.hash, updated_at=event.at)
    by = PersonId(event.actor.id)
    match event.what:
        case Adopted(before=before, after=after):
            if before != known.policy or after.number != _number(known.policy) + 1:
                message = f"Policy {after.number} does not follow the one before it."
                raise Tampered(message)
            return replace(moved, policy=after)
        case Stopped(scope=scope, reason=reason):
            brake = Brake(scope=scope, by=by, at=event.at, reason=reason)
            return replace(moved, stops=(*_without(known.stops, scope), brake))
        case Resumed(scope=scope):
            return replace(moved, stops=_without(known.stops, scope))
        case EndAll(scope=scope, reason=reason):
            brake = Brake(scope=scope, by=by, at=event.at, reason=reason)
            return replace(moved, endings=(*_without(known.endings, scope), brake))
        case AllEnding(scope=scope):
            return replace(moved, endings=_without(known.endings, scope))
        case Restored():
            return replace(moved, restored_at=event.at)
        case Reconciled(begun_at=begun_at):
            waits = known.restored_at is not None and begun_at < known.restored_at
            return replace(
                moved,
                reconciled_at=begun_at,
                restored_at=known.restored_at if waits else None,
            )
        case _:
            message = f"{event.what.type} cannot stand in the deployment's own trail."
            raise Tampered(message)


def refold(events: Iterable[Sealed]) -> Controls | None:
    """Fold the whole trail; None of an empty one. Raises ``Tampered``."""
    controls: Controls | None = None
    for sealed in events:
        controls = fold(controls, sealed)
    return controls


def adopt(
    controls: Controls | None, policy: PolicyRef, reason: str = "", *, vouched: bool = False
) -> Adopted:
    """Record that another text judges from now on, under the next number."""
    before = None if controls is None else controls.policy
    after = replace(policy, number=_number(before) + 1)
    return Adopted(before=before, after=after, reason=reason, vouched=vouched)


def stop(controls: Controls | None, scope: Scope, reason: str) -> tuple[Stopped, ...]:
    """Stop activations. Asking twice has the effect of once."""
    if controls is not None and any(brake.scope == scope for brake in controls.stops):
        return ()
    return (Stopped(scope=scope, reason=reason),)


def resume(controls: Controls | None, scope: Scope, reason: str) -> tuple[Resumed, ...]:
    """Let activations go on. Raises ``Refused`` where nothing was stopped."""
    if controls is None or all(brake.scope != scope for brake in controls.stops):
        raise Refused(f"Nothing is stopped for {said(scope)}; `jitcloud brake show` says what is.")
    return (Resumed(scope=scope, reason=reason),)


def in_force(controls: Controls | None) -> tuple[Brake, ...]:
    """What keeps anything from being activated: brakes, and a restore until it was reconciled."""
    if controls is None:
        return ()
    if controls.restored_at is None:
        return controls.stops
    by = PersonId(BROKER.id)
    waits = Brake(scope=EVERYTHING, by=by, at=controls.restored_at, reason=UNRECONCILED)
    return (*controls.stops, waits)


def stopped(brakes: Iterable[Brake], entitlement: Entitlement, person: PersonId) -> Brake | None:
    """Return the brake that keeps this from being activated, if one does."""
    return next((brake for brake in brakes if _holds(brake.scope, entitlement, person)), None)


def is_meant(brake: Brake, request: Request) -> bool:
    """Whether a brake that ends everything ends this: what was asked for until it was put on."""
    asked_before = request.ask.asked_at <= brake.at + SKEW
    return (
        not request.state.is_finished
        and asked_before
        and _holds(brake.scope, request.entitlement, request.person)
    )


def said(scope: Scope) -> str:
    """Write what a brake acts on."""
    return "everything" if scope.reach is Reach.EVERYTHING else f"{scope.reach} {scope.id}"


def _holds(scope: Scope, entitlement: Entitlement, person: PersonId) -> bool:
    match scope.reach:
        case Reach.EVERYTHING:
            return True
        case Reach.CLOUD:
            return scope.id == entitlement.cloud
        case Reach.ENTITLEMENT:
            return scope.id == entitlement.id
        case Reach.PERSON:
            return scope.id == person


def _without(brakes: tuple[Brake, ...], scope: Scope) -> tuple[Brake, ...]:
    return tuple(brake for brake in brakes if brake.scope != scope)


def _number(policy: PolicyRef | None) -> int:
    return 0 if policy is None else policy.number
