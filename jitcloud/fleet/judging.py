"""``judge`` and ``issue``: who may what, asked over an API, by functions with a role each.

The judge decides and signs, and may reach no cloud: what granting would mean it asks ``look``.
``issue`` hands out session credentials and nothing else: it signs nothing, and believes what the
signed trail proves.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Set as AbstractSet

from jitcloud import adapters, bundles, config
from jitcloud.api.judging import ISSUE, JUDGE, Judging
from jitcloud.clock import utc_now
from jitcloud.config import Deployment
from jitcloud.errors import JitError, Misconfigured
from jitcloud.fleet.environment import folder, secrets, variable
from jitcloud.model import BROKER
from jitcloud.observing import emf, logs
from jitcloud.providers.aws.invoke import Invoker

ANCHORS_WITHIN = 10.0
"""Seconds for which a checkpoint is waited for; one that takes longer goes on at the next call."""

LOOKS_WITHIN = 4.0
"""Seconds for which the judge waits for whoever looks: an ask is decided without that, too."""


def judge() -> Judging:
    """Put the judge together from the environment. Connects to nothing but Secrets Manager."""
    # What cannot be had of them must keep nobody from ending anything.
    try:
        secrets()
    except Misconfigured as exc:
        logs.event("broken", level=logging.ERROR, why=str(exc))
    look = Invoker(variable("JITCLOUD_LOOK"), LOOKS_WITHIN)
    return _judging(config.load_to_end(folder(), utc_now, ask=look), JUDGE)


def issuer() -> Judging:
    """Put together what hands out credentials. Opens no connection."""
    return _judging(config.load_to_end(folder(), utc_now, signs=False), ISSUE)


def is_sound(judging: Judging) -> bool:
    """Whether nothing of its configuration was broken when it was put together."""
    return not judging.deployment.broken


def take_up(deployment: Deployment) -> dict[str, object]:
    """Take up the policy text that was deployed, if it is new: only who signs can.

    Until then whoever drives clouds, and signs nothing, lets nobody in by it.
    """
    ledger, judge, now = deployment.ledger, deployment.judge, deployment.clock()
    if bundles.renewed(judge).policy.digest == deployment.settings.policy.adopt:
        # Going back is a decision of its own, and here it stands in the configuration.
        bundles.adopt(ledger, judge, BROKER, now, "Named by policy.adopt in jitcloud.toml.")
    known = bundles.current(ledger, judge, BROKER, now)
    return {"policy": known.number}


def checkpoint(deployment: Deployment) -> None:
    """Write a checkpoint of the record, if it is time: only who signs can.

    What goes wrong is told, and raised to nobody: no decision depends on it.
    """
    checkpointing = deployment.checkpointing
    if checkpointing is None:
        return
    before, troubles = checkpointing.signed, checkpointing.troubles()
    try:
        checkpointing.start()
        troubles += checkpointing.finish(ANCHORS_WITHIN)
    except JitError as exc:
        troubles += (("anchors", str(exc)),)
    for what, why in troubles:
        logs.event("trouble", level=logging.WARNING, what=what, why=why)
    if checkpointing.signed > before:
        # An alarm counts signatures for which nothing was committed: these are kept elsewhere.
        emf.write(sys.stdout, utc_now(), emf.signed_events(checkpointing.signed - before))


def _judging(deployment: Deployment, commands: AbstractSet[str]) -> Judging:
    identities = deployment.identities()
    if identities is None:
        raise Misconfigured(
            deployment.broken
            or "Nobody can say who they are: jitcloud.toml has no [sign_in]; see docs/sign-in.md."
        )
    answers = None
    if commands != ISSUE:
        answers = adapters.answers_of(deployment.settings, deployment.folder)
    return Judging(
        deployment=deployment,
        identities=identities,
        answers=answers,
        clock=utc_now,
        commands=commands,
    )
