"""What the pages list is what the code has: keys, names, codes, states, messages, tests."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import jitcloud
from jitcloud import catalog, freezes, lifecycle, settings, slots
from jitcloud.cli.app import command
from jitcloud.cli.exits import ExitCode
from jitcloud.directories import static
from jitcloud.durations import format_duration
from jitcloud.model import SKEW, Evidence, Holder, RequestId, State
from jitcloud.policy import notes
from jitcloud.policy.source import GUARDRAILS, SCHEMA, shipped
from jitcloud.providers.aws import deny_text, escapes
from jitcloud.providers.aws.sts_session import StsSession
from jitcloud.providers.aws.target import Target
from tests.aws.test_sts_session import KINDS
from tests.docs.pages import (
    PAGES,
    bare,
    blocks,
    code,
    prose,
    table,
    text_of,
)

POLICY, OPERATIONS = "docs/policy.md", "docs/operations.md"
THREATS, LIBRARY = "docs/threat-model.md", "docs/library.md"


# ── Policy ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", [GUARDRAILS, SCHEMA])
def test_what_is_shipped_stands_word_for_word(name: str) -> None:
    assert shipped()[name] in [block.text for block in blocks(POLICY)]


def test_the_annotations_are_those_that_mean_something() -> None:
    rows = table(POLICY, "annotation", "stands on", "needed", "means")
    told = {bare(row["annotation"])[1:]: (row["stands on"], row["needed"]) for row in rows}
    assert told == {
        "id": ("every rule", "yes"),
        **{
            name: (place, "yes" if name in notes._REQUIRED else "no")  # noqa: SLF001 - the list of them
            for name, place in notes._PLACES.items()  # noqa: SLF001 - the same
        },
    }


KEYS: dict[str, tuple[tuple[str, ...], type[BaseModel], str]] = {
    "an entitlement": (("key", "needed", "is"), catalog._Entry, "id"),  # noqa: SLF001 - the list of keys
    "a target": (("key", "needed", "is"), Target, "role_arn"),
}


@pytest.mark.parametrize(("columns", "model", "first"), KEYS.values(), ids=KEYS.keys())
def test_the_keys_are_those_that_are_read(
    columns: tuple[str, ...], model: type[BaseModel], first: str
) -> None:
    rows = table(POLICY, *columns, begins=f"`{first}`")
    assert {bare(row["key"]): row["needed"] for row in rows} == _needed(model)


def test_the_keys_of_people_are_those_that_are_read() -> None:
    rows = table(POLICY, "table", "key", "needed", "is")
    told: dict[str, dict[str, str]] = {}
    for row in rows:
        told.setdefault(bare(row["table"]), {})[bare(row["key"])] = row["needed"]
    assert told == {
        "[[person]]": _needed(static._Person),  # noqa: SLF001 - the list of keys
        "[groups.NAME]": _needed(static._Group),  # noqa: SLF001 - the same
        "[rotations.NAME]": _needed(static._Rotation),  # noqa: SLF001 - the same
    }


def _needed(model: type[BaseModel]) -> dict[str, str]:
    return {
        name: "yes" if field.is_required() else "no" for name, field in model.model_fields.items()
    }


def test_the_named_openings_are_those_there_are() -> None:
    rows = table(POLICY, "name", "opens", "leaves")
    told = [
        (bare(r["name"]), tuple(r["opens"].replace("`", "").split()), r["leaves"]) for r in rows
    ]
    assert told == [(e.name, e.actions, e.outlives) for e in escapes.ESCAPES]


def test_the_ways_of_narrowing_are_those_that_are_tried() -> None:
    rows = table(
        POLICY,
        "the catalog names",
        "what its role allows",
        "a policy that names the role or the account",
        "a policy that names the session itself",
        "from the deadline on",
    )
    assert tuple(row["the catalog names"] for row in rows) == KINDS
    assert {row["from the deadline on"] for row in rows} == {"nothing works"}


# ── Operations ───────────────────────────────────────────────────────────────────────────────


def test_the_settings_are_those_that_are_read() -> None:
    rows = table(OPERATIONS, "key", "unless said", "is")
    told = {bare(row["key"]): row["unless said"].strip("`") for row in rows}
    assert told == dict(_settings(settings.Settings, ""))


def _settings(model: type[BaseModel], prefix: str) -> Iterable[tuple[str, str]]:
    for name, field in model.model_fields.items():
        table_ = settings.AwsSettings if name == "aws" else field.annotation
        if isinstance(table_, type) and issubclass(table_, BaseModel):
            yield from _settings(table_, f"{name}.")
        else:
            yield f"{prefix}{name}", _shown(field.default)


def _shown(default: object) -> str:
    match default:
        case None | ():
            return "none"
        case bool():
            return str(default).lower()
        case str() | Path():
            return str(default)
        case _:
            assert hasattr(default, "total_seconds")
            return format_duration(default)  # type: ignore[arg-type] # nothing else has that


def test_the_keys_of_a_freeze_are_those_that_are_read() -> None:
    rows = table(OPERATIONS, "key", "needed", "is", begins="`name`")
    assert {bare(row["key"]): row["needed"] for row in rows} == _needed(freezes._Entry)  # noqa: SLF001 - the list of keys


def test_the_exit_codes_are_those_there_are() -> None:
    rows = table(OPERATIONS, "code", "means", "what to do")
    assert [int(row["code"]) for row in rows] == list(map(int, ExitCode))


def test_every_command_is_shown_in_use() -> None:
    shown = " ".join(block.text for page in PAGES for block in blocks(page))
    unshown = [name for name in _commands() if f"jitcloud {name}" not in shown]
    # The demo is what `make demo` runs, and a removal before it gives access is shown in prose.
    assert set(unshown) <= {"demo", "withdraw"}
    assert "jitcloud withdraw" in text_of(POLICY)
    assert "jitcloud demo" in text_of("CHANGELOG.md")


def _commands() -> Iterable[str]:
    for name, each in command().commands.items():
        inner: dict[str, object] = getattr(each, "commands", {})
        yield from (f"{name} {one}" for one in inner) if inner else (name,)


# ── The library ──────────────────────────────────────────────────────────────────────────────


def test_every_public_name_is_on_the_page() -> None:
    page = text_of(LIBRARY)
    assert [name for name in jitcloud.__all__ if f"jitcloud.{name}" not in page] == []


CALLS: dict[str, Callable[..., Any]] = {
    "jitcloud.load": jitcloud.load,
    "jitcloud.load_to_end": jitcloud.load_to_end,
    **{
        f"{told}.{name}": method
        for told, kind in (
            ("deployment", jitcloud.Jitcloud),
            ("ana", jitcloud.Acting),
            ("grant", jitcloud.Grant),
        )
        for name, method in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    },
}


@pytest.mark.parametrize("name", CALLS)
def test_every_call_is_on_the_page_as_it_is(name: str) -> None:
    told = next(text for text in code(LIBRARY) if text.startswith(f"{name}("))
    arguments = re.findall(r"[(,] *\*?,? *(\w+)(?==|,|\))", told)
    taken = [one for one in inspect.signature(CALLS[name]).parameters if one != "self"]
    assert arguments == taken


# ── The architecture, the promises, the words ────────────────────────────────────────────────


def test_the_states_are_those_of_the_code() -> None:
    rows = table("docs/architecture.md", "in state", "these may happen")
    told = {
        row["in state"].strip("`()"): set(row["these may happen"].replace("`", "").split())
        for row in rows
    }
    assert told == {
        state or "nothing yet": {_type(what) for what in happenings}
        for state, happenings in lifecycle.MOVES.items()
    }


def _type(happening: type[Any]) -> str:
    return str(happening.__dataclass_fields__["type"].default)


def test_the_evidence_is_that_of_the_code() -> None:
    rows = table("docs/architecture.md", "evidence", "means")
    assert [bare(row["evidence"]) for row in rows] == _values(Evidence)


def test_the_drawing_has_every_state() -> None:
    drawn = next(b.text for b in blocks("docs/architecture.md") if "stateDiagram" in b.text)
    assert set(re.findall(r"\b([a-z]+)(?= -->|:)", drawn)) == set(_values(State))


def test_the_numbers_are_those_of_the_code() -> None:
    page = prose(THREATS)
    assert timedelta(seconds=5) == SKEW
    assert "beyond five seconds no credentials are handed out" in page
    some_day = datetime(2030, 1, 1, tzinfo=UTC)
    ended = [Holder(request=RequestId(f"{n:026}"), until=some_day) for n in range(300)]
    many = deny_text.fitting("arn:aws:iam::111122223333:policy/jitcloud-denies", ended)
    assert abs(len(many) - 190) < 5
    assert "A deny document holds about 190 sessions" in page
    assert StsSession.timeout == timedelta(seconds=10)
    assert "The last ten seconds of a grant hand out nothing new" in prose(POLICY)
    assert slots.LAST_RETRY == slots.LOOK_AGAIN == timedelta(minutes=5)
    assert slots.backoff(slots.MANY_RETRIES - 1) == slots.SOON_RETRY == timedelta(minutes=1)


def _values(enum: type[Enum]) -> list[str]:
    return [one.value for one in enum]


PROMISES = {
    "README.md": ("", "in plain words", "today", "tested in"),
    THREATS: ("", "promise", "status", "tested in"),
}


@pytest.mark.parametrize("page", PROMISES)
def test_each_promise_names_its_tests_or_says_that_it_is_not_kept(page: str) -> None:
    rows = table(page, *PROMISES[page])
    assert [row[""] for row in rows] == [f"P{number}" for number in range(1, 14)]
    for row in rows:
        assert "tests/" in row["tested in"] or re.search(
            r"not(hing \w+ \w+ \w+)? yet|yet$", " ".join(row.values())
        )


def test_the_words_stand_in_order() -> None:
    words = re.findall(r"^\*\*(.+?)\*\*:", text_of("docs/glossary.md"), re.MULTILINE)
    assert len(words) > 50
    assert words == sorted(set(words), key=str.lower)
