"""Help at the moment of asking: what could be had, what would help, and whose yes it takes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from jitcloud.facts import as_if, world_of
from jitcloud.judge import Judge
from jitcloud.model import (
    Ask,
    Decision,
    Facts,
    Request,
    Sealed,
)
from jitcloud.policy import World
from jitcloud.policy.explain import Explainer, Explanation


def about(judge: Judge, request: Request, facts: Facts, now: datetime) -> Explanation:
    """Explain what was said to a request, on the facts of the world it was said on."""
    return _explained(judge, request.ask, world_of(facts), now)


def beforehand(judge: Judge, ask: Ask, now: datetime) -> Explanation:
    """Explain what would be said to an ask that nobody has made."""
    facts = judge.look(ask, judge.window(ask, now))
    return _explained(judge, ask, world_of(facts), now)


def facts_of(trail: tuple[Sealed, ...]) -> Facts:
    """Return the facts of the world that a request was last decided on."""
    known = [getattr(line.event.what, "facts", None) for line in trail]
    return next((facts for facts in reversed(known) if isinstance(facts, Facts)), Facts())


def _explained(judge: Judge, ask: Ask, world: World, now: datetime) -> Explanation:
    def decide(what_if: Ask, around: World) -> Decision:
        return replace(judge, look=as_if(around)).first(what_if, None, now)

    explainer = Explainer(policy=judge.policy, directory=judge.directory, decide=decide)
    return explainer.explain(ask, world, judge.window(ask, now))
