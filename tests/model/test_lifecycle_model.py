"""The model of requests, slots and claims keeps every promise, whatever happens in which order.

It knows nothing of the product, and neither does this file; ``test_tie.py`` ties the two.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from pathlib import Path

import pytest

from tests.model.checker import Space, Violated
from tests.model.lifecycle_model import CLASSIC_BUGS, Lifecycle
from tests.model.lifecycle_state import State
from tests.model.spaces import LARGER, PROMPT, REDUCED, WHOLE, explored

SIZES = {
    "one driver, a late call": (51727, 235972, 40),
    "one request, all faults": (47802, 218607, 33),
    "one request": (12151, 36396, 32),
    "one request, longer claims": (15603, 45639, 36),
    "two requests": (54994, 216034, 43),
    "no faults": (59565, 323764, 37),
    "claims that last longer": (369522, 1911523, 45),
    "settling that lasts longer than a claim": (481574, 2392039, 41),
}
"""How many states and transitions there are, and how many steps lead to the last."""


def _size(space: Space[State]) -> tuple[int, int, int]:
    return len(space.states), space.transitions, space.depth


@pytest.mark.parametrize("name", REDUCED)
def test_a_reduced_model_keeps_every_promise_and_ends(name: str) -> None:
    assert _size(explored(REDUCED[name])) == SIZES[name]


def test_the_reduced_models_have_every_kind_of_step() -> None:
    happens = {kind for model in REDUCED.values() for kind in explored(model).kinds}
    assert happens == WHOLE.fair | WHOLE.rare | {"give back", "revoke", "crash", "late"}


@pytest.mark.parametrize(
    "name",
    [
        "one request",
        "one request, longer claims",
        pytest.param("two requests", marks=pytest.mark.long),
    ],
)
def test_access_outlasts_its_end_by_no_more_than_is_said_and_by_no_less(name: str) -> None:
    model = PROMPT[name]
    space = explored(model)
    assert _size(space) == SIZES[name]
    assert max(state.overstay for state in space.states) == model.longest_overstay


@pytest.mark.long
@pytest.mark.parametrize("name", LARGER)
def test_a_larger_model_keeps_every_promise_and_ends(name: str) -> None:
    assert _size(explored(LARGER[name])) == SIZES[name]


@pytest.mark.long
def test_the_whole_model_keeps_every_promise_and_ends() -> None:
    assert _size(explored(WHOLE)) == (775790, 4713105, 43)


# ── What is put into it is found ─────────────────────────────────────────────────────────────

LET_IN = """
request 1 is recorded as activating
driver 1 claims the slot
driver 1 reads: absent
driver 1 records that access is not standing
driver 1 looks again, and is to create
"""
FOUND = {
    "act before record": (
        "P2: somebody has access, and nothing on record says when it ends.",
        "driver 1 lets request 1 in, before that is on record",
    ),
    "remove what another holds": (
        "P7: a request is active, and a call of ours may still take what it gives.",
        """
        request 1 is recorded as activating
        request 2 is recorded as activating
        driver 1 claims the slot
        driver 1 reads: absent
        driver 1 records that access is not standing
        driver 1 looks again, and is to create
        request 1 is given back
        driver 1 sends a create, which is done
        driver 1 reads back: present
        driver 1 commits what it saw
        driver 1 decides that request 2 is active
        driver 1 records that request 2 is active
        driver 1 claims the slot
        driver 1 reads: absent, which was so before
        driver 1 looks again, and is to delete
        """,
    ),
    "forget a call that was not answered": (
        "P4: all have ended, and a call of ours may still let somebody in.",
        f"""{LET_IN}
        request 1 is given back
        driver 1 sends a create, and gets no answer
        driver 1 commits what it saw, and that it got no answer
        driver 1 claims the slot
        driver 1 reads: absent
        driver 1 commits what it saw
        driver 1 decides that request 1 has ended
        driver 1 records that request 1 has ended
        """,
    ),
    "tell without the claim": (
        "Claims: a driver is about to tell the cloud something, and its claim is over.",
        """
        request 1 is recorded as activating
        driver 1 claims the slot
        driver 1 reads: absent
        time goes on
        request 2 is recorded as activating
        driver 1 records that access is not standing
        driver 1 looks again, and is to create
        """,
    ),
    "believe a read before it has settled": (
        "P4: all have ended, and somebody has access.",
        f"""{LET_IN}
        request 1 is given back
        driver 1 sends a create, which is done
        driver 1 reads back: absent, which was so before
        driver 1 commits what it saw
        driver 1 decides that request 1 has ended
        driver 1 records that request 1 has ended
        """,
    ),
    "settle standing access after the create": (
        "P4: all have ended, and somebody has access.",
        """
        request 1 is recorded as activating
        driver 1 claims the slot
        driver 1 reads: absent
        driver 1 looks again, and is to create
        request 1 is given back
        driver 1 sends a create, which is done
        driver 1 reads back: present
        driver 1 commits what it saw
        driver 1 decides that request 1 has ended
        driver 1 records that request 1 has ended
        """,
    ),
    "join without waiting for a removal": (
        "P7: a request is active, and a call of ours may still take what it gives.",
        """
        request 1 is recorded as activating
        driver 1 claims the slot
        driver 1 reads: absent
        driver 1 records that access is not standing
        request 1 is given back
        driver 1 looks again, and is to delete
        request 2 is recorded as activating
        driver 1 sends a delete, and gets no answer
        driver 1 commits what it saw, and that it got no answer
        driver 1 claims the slot
        driver 1 reads: absent
        driver 1 looks again, and is to create
        driver 1 sends a create, which is done
        driver 1 reads back: present
        driver 1 commits what it saw
        driver 1 decides that request 2 is active
        driver 1 records that request 2 is active
        """,
    ),
    "believe a stale list": (
        "P7: a request is active, and what it gives was taken away.",
        f"""{LET_IN}
        driver 1 sends a create, which is done
        driver 1 reads back: present
        driver 1 commits what it saw
        request 1 is given back
        driver 1 claims the slot
        driver 1 looks again, and is to delete
        request 2 is recorded as activating
        driver 1 sends a delete, which is done
        driver 1 reads back: present, which was so before
        driver 1 commits what it saw
        driver 1 decides that request 2 is active
        driver 1 records that request 2 is active
        """,
    ),
    "trust a list after a call without an answer": (
        "P7: a request is active, and what it gives was taken away.",
        """
        request 1 is recorded as activating
        driver 1 claims the slot
        driver 1 reads: absent
        driver 1 records that access is not standing
        request 1 is given back
        driver 1 looks again, and is to delete
        request 2 is recorded as activating
        driver 1 sends a delete, and gets no answer
        driver 1 commits what it saw, and that it got no answer
        driver 1 claims the slot
        driver 1 reads: absent
        driver 1 looks again, and is to create
        driver 1 sends a create, which is done
        the delete lands late
        time goes on
        driver 1 reads back: present, which was so before
        driver 1 commits what it saw
        driver 1 decides that request 2 is active
        driver 1 records that request 2 is active
        """,
    ),
}
"""What each bug breaks, and the shortest way to it."""


def test_every_bug_is_put_in() -> None:
    assert FOUND.keys() == CLASSIC_BUGS


LIST_TRUSTED = "trust a list after a call without an answer"

TWO_LOCKS = {"join without waiting for a removal": LIST_TRUSTED}
"""What harms nobody unless another bug is put in as well, for each of the two is locked alone."""


@pytest.mark.parametrize("bug", FOUND)
def test_a_bug_that_is_put_in_is_found_with_its_shortest_trace(bug: str) -> None:
    bugs = frozenset({bug, TWO_LOCKS.get(bug, bug)})
    small = Lifecycle(drivers=1, crashes=0, duration=1, bugs=bugs)
    if bug == LIST_TRUSTED:  # it takes a cloud that settles more slowly than a claim lasts
        small = replace(small, settle=2, duration=2)
    with pytest.raises(Violated) as found:
        explored(small)
    what, story = FOUND[bug]
    assert found.value.what == what
    assert list(found.value.trace) == [line.strip() for line in story.split("\n") if line.strip()]


def test_who_is_held_up_for_ever_never_ends_anything() -> None:
    """What fairness assumes is needed: without it the checker finds a run that does not end."""

    class HeldUp(Lifecycle):
        fair = Lifecycle.fair - {"commit in time", "commit"}

    with pytest.raises(Violated, match="goes round for ever") as found:
        explored(HeldUp(drivers=1, crashes=0, late_calls=0, requests=1))
    assert "(for ever) time goes on" in found.value.trace


# ── Whose it is ──────────────────────────────────────────────────────────────────────────────


def test_nothing_but_the_tie_knows_the_product() -> None:
    knows = {
        path.name
        for path in Path(__file__).parent.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in [getattr(node, "module", None) or "", *(each.name for each in node.names)]
        if name.split(".")[0] == "jitcloud" or name in {"tests.world", "tests.faults"}
    }
    assert knows == {"tie.py", "test_tie.py"}
