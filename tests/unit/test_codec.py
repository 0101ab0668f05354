from __future__ import annotations

import json
import subprocess
import sys

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from jitcloud import codec
from jitcloud.errors import Invalid, Tampered
from jitcloud.model import RequestId, Sight, Slot, SlotKey
from tests.world import START, World

A_SLOT = Slot(
    key=SlotKey("k"),
    kind="test",
    where={},
    seen=Sight(
        at=START, present=True, holders=frozenset(RequestId(f"request-{n}") for n in range(20))
    ),
)


def test_equal_slots_are_equal_bytes_in_every_process() -> None:
    code = "from tests.unit.test_codec import A_SLOT; from jitcloud import codec; "
    code += "print(codec.encode_slot(A_SLOT), end='')"
    texts = {
        subprocess.run(  # noqa: S603 - this interpreter, on a literal
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2", "3")
    }
    assert texts == {codec.encode_slot(A_SLOT)}


def test_a_record_that_says_more_than_is_understood_is_not_read(world: World) -> None:
    request = world.ask()
    newer = json.loads(codec.encode_request(request))
    newer["ask"]["entitlement"]["conditions"] = ["only on Sundays"]
    with pytest.raises(Tampered, match=r"ask\.entitlement\.conditions"):
        codec.decode_request(json.dumps(newer))


def test_every_event_of_a_lifetime_reads_back_as_it_was(world: World) -> None:
    request = world.give_back(world.approve(world.ask(what="prod-write")))
    for line in world.store.events(request.id):
        assert codec.decode_event(line.text) == line.event
        assert codec.encode_event(line.event) == line.text


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
)


@given(PLAIN)
@example(1.0)
@example(1e21)
@example(2**53 - 1)
@example({"\U0001f600": 1, "\ufb33": 2})
@example(['\x00\x1f\x7f\u2028"\\/'])
def test_canonical_text_is_what_rfc_8785_asks_for(value: object) -> None:
    try:
        expected = rfc8785.dumps(value).decode()  # type: ignore[arg-type] # any JSON
    except rfc8785.CanonicalizationError:
        with pytest.raises(Invalid):
            codec.canonical(value)
    else:
        assert codec.canonical(value) == expected
