"""``request`` and ``approve``: they face the network, and may do nothing but ask the judge."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from jitcloud.api.application import application
from jitcloud.api.message import Answer, Message, answer_of
from jitcloud.api.resolver import Resolver
from jitcloud.fleet.environment import variable
from jitcloud.providers.aws.invoke import Invoker

WITHIN = 25.0
"""Seconds for which an answer is waited for: API Gateway gives up after 30."""


def front(parts: AbstractSet[str]) -> Resolver:
    """Return what answers calls of these parts of the API by asking the judge."""
    invoke = Invoker(variable("JITCLOUD_JUDGE"), WITHIN)

    def asked(message: Message) -> Answer:
        return answer_of(invoke(message.as_dict()))

    return application(asked, parts)
