"""The JSON of ``policy explain``: keys are added, never changed or dropped."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from jitcloud import shapes
from jitcloud.instants import iso
from jitcloud.model import RuleId
from jitcloud.policy import wording
from jitcloud.policy.explain import Explanation, Matched
from jitcloud.shapes_of_advice import of_asked, of_people


def shape(found: Explanation, texts: Mapping[RuleId, str], *, freeze: bool) -> dict[str, object]:
    """Return all that is told of a decision; ``texts`` holds that of each rule."""
    ask = found.ask
    return {
        "person": ask.person,
        "entitlement": shapes.of_entitlement(ask.entitlement),
        "duration": _seconds(ask.duration),
        "start": iso(ask.asked_at),
        "mfa_age": None if ask.mfa_age is None else _seconds(ask.mfa_age),
        "ticket": ask.ticket is not None,
        "incident": ask.incident is not None,
        "break_glass": ask.break_glass,
        "freeze": freeze,
        "decision": shapes.of_decision(found.decision),
        "asked": [of_asked(asked) for asked in found.asked],
        "reviewers": [of_asked(asked) for asked in found.reviewers],
        "hearing": [
            {"who": wording.approver(heard.who), "people": of_people(heard.people)}
            for heard in found.hearing
        ],
        "hints": [hint.sentence for hint in found.hints],
        "offers": [
            {"duration": _seconds(offer.duration), "decision": shapes.of_decision(offer.decision)}
            for offer in found.offers
        ],
        "verbs": [_verb_shape(each) for each in found.matched],
        "rules": [
            {
                "id": rule.id,
                "file": rule.file,
                "line": rule.line,
                "effect": rule.cedar.effect,
                "annotations": dict(rule.annotations),
                "text": texts[rule.id],
            }
            for rule in found.rules
        ],
    }


def _verb_shape(matched: Matched) -> dict[str, object]:
    return {
        "verb": matched.verb,
        "allowed": matched.is_allowed,
        "permits": [rule.id for rule in matched.permits],
        "forbids": [rule.id for rule in matched.forbids],
    }


def _seconds(duration: timedelta) -> int:
    return duration // timedelta(seconds=1)
