"""What must be true in every state of the model, by the numbers that the design gives it."""

from __future__ import annotations

from tests.model.lifecycle_state import (
    ACTIVATING,
    ACTIVE,
    CREATE,
    DELETE,
    ENDED,
    ENDING,
    SEND,
    State,
)


def broken(state: State) -> str:
    """Which promise a state breaks; empty if none."""
    return _claim(state) or (_standing(state) if state.cloud.by_hand else _ours(state))


def _claim(state: State) -> str:
    sending = [driver for driver in state.drivers if driver.at == SEND]
    if len(sending) > 1:
        return "Claims: two drivers are about to tell the cloud something at once."
    if sending and state.slot.claim <= 0:
        return "Claims: a driver is about to tell the cloud something, and its claim is over."
    return ""


def _standing(state: State) -> str:
    if not state.cloud.present or _may_land(state, DELETE):
        return "P7: what was given by hand, before us, is taken away."
    return ""


def _ours(state: State) -> str:
    phases = [request.phase for request in state.requests]
    if not any(phase in {ACTIVATING, ACTIVE, ENDING} for phase in phases):
        if state.cloud.present and ENDED not in phases:
            return "P2: somebody has access, and nothing on record says when it ends."
        if state.cloud.present:
            return "P4: all have ended, and somebody has access."
        if _may_land(state, CREATE):
            return "P4: all have ended, and a call of ours may still let somebody in."
    if any(request.phase == ACTIVE and request.left for request in state.requests):
        if not state.cloud.present:
            return "P7: a request is active, and what it gives was taken away."
        if _may_land(state, DELETE):
            return "P7: a request is active, and a call of ours may still take what it gives."
    return ""


def _may_land(state: State, call: int) -> bool:
    """Whether a call of ours is under way, or about to be."""
    return state.cloud.late == call or any(
        driver.at == SEND and driver.call == call for driver in state.drivers
    )
