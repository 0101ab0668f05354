"""What a program may answer, and what is never taken from one."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from jitcloud.directories.command import CommandDirectory
from jitcloud.errors import Misconfigured, NotFound, Refused, Unavailable
from jitcloud.model import GroupId, PersonId, RotationId
from jitcloud.programs import OperatorProgram
from tests.operator_programs import script

ANN = {
    "id": "u-1",
    "name": "Ann",
    "emails": ["Ann@Example.org"],
    "groups": ["inner", "outer"],
    "rotations": ["pager"],
    "manager": "u-2",
    "disabled": False,
}

Answering = Callable[[object], CommandDirectory]


@pytest.fixture
def answering(tmp_path: Path) -> Answering:
    """A directory whose program writes the same, whatever is asked, and keeps the question."""

    def make(answer: object) -> CommandDirectory:
        text = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        (tmp_path / "answer").write_bytes(text)
        program = script(tmp_path, "cat > question; cat answer")
        return CommandDirectory(program)

    return make


def test_each_question_is_one_object(answering: Answering, tmp_path: Path) -> None:
    def asked() -> object:
        return json.loads((tmp_path / "question").read_text())

    answering({"person": ANN}).person("Ann@example.org")
    assert asked() == {"version": 1, "ask": "person", "handle": "Ann@example.org"}
    answering({"members": []}).members(GroupId('"inner"'))
    assert asked() == {"version": 1, "ask": "members", "group": '"inner"'}
    answering({"on_call": []}).on_call(RotationId("päger"))
    assert asked() == {"version": 1, "ask": "on_call", "rotation": "päger"}
    answering({"groups": None}).groups()
    assert asked() == {"version": 1, "ask": "groups"}
    answering({"rotations": None}).rotations()
    assert asked() == {"version": 1, "ask": "rotations"}


def test_an_answer_is_taken_as_it_is(answering: Answering) -> None:
    ann = answering({"person": ANN}).person("u-1")
    assert (ann.id, ann.name, ann.emails) == ("u-1", "Ann", ("Ann@Example.org",))
    assert ann.groups == {"inner", "outer"}
    assert ann.rotations == {"pager"}
    assert (ann.manager, ann.disabled) == ("u-2", False)
    assert answering({"members": ["u-1", "u-2"]}).members(GroupId("x")) == frozenset(
        {PersonId("u-1"), PersonId("u-2")}
    )
    assert answering({"on_call": []}).on_call(RotationId("x")) == frozenset()
    assert answering({"groups": ["a", "b"]}).groups() == frozenset({GroupId("a"), GroupId("b")})
    assert answering({"rotations": ["a"]}).rotations() == frozenset({RotationId("a")})


def test_no_such_thing_is_an_answer(answering: Answering) -> None:
    with pytest.raises(NotFound, match='Nobody in the directory has the id or e-mail "u-1"'):
        answering({"person": None}).person("u-1")
    with pytest.raises(NotFound):
        answering({"person": None, "several": False}).person("u-1")
    assert answering({"members": None}).members(GroupId("x")) is None
    assert answering({"on_call": None}).on_call(RotationId("x")) is None
    assert answering({"groups": None}).groups() is None
    assert answering({"rotations": None}).rotations() is None


def test_a_handle_that_fits_several_is_refused(answering: Answering) -> None:
    with pytest.raises(Refused, match=r'"ann" fits more than one person.*; use the id instead'):
        answering({"person": None, "several": True}).person("ann")


@pytest.mark.parametrize("handle", ["u-2", "U-1", "Ann", "inner", "ann@example.com"])
def test_an_answer_about_somebody_else_is_never_taken(answering: Answering, handle: str) -> None:
    with pytest.raises(Unavailable, match="answered about somebody else than was asked"):
        answering({"person": ANN}).person(handle)


def test_what_no_answer_could_hold_is_not_worth_a_process(
    answering: Answering, tmp_path: Path
) -> None:
    directory = answering({"person": None})
    for handle in ("", " ", "x" * 201, "a\nb", "\u202e", "\ud800"):
        with pytest.raises(NotFound):
            directory.person(handle)
        assert directory.members(GroupId(handle)) is None
        assert directory.on_call(RotationId(handle)) is None
    assert not (tmp_path / "question").exists()


WRONG: dict[str, tuple[object, str]] = {
    "nothing": (b"", "one JSON object"),
    "no JSON": (b"Ann", "one JSON object"),
    "two": (b'{"person": null} {"person": null}', "one JSON object"),
    "a list": ([ANN], "the table: this should be a table"),
    "null": (None, "the table: this should be a table"),
    "not UTF-8": (b'{"person": "\xff"}', "one JSON object in UTF-8"),
    "UTF-16": ('{"person": null}'.encode("utf-16"), "one JSON object in UTF-8"),
    "a key twice": (b'{"person": null, "person": null}', "the same key twice"),
    "too many keys": ({str(n): n for n in range(101)}, "more than 100 keys"),
    "nested without end": (b"[" * 100_000, "one JSON object"),
    "a number without end": (b'{"person": ' + b"9" * 5_000 + b"}", "one JSON object"),
    "another answer": ({"members": []}, "person is missing"),
    "nothing of a person": ({}, "person is missing"),
    "more than was asked": ({"person": ANN, "admin": True}, 'there is no key "admin"'),
    "more of a person": ({"person": {**ANN, "grups": []}}, 'Did you mean "groups"'),
    "a text for a person": ({"person": "u-1"}, "person: this should be a table"),
    "a person and several": ({"person": ANN, "several": True}, "answer one of them"),
    "several without a person": ({"several": True}, "person is missing"),
    "one for true": ({"person": None, "several": 1}, "several: this should be a valid boolean"),
    **{
        f"{key} forgotten": ({"person": {k: v for k, v in ANN.items() if k != key}}, f"{key} is m")
        for key in ANN
    },
    **{
        f"{key} is {value!r}": ({"person": {**ANN, key: value}}, f"person.{key}")
        for key, value in [
            ("id", None), ("id", 1), ("id", ""), ("id", "a\nb"), ("id", "x" * 201),
            ("id", "\ud800"), ("name", "\u001b[31m"), ("name", "\u202eAnn"), ("emails", None),
            ("emails", "ann@example.org"), ("emails", ["\u2028"]), ("groups", {"inner": True}),
            ("groups", [["inner"]]), ("groups", [""]), ("rotations", [None]), ("manager", False),
            ("manager", ""), ("disabled", None), ("disabled", "false"), ("disabled", 0),
        ]
    },
}  # fmt: skip


@pytest.mark.parametrize(("answer", "said"), WRONG.values(), ids=WRONG.keys())
def test_an_answer_in_another_form_is_none(answering: Answering, answer: object, said: str) -> None:
    with pytest.raises(Unavailable, match=r'The program "\./program" does not answer ') as caught:
        answering(answer).person("u-1")
    assert said in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("names", [{}, "u-1", [1], [None], ["a", ""], ["a\tb"], [["u-1"]], False])
def test_a_list_of_names_is_nothing_else(answering: Answering, names: object) -> None:
    questions: list[Callable[[], object]] = [
        lambda: answering({"members": names}).members(GroupId("x")),
        lambda: answering({"on_call": names}).on_call(RotationId("x")),
        lambda: answering({"groups": names}).groups(),
        lambda: answering({"rotations": names}).rotations(),
    ]
    for ask in questions:
        with pytest.raises(Unavailable, match="does not answer as agreed"):
            ask()


def test_of_many_mistakes_only_the_first_is_made_out(answering: Answering) -> None:
    directory = answering({"members": [1] * 200_000})
    tracemalloc.start()
    try:
        with pytest.raises(Unavailable, match=r"members\.0: this should be a valid string"):
            directory.members(GroupId("x"))
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_what_was_answered_is_not_shown_when_it_is_wrong(answering: Answering) -> None:
    for answer in (b'"hunter2', {"person": {**ANN, "id": 7, "name": ["hunter2"]}}):
        with pytest.raises(Unavailable) as caught:
            answering(answer).person("u-1")
        assert "hunter2" not in str(caught.value)
        assert caught.value.__cause__ is None


def test_a_program_that_is_not_there_is_for_an_operator(tmp_path: Path) -> None:
    nowhere = OperatorProgram(
        command=["./people"], folder=tmp_path, timeout=timedelta(seconds=5), environment={}
    )
    with pytest.raises(Misconfigured, match=r"cannot be started \(No such file") as caught:
        CommandDirectory(nowhere).person("u-1")
    assert not isinstance(caught.value, Unavailable)
