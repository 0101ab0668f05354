"""The promises, checked against the clouds' truth after every step.

Never asked: what the broker believes. Where access is follows from the clouds, and what was
decided from what was committed (``record``); a promise is broken where the two do not agree.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from jitcloud.model import (
    SKEW,
    Activate,
    Activating,
    BreakGlass,
    Cause,
    Controls,
    Denied,
    Ending,
    Extended,
    NeedsApproval,
    Reach,
    Request,
    Sealed,
    State,
)
from tests.simulation.record import Account
from tests.simulation.stage import LONGEST, Access, Stage

if TYPE_CHECKING:
    from tests.simulation.world import World

NEEDED = {"admin": 2, "write": 1, "read": 1}
"""How many yeses each privilege takes in ``prod``."""


class Broken(AssertionError):
    """A promise was broken: the message says which."""


def judged(account: Account, after: Request, line: Sealed) -> Iterator[str]:
    """Check what lets somebody in, when that is committed (P1, P2, P5, P13)."""
    what = line.event.what
    if isinstance(what, Ending) and what.cause is Cause.DEADLINE:
        deadline = None if after.window is None else after.window.deadline
        if deadline is None or line.event.at < deadline - 2 * SKEW:
            yield f"P7: {after.id} is ended by a deadline that has not come"
    if not isinstance(what, Activating | Extended):
        return
    name, ask = after.id, after.ask
    if ask.duration > LONGEST or what.window.deadline > what.window.start + ask.duration:
        yield f"P13: {name} lasts longer than was asked, or than anything may"
    if what.window.deadline <= line.event.at - 2 * SKEW:
        yield f"P2: {name} is let in after its deadline"
    yield from _decided(after)
    known: Controls | None = account.controls
    if known is not None:
        if known.restored_at is not None:
            yield f"P4: {name} is let in though the record is an older one"
        scopes = {(brake.scope.reach, brake.scope.id) for brake in known.stops}
        meant = {
            (Reach.EVERYTHING, ""),
            (Reach.PERSON, ask.person),
            (Reach.ENTITLEMENT, ask.entitlement.id),
            (Reach.CLOUD, ask.entitlement.cloud),
        }
        for reach, id_ in scopes & meant:
            yield f"P1: {name} is let in though everything of {reach} {id_} is stopped"


def _decided(request: Request) -> Iterator[str]:
    thing, voters = request.entitlement, [vote.by for vote in request.votes]
    if request.person in voters or len(set(voters)) < len(voters):
        yield f"P5: {request.id} was approved by whoever asked, or twice by one"
    match request.decision:
        case None | Denied():
            yield f"P1: {request.id} is let in without a yes"
        case Activate():
            if thing.environment != "dev":
                yield f"P1: {request.id} is let in to {thing.id} by itself"
        case NeedsApproval():
            if len(set(voters)) < NEEDED[thing.privilege]:
                yield f"P5: {request.id} is let in with {len(voters)} yeses"
        case BreakGlass():
            if not request.ask.break_glass or request.review_by is None:
                yield f"P1: {request.id} breaks a glass that nobody asked for, or reviews"


def check(world: World) -> None:
    """Check everything that may have changed in a step. Raises ``Broken``."""
    account = world.account
    if account.broken:
        raise Broken("\n".join(account.broken))
    if world.defects:
        raise Broken("\n".join(world.defects))
    now = world.clock.now
    seen = (now, world.chaos.calls, account.commits)
    if seen == world.seen:
        return  # nobody has told anybody anything since, and no time has passed
    world.seen = seen
    all_have: dict[str, frozenset[Access]] = {}
    for stage in world.stages.values():
        has = stage.access()
        standing = stage.standing()
        if standing and not standing <= has:
            raise Broken(f"P7: {_said(standing - has)} lost what others had given")
        complaints = stage.complaints()
        if complaints:
            raise Broken(f"P7: {'; '.join(complaints)}")
        outlived = stage.outlived()
        if world.lost and account.is_whole and now > world.lands_by:
            # Once it was gone, nobody has it any more by what was lost.
            mine = {each for each in world.lost if world.owner(each) is stage}
            world.lost -= mine - has - outlived
        for each in (has | outlived) - standing:
            _check_one(world, stage, each, now, is_there=each in has)
        all_have[stage.name] = has
    _check_held(world, all_have, now)


def _check_one(
    world: World, stage: Stage, access: Access, now: datetime, *, is_there: bool
) -> None:
    """P1, P2, P4: whoever can has a request that is at work, and is not over for too long."""
    names = world.account.at_work.get(access)
    if not names:
        if access in world.lost:
            return  # nobody knows of it before the clouds were compared with the record
        raise Broken(f"P4: {_said([access])} and no unfinished request says so")
    if is_there and access not in world.lost:
        at_work = [world.account.requests[name] for name in names]
        if not any(_goes_on(each, now) for each in at_work):
            world.overstay.check(world, stage, access, at_work)


def _goes_on(request: Request, now: datetime) -> bool:
    window = request.window
    return request.state is not State.ENDING and window is not None and window.deadline > now


def _check_held(world: World, all_have: Mapping[str, frozenset[Access]], now: datetime) -> None:
    """P7: whom the record calls active can, but for what others took by hand."""
    account = world.account
    for name in account.by_state[State.ACTIVE]:
        request = account.requests[name]
        if request.places.grant is None:
            continue
        mechanism, each = request.entitlement.mechanism, account.access_of(request)
        window = request.window
        over = window is not None and window.deadline <= now + world.skew
        if over or each in all_have[mechanism] or each in world.stale:
            continue
        stage = world.stages[mechanism]
        if each in stage.taken() or _is_late(stage, request):
            continue
        raise Broken(f"P7: {name} is active, and {_said([each])} is not so")


def _is_late(stage: Stage, request: Request) -> bool:
    """Whether a later deadline is on its way, where the cloud itself holds the earlier one."""
    return stage.held_by_cloud and bool(request.prolonged_by)


def _said(them: Iterable[Access]) -> str:
    return ", ".join(
        f"{each.person} can {each.entitlement}{' in ' + each.part if each.part else ''}"
        for each in sorted(them)
    )


def at_the_end(world: World) -> None:
    """Check what must be so once nothing is left to do, and nothing goes wrong any more."""
    left = [n for state in State if not state.is_finished for n in world.account.by_state[state]]
    if left:
        raise Broken(f"P3: these never ended: {', '.join(left)}")
    for stage in world.stages.values():
        extra = (stage.access() | stage.outlived()) - stage.standing()
        if extra:
            raise Broken(f"P4: {_said(extra)} in the end, and nothing is left to do")
    secrets = [secret for secret in world.secrets if secret]
    texts = [line.text for name in world.store.ids(1000) for line in world.store.events(name)]
    texts += [line.text for line in world.store.control_events()]
    texts += [repr(slot) for slot in world.store.all_slots(1000)]
    texts += [str(line) for line in world.story]
    if any(secret in text for text in [*texts, *world.logged] for secret in secrets):
        raise Broken("P8: a secret stands in the record, in a log, or in a message")
