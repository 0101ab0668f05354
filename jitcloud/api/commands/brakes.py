"""Brakes: what stops activations, and what ends everything of a kind."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from jitcloud import scopes, shapes
from jitcloud.api.commands import around
from jitcloud.api.commands.command import Body, Command, Doing, Nothing
from jitcloud.api.inputs import BrakeBody
from jitcloud.api.message import Answer
from jitcloud.errors import JitError, Misconfigured
from jitcloud.model import Controls, EndAll, Happening, Reach, Resumed, Scope, Stopped


def show(doing: Doing, _: Nothing) -> Answer:
    """Say which policy judges, and which brakes are on."""
    with suppress(Misconfigured):  # what is broken hides no brake
        doing.seeing.person()
    return Answer(status=200, body=_shape(doing, doing.acting.deployment.broker.brakes()))


def stop(doing: Doing, what: BrakeBody) -> Answer:
    """Let nothing of a scope be activated from now on."""
    if not _did(doing, Stopped, what):
        doing.acting.stop(_scope(what), what.reason)
    return show(doing, Nothing())


def resume(doing: Doing, what: BrakeBody) -> Answer:
    """Let what was stopped be activated again."""
    if not _did(doing, Resumed, what):
        doing.acting.resume(_scope(what), what.reason)
    return show(doing, Nothing())


def end(doing: Doing, what: BrakeBody) -> Answer:
    """Begin to end all of a scope; whoever drives requests goes on with it.

    ``requests`` is how many it began to end, and null where it was done before; each sweep tries
    again what is in ``troubles``.
    """
    begun: int | None = None
    troubles: tuple[tuple[str, str], ...] = ()
    broker, caller = doing.acting.deployment.broker, doing.acting.caller
    if not _did(doing, EndAll, what):
        begun, troubles = broker.end_all(caller, _scope(what), doing.now, what.reason)
    known: Controls | None = None
    with suppress(JitError):  # it is done, whether or not all that holds can be read
        known = broker.brakes()
    told = [{"what": name, "message": message} for name, message in troubles]
    return Answer(status=200, body={"requests": begun, "troubles": told, **_shape(doing, known)})


def _shape(doing: Doing, known: Controls | None) -> Body:
    """Return what holds, with the names of whoever put brakes on."""
    brakes = () if known is None else (*known.stops, *known.endings)
    people = [brake.by for brake in brakes]
    return {**shapes.of_controls(known), "names": around.names(doing.seeing, people)}


def _did(doing: Doing, kind: type[Happening], what: BrakeBody) -> bool:
    if doing.since is None:
        return False
    judge, store = doing.acting.deployment.judge, doing.acting.deployment.ledger.store
    scope = scopes.meant(_scope(what), judge.directory, store, catalog=judge.catalog, recorded=True)
    return doing.did_for_all(kind, scope=scope, reason=what.reason)


def _scope(what: BrakeBody) -> Scope:
    return Scope(reach=Reach(what.reach), id=what.id)


COMMANDS: tuple[Command[Any], ...] = (
    Command(name="brakes", takes=Nothing, run=show),
    Command(name="stop", takes=BrakeBody, run=stop, takes_key=True),
    Command(name="resume", takes=BrakeBody, run=resume, takes_key=True),
    Command(name="end", takes=BrakeBody, run=end, takes_key=True),
)
