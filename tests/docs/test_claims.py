"""What the pages list is what the code has: keys, names, codes, states, messages, tests."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

import jitcloud
from jitcloud import catalog, config, lifecycle
from jitcloud.cli.app import command
from jitcloud.cli.exits import ExitCode
from jitcloud.directories import static
from jitcloud.durations import format_duration
from jitcloud.model import Evidence
from jitcloud.policy import notes
from jitcloud.policy.source import GUARDRAILS, SCHEMA, shipped
from jitcloud.providers.aws import escapes, outlook
from jitcloud.providers.aws.target import Target
from tests.aws.test_sts_session import KINDS
from tests.docs.pages import (
    PAGES,
    ROOT,
    anchors,
    bare,
    blocks,
    code,
    headings,
    links,
    prose,
    table,
    text_of,
)
from tests.docs.said import is_said, templates

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


# ── What is said to people ───────────────────────────────────────────────────────────────────

TO_PEOPLE = (
    "advance.py",
    "audit/chain.py",
    "audit/keys.py",
    "broker.py",
    "catalog.py",
    "cli/program.py",
    "cli/times.py",
    "config.py",
    "converge.py",
    "directories/static.py",
    "durations.py",
    "files.py",
    "issuing.py",
    "judge.py",
    "ledger.py",
    "library.py",
    "lifecycle.py",
    "policy/approvals.py",
    "policy/engine.py",
    "policy/entities.py",
    "policy/known.py",
    "policy/lint.py",
    "policy/notes.py",
    "policy/source.py",
    "providers/aws/clients.py",
    "providers/aws/outlook.py",
    "providers/aws/sts_session.py",
    "providers/aws/target.py",
    "stores/sqlite_file.py",
    "text.py",
)
"""Whose sentences people read."""

UNTOLD = {
    "A decision about an ask needs the person who asked.": "a defect of a caller, not of a person",
    "A store cannot be used across a fork: open another one.": "the same",
    "The store is closed.": "the same",
    "a new request needs an id": "the same",
    "nothing to seal": "the same",
    "BEGIN IMMEDIATE": "a statement of SQL",
    "^for policy `policy[0-9]+`[,:]": "a pattern",
    "the table": "a part of others",
    "Value error,": "a part of what pydantic says, taken out",
    "person number …": "a part of others: where a mistake is",
    "person …: manager": "the same",
    "Did you mean …?": "a part of others",
    "jitcloud: only ends go on until this is mended:": "stands in a transcript of operations",
    "… is open: …": "a part of others: how an opening and what it leaves are shown",
    "behind that of": "a part of others",
    "ahead of that of": "a part of others",
    "The cloud never showed it.": "no mechanism there is can bring it about",
    "Giving back or revoking denies these sessions everything, by name, in the account's deny "
    "document; IAM acts on it within seconds.": "no refusal; the tutorial shows it",
    "lower-case letters, digits, '.', '-' and '_', at most 64 and no mark first": "a part of "
    "others, which the page says in its own words",
    "Shorten narrow_policy, or move it into a managed policy named in narrow_policy_arns; drop "
    "session_tags; or open in allow_escape what need not be denied.": "a part of others",
}
"""What no page has to explain, and why."""


@pytest.mark.parametrize("module", TO_PEOPLE)
def test_every_message_is_explained(module: str) -> None:
    told = " ".join(prose(page) for page in (POLICY, OPERATIONS, THREATS))
    missing = [
        message
        for message in templates(module)
        if message not in UNTOLD and not is_said(message, told)
    ]
    assert missing == []


@pytest.mark.parametrize("message", UNTOLD)
def test_what_need_not_be_explained_is_still_said(message: str) -> None:
    assert any(message in templates(module) for module in TO_PEOPLE)


def test_what_a_session_leaves_is_said_word_for_word() -> None:
    for sentence in (outlook.STAYS_OPEN, outlook.IDENTITY, outlook.CONSOLE):
        assert sentence in prose(THREATS)


# ── Operations ───────────────────────────────────────────────────────────────────────────────


def test_the_settings_are_those_that_are_read() -> None:
    rows = table(OPERATIONS, "key", "unless said", "is")
    told = {bare(row["key"]): row["unless said"].strip("`") for row in rows}
    assert told == dict(_settings(config.Settings, ""))


def _settings(model: type[BaseModel], prefix: str) -> Iterable[tuple[str, str]]:
    for name, field in model.model_fields.items():
        table_ = config.AwsSettings if name == "aws" else field.annotation
        if isinstance(table_, type) and issubclass(table_, BaseModel):
            yield from _settings(table_, f"{name}.")
        else:
            yield f"{prefix}{name}", _shown(field.default)


def _shown(default: object) -> str:
    match default:
        case None:
            return "none"
        case bool():
            return str(default).lower()
        case str() | Path():
            return str(default)
        case _:
            assert hasattr(default, "total_seconds")
            return format_duration(default)  # type: ignore[arg-type] # nothing else has that


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


# ── Where the pages point ────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    for link in links(page):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), f"{page}: {link}"
        if anchor:
            assert anchor in anchors(str(target.resolve().relative_to(ROOT))), f"{page}: {link}"


@pytest.mark.parametrize("page", PAGES)
def test_every_file_and_test_that_is_named_is_there(page: str) -> None:
    for text in code(page):
        path, _, test = text.partition("::")
        if re.fullmatch(r"(tests|jitcloud|infra|functions|docs)/[\w./-]*", path):
            assert (ROOT / path).exists(), f"{page}: {text}"
        if test and path.startswith("tests/"):
            assert f"def {test}(" in (ROOT / path).read_text("utf-8"), f"{page}: {text}"


@pytest.mark.parametrize("page", PAGES)
def test_make_can_make_what_it_is_told_to(page: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    shown = [*code(page), *(block.text for block in blocks(page))]
    asked = {name for text in shown for name in re.findall(r"^make ([a-z-]+)", text, re.MULTILINE)}
    assert asked <= targets


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_one_title_and_no_heading_twice(page: str) -> None:
    found = headings(page)
    assert len(re.findall(r"^# ", prose(page), re.MULTILINE)) == 1
    assert len(found) == len(set(found))
