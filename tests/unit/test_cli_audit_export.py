"""Exports that somebody had in their hands: each is a finding, and none is a crash."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jitcloud.audit import export
from jitcloud.audit.verify import Report
from tests.world import World

Lines = list[bytes]


@pytest.fixture
def lines(world: World) -> Lines:
    request = world.ask(what="prod-write")
    world.approve(request)
    world.time.forward(seconds=1)
    world.ask(person="ben")
    return [f"{line}\n".encode() for line in export.export(world.store, world.store.ids(10))]


def verified(world: World, lines: Lines) -> Report:
    return export.verify_export(lines, world.signer.verifier())


def told(report: Report) -> str:
    return " ".join(f"{finding.where}: {finding.message}" for finding in report.findings)


def test_an_untouched_export_holds(world: World, lines: Lines) -> None:
    report = verified(world, lines)
    assert (report.requests, report.events, report.signed, report.findings) == (2, 10, 4, ())


def test_an_export_may_be_reformatted_and_have_empty_lines(world: World, lines: Lines) -> None:
    spread = [
        json.dumps(json.loads(line), indent=None, separators=(" , ", " : ")) for line in lines
    ]
    assert verified(world, [line.encode() for line in (*spread, "", "  ")]).findings == ()


def test_an_export_keeps_text_byte_for_byte(world: World) -> None:
    odd = 'Zoë: “1.0”, \\u202e and a colon: \U0001f510 "quoted"'
    request = world.ask(justification=odd)
    (line, *rest) = export.export(world.store, [request.id])
    assert json.loads(line)["event"]["what"]["ask"]["justification"] == odd
    assert verified(world, [text.encode() for text in (line, *rest)]).findings == ()


def edit(change: Callable[[dict[str, Any]], object]) -> Callable[[Lines], Lines]:
    def edited(lines: Lines) -> Lines:
        table = json.loads(lines[1])
        change(table)
        return [lines[0], json.dumps(table).encode(), *lines[2:]]

    return edited


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (edit(lambda t: t["event"].update(at="2026-12-01T09:00:01Z")), "was edited"),
        (edit(lambda t: t["event"]["what"].update(extra=1)), "cannot be read"),
        (edit(lambda t: t.update(signature=None)), "was edited"),
        (edit(lambda t: t.update(hash="0" * 64)), "does not follow event 2"),
        (lambda lines: lines[1:], "does not follow event 0"),
        (lambda lines: [lines[0], *lines[2:]], "does not follow event 1"),
        (lambda lines: [lines[1], lines[0], *lines[2:]], "does not follow event 0"),
        (lambda lines: [lines[0], lines[0], *lines[1:]], "does not follow event 1"),
        (lambda lines: [*lines[:3], *lines[6:], *lines[3:6]], "do not stand together"),
        (
            edit(lambda t: t["event"].update(request="01JD8Z6N3V5E6X7Y8Z9ABCDEFG")),
            "does not follow",
        ),
    ],
    ids=[
        "edited",
        "added to",
        "unsigned",
        "another hash",
        "first gone",
        "one gone",
        "swapped",
        "doubled",
        "torn apart",
        "moved",
    ],
)
def test_what_was_done_to_an_export_is_found(
    world: World, lines: Lines, change: Callable[[Lines], Lines], message: str
) -> None:
    report = verified(world, change(lines))
    assert message in told(report)


def test_what_is_wrong_with_one_request_hides_nothing_of_the_next(
    world: World, lines: Lines
) -> None:
    report = verified(world, edit(lambda t: t.update(hash="0" * 64))(lines))
    assert len(report.findings) == 1
    assert report.requests == 2


@pytest.mark.parametrize(
    "line",
    [
        b"not JSON",
        b"\xff\xfe",
        b"null",
        b"[]",
        b"{}",
        b'{"event": {}, "hash": "", "signature": null}',
        b'{"event": 5, "hash": "", "signature": null}',
        b'{"event": {}, "hash": 5, "signature": null}',
        b'{"event": {}, "hash": "", "signature": null, "more": 1}',
        b'{"event": {}, "event": {}, "hash": "", "signature": null}',
        b'{"event": {"a": NaN}, "hash": "", "signature": null}',
        b'{"event": {"a": 1e999}, "hash": "", "signature": null}',
        b'{"event": {"a": 12345678901234567890}, "hash": "", "signature": null}',
        b'{"event": "\\ud800", "hash": "", "signature": null}',
        b'{"event": ' + b"[" * 100_000,
        b'{"event": ' + b"9" * 10_000,
    ],
    ids=range(16),
)
def test_a_line_that_is_none_is_a_finding(world: World, lines: Lines, line: bytes) -> None:
    report = verified(world, [*lines, line])
    (finding,) = report.findings
    assert finding.where == "line 11"


def test_a_signature_that_is_none_is_a_finding(world: World, lines: Lines) -> None:
    for wrong in ({}, 5, {"key": "k"}, {"key": "k", "value": "not base 64"}):
        report = verified(world, edit(lambda t, w=wrong: t.update(signature=w))(lines))  # type: ignore[misc] # what no type allows is what is tried
        assert report.findings


def test_a_line_without_end_is_not_read_to_its_end(
    world: World, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "LONGEST", 5000)
    long = b"x" * 20_000
    file = io.BytesIO(lines[0] + long + b"\n" + b"".join(lines[1:]))
    read = list(export.bounded_lines(file))
    assert [len(line) for line in read[:3]] == [len(lines[0]), 5001, len(lines[1])]
    (finding,) = verified(world, read).findings
    assert (finding.where, finding.message) == (
        "line 2",
        "This line is longer than 5000 bytes: no event is.",
    )
    assert list(export.bounded_lines(io.BytesIO(long))) == [long[:5001]]


def test_an_empty_export_holds_and_says_how_little_that_is(world: World, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with (tmp_path / "empty").open("rb") as file:
        report = verified(world, list(export.bounded_lines(file)))
    assert (report.requests, report.findings) == (0, ())
