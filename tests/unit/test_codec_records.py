"""Everything a record may hold reads back as it was; what is older too, and what is newer not."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import is_dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import EnumType
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from jitcloud import codec
from jitcloud.errors import Tampered
from jitcloud.model import (
    GENESIS,
    Actor,
    Asked,
    Controls,
    Decided,
    Event,
    Facts,
    Happening,
    Mark,
    NeedsApproval,
    PolicyRef,
    Request,
    RequestId,
    State,
)

KINDS: tuple[type, ...] = get_args(Happening)

CODECS: dict[type, tuple[Callable[[Any], str], Callable[[str], Any]]] = {
    Request: (codec.encode_request, codec.decode_request),
    Controls: (codec.encode_controls, codec.decode_controls),
    Mark: (codec.encode_mark, codec.decode_mark),
}

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    bool: st.booleans(),
    int: st.integers(0, 2**53 - 1),
    type(None): st.none(),
    datetime: st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001 - the zone is added
    timedelta: st.timedeltas(timedelta(0), timedelta(days=10_000)),
}


@cache
def some(kind: Any) -> st.SearchStrategy[Any]:  # noqa: PLR0911 - one a form of type
    """Draw any value of a type that the model uses."""
    origin, args = get_origin(kind), get_args(kind)
    if hasattr(kind, "__supertype__"):
        return some(kind.__supertype__)
    if isinstance(kind, type) and is_dataclass(kind):
        hints = get_type_hints(kind)
        return st.builds(kind, **{name: some(hint) for name, hint in hints.items()})
    if isinstance(kind, EnumType) or origin is Literal:
        return st.sampled_from(args or list(kind))
    if origin in {Union, UnionType}:
        return st.one_of(*map(some, args))
    if origin is tuple and args[1:] != (...,):
        return st.tuples(*map(some, args))
    if origin is tuple:
        return st.lists(some(args[0]), max_size=2).map(tuple)
    if origin is Mapping:
        return st.dictionaries(TEXT, TEXT, max_size=2)
    return PLAIN[kind]


# ── What is written reads back ──


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=15)
@given(data=st.data())
def test_every_happening_reads_back_as_it_was(kind: type, data: st.DataObject) -> None:
    event = replace(EVENT, actor=data.draw(some(Actor)), what=data.draw(some(kind)))
    text = codec.encode_event(event)
    read = codec.decode_event(text)
    assert read == event
    assert type(read.what) is kind
    assert codec.encode_event(read) == text
    assert rfc8785.dumps(json.loads(text)).decode() == text


@pytest.mark.parametrize("kind", CODECS)
@settings(max_examples=15)
@given(data=st.data())
def test_every_snapshot_reads_back_as_it_was(kind: type, data: st.DataObject) -> None:
    encode, decode = CODECS[kind]
    noun = data.draw(some(kind))
    text = encode(noun)
    # Spelt otherwise, so that it is read and not remembered.
    assert decode(json.dumps(json.loads(text), indent=1)) == noun


@pytest.mark.parametrize("kind", [Controls, Mark])
@settings(max_examples=15)
@given(data=st.data())
def test_controls_and_marks_are_canonical(kind: type, data: st.DataObject) -> None:
    text = CODECS[kind][0](data.draw(some(kind)))
    assert rfc8785.dumps(json.loads(text)).decode() == text


# ── What is newer is refused ──


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=5)
@given(data=st.data())
def test_a_happening_that_says_more_is_not_read(kind: type, data: st.DataObject) -> None:
    newer = json.loads(codec.encode_event(replace(EVENT, what=data.draw(some(kind)))))
    newer["what"]["more"] = True
    with pytest.raises(Tampered, match=r"what\..*more"):
        codec.decode_event(json.dumps(newer))


def test_a_happening_of_an_unknown_type_is_not_read() -> None:
    newer = json.loads(codec.encode_event(EVENT))
    newer["what"]["type"] = "forgiven"
    with pytest.raises(Tampered, match="stored event cannot be read"):
        codec.decode_event(json.dumps(newer))


@pytest.mark.parametrize("kind", CODECS)
@settings(max_examples=5)
@given(data=st.data())
def test_a_snapshot_that_says_more_is_not_read(kind: type, data: st.DataObject) -> None:
    encode, decode = CODECS[kind]
    newer = json.loads(encode(data.draw(some(kind)))) | {"more": True}
    with pytest.raises(Tampered, match="more"):
        decode(json.dumps(newer))


# ── What is older reads as if it had said what holds by default ──

OLD_ASKED = (
    '{"actor":{"id":"ana","token":{"id":"token-of-ana","kind":"test","sha256":null}},'
    '"at":"2026-12-01T09:00:00Z","prev":"' + GENESIS + '","request":"01M8RDA4M0GG66Q20Z8BEVBBJS",'
    '"seq":1,"what":{"ask":{"asked_at":"2026-12-01T09:00:00Z","duration":"PT30M","entitlement":'
    '{"cloud":"aws","environment":"dev","id":"dev-read","labels":[],"mechanism":'
    '"memory.assignment","owner":"leads","privilege":"read","target":{"role":"reader"},'
    '"title":"Read in development","zone":"UTC"},"incident":null,"justification":"testing",'
    '"mfa_age":null,"person":"ana","start":null,"ticket":"INC-7"},"plan":null,"type":"asked"}}'
)
OLD_DECIDED = (
    '{"actor":{"id":"ana","token":null},"at":"2026-12-01T09:00:00Z","prev":"' + GENESIS + '",'
    '"request":"01M8RDA4M0R38M1DTNN1G9PBJ0","seq":2,"what":{"decision":{"approval":{"stages":'
    '[{"needs":[{"approvers":[{"id":"leads","kind":"group"}],"count":1}]}]},"kind":'
    '"needs-approval","rules":["prod-write"]},"lapses_at":"2026-12-01T10:00:00Z","policy":'
    '{"sha256":"' + GENESIS + '"},"type":"decided"}}'
)
OLD_REQUEST = (
    '{"id":"01M8RDA4M0GG66Q20Z8BEVBBJS","ask":{"person":"ana","entitlement":{"id":"dev-read",'
    '"title":"Read in development","cloud":"aws","mechanism":"memory.assignment","target":'
    '{"role":"reader"},"privilege":"read","environment":"dev","owner":"leads","labels":[],'
    '"zone":"UTC"},"duration":"PT30M","justification":"testing","asked_at":'
    '"2026-12-01T09:00:00Z","start":null,"mfa_age":null,"ticket":null,"incident":null},'
    '"state":"pending","seq":1,"head":"' + GENESIS + '","updated_at":"2026-12-01T09:00:00Z",'
    '"plan":null,"decision":null,"policy":{"sha256":"' + GENESIS + '"},"lapses_at":null,'
    '"votes":[],"window":null,"places":{"grant":null,"denial":null},"guarantee":null,'
    '"residual":[],"issued":0,"credentials_dead_by":null,"cause":null,"reason":"",'
    '"evidence":null}'
)

OLD_MARK = (
    '{"attempts":2,"channel":"notices","request":"01M8RDA4M0GG66Q20Z8BEVBBJS","seq":3,"trouble":'
    '"Down.","version":7,"wake_at":"2026-12-01T09:00:00Z","warned":null}'
)


def test_an_ask_of_before_names_no_glass_no_parent_and_no_bundle() -> None:
    what = codec.decode_event(OLD_ASKED).what
    assert isinstance(what, Asked)
    ask = what.ask
    assert (ask.break_glass, ask.extends, ask.together) == (False, None, ())
    assert (ask.entitlement.ticket_projects, ask.entitlement.unchecked_tickets) == ((), False)


def test_a_decision_of_before_rests_on_no_facts_and_no_numbered_text() -> None:
    what = codec.decode_event(OLD_DECIDED).what
    assert isinstance(what, Decided)
    assert what.facts == Facts()
    assert what.policy == PolicyRef(sha256=GENESIS, number=0)
    assert isinstance(what.decision, NeedsApproval)
    assert what.decision.approval.stages[0].needs[0].escalation is None


def test_a_snapshot_of_before_has_no_review_and_no_extension() -> None:
    request = codec.decode_request(OLD_REQUEST)
    assert request.state is State.PENDING
    assert (request.review_by, request.review_missed, request.reviews) == (None, False, ())
    assert (request.escalated, request.prolonged_by) == ((), ())
    assert request.policy == PolicyRef(sha256=GENESIS)


def test_a_mark_of_before_names_nobody_who_was_told() -> None:
    mark = codec.decode_mark(OLD_MARK)
    assert (mark.seq, mark.told, mark.attempts, mark.version) == (3, (), 2, 7)


@pytest.mark.parametrize("text", [OLD_ASKED, OLD_DECIDED])
def test_an_event_of_before_says_the_same_when_it_is_written_anew(text: str) -> None:
    event = codec.decode_event(text)
    anew = codec.encode_event(event)
    assert anew != text  # so a hash must be taken of what is stored, never of this
    assert codec.decode_event(anew) == event


EVENT = Event(
    request=RequestId("01M8RDA4M0GG66Q20Z8BEVBBJS"),
    seq=1,
    at=datetime(2026, 12, 1, 9, tzinfo=UTC),
    actor=Actor(id="ana"),
    what=codec.decode_event(OLD_ASKED).what,
    prev=GENESIS,
)
