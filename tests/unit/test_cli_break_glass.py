"""Broken glass and its review by the command line: what each side sees, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from jitcloud.model import State
from jitcloud.providers.memory import Fault
from tests.cli_world import GLASS, HOSTILE, MARKUP, CliWorld

NAME = "01JD8Z6N3V5E6X7Y8Z9ABCDEFG"
ASK = ("request", "prod-write", "--for", "30m", "--because", "all is down")
CLOSED = """
@id("closed")
@because("Nobody asks today.")
forbid (principal, action == Action::"request", resource);
"""
BREAK = (*ASK, "--break-glass", "--incident", "INC-9")


@pytest.fixture
def cli(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CliWorld:
    world = CliWorld(tmp_path, capsys, monkeypatch)
    world.permit(GLASS)
    return world


# ── Breaking it ──────────────────────────────────────────────────────────────────────────────


def test_it_lets_in_at_once_and_says_who_reviews_and_who_hears(cli: CliWorld) -> None:
    said = cli.jit(*BREAK, by="ana")
    name = cli.jit("list", "--json", by="ana").json["requests"][0]["id"]
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        f"request:     {name}",
        "state:       active",
        "who:         Ana (ana)",
        "what:        prod-write: Write in production (write in prod)",
        "for:         30m",
        "because:     all is down",
        "incident:    INC-9",
        "asked:       2026-12-01T09:00:00Z (now)",
        "policy:      at once, reviewed within 1d by 1 of leads [glass]",
        "review:      due 2026-12-02T09:00:00Z (in 1d)",
        "ends:        2026-12-01T09:30:00Z (in 30m)",
        "ended by:    the cloud itself, even if jitcloud is dead",
        "early end:   Giving back ends nothing early here.",
        "note:        A set lives a quarter of an hour.",
        "leaves:      A set lives on until the deadline.",
        "reviewers:   1 of leads: Ben, Caro",
        "hears:       leads: Ben, Caro",
    ]


def test_json_of_a_broken_glass_has_the_documented_shape(cli: CliWorld) -> None:
    shown = cli.jit(*BREAK, "--json", by="ana").json
    leads = [{"kind": "group", "id": "leads"}]
    people = [{"id": "ben", "name": "Ben"}, {"id": "caro", "name": "Caro"}]
    by = [{"count": 1, "approvers": leads, "escalation": None}]
    assert shown["decision"] == {
        "kind": "break-glass",
        "rules": ["glass"],
        "review": {"within": 86400, "by": by},
        "notify": leads,
        "skipped": [by],
    }
    assert shown["break_glass"] is True
    assert shown["incident"] == "INC-9"
    assert shown["state"] == "active"
    assert shown["review_by"] == "2026-12-02T09:00:00Z"
    assert shown["review_missed"] is False
    assert shown["reviews"] == []
    assert shown["asked"] == []
    need = {"stage": 0, "need": "1 of leads", "people": people}
    joining: dict[str, object] = {"joining_after": None, "joining": [], "escalates_to": None}
    assert shown["reviewers"] == [{**need, **joining}]
    assert shown["hearing"] == [{"who": "leads", "people": people}]
    assert shown["hints"] == []
    assert shown["offers"][-1] == {"duration": 3600, "kind": "break-glass"}


def test_nobody_falls_into_it_and_a_refusal_says_that_it_could_be_done(cli: CliWorld) -> None:
    assert "state:       pending\n" in cli.jit(*ASK, by="ana").out
    cli.permit(GLASS, CLOSED)
    said = cli.jit(*ASK, by="ana")
    assert said.code == 3
    glass = "This could be had at once by breaking the glass, with an incident"
    assert f"hint:        {glass}; it is reviewed afterwards.\n" in said.out
    assert "offered:     nothing\n" in said.out


def test_too_long_for_a_broken_glass_says_how_long_would_do(cli: CliWorld) -> None:
    args = ("--for", "2h", "--because", "x", "--break-glass", "--incident", "I-1")
    said = cli.jit("request", "prod-write", *args, by="ana")
    assert said.code == 3
    assert "No rule lets you break the glass for this as you asked for it." in said.err
    assert "You can ask for it without breaking the glass" in said.err
    offered = ", ".join(f"{time} by breaking the glass" for time in ("15m", "30m", "1h"))
    assert f"offered:     {offered}\n" in said.out
    assert cli.trail(cli.jit("list", "--json", by="ana").json["requests"][0]["id"]) == [
        "asked",
        "decided",
    ]


def test_what_cannot_be_asked_records_nothing(cli: CliWorld) -> None:
    for args, message in (
        ((*ASK, "--break-glass"), "Breaking the glass needs an incident to look at afterwards"),
        ((*BREAK, "--start", "2026-12-01T10:00:00Z"), "leave the start out"),
        ((*ASK, "--break-glass", "--incident", "a\nb"), "The incident contains U+000A"),
        ((*ASK, "--break-glass=yes"), "does not take a value"),
        ((*BREAK, "--id", "x"), "is not a request id"),
    ):
        said = cli.jit(*args, by="ana")
        assert (said.code, said.out) == (2, "")
        assert message in said.err
    assert cli.recorded()[0] == 0


def test_the_same_id_breaks_it_once_and_not_in_place_of_asking(cli: CliWorld) -> None:
    assert [cli.broken("--id", NAME) for _ in range(2)] == [NAME, NAME]
    assert cli.trail(NAME).count("glass-broken") == 1
    said = cli.jit(
        "request", "prod-write", "--for", "30m", "--because", "testing", "--id", NAME, by="ana"
    )
    assert said.code == 5
    assert "asks for something else" in said.err


def test_an_extension_by_the_glass_is_reviewed_too(cli: CliWorld) -> None:
    name = cli.granted()
    said = cli.jit(
        "extend",
        name,
        "--for",
        "30m",
        "--because",
        "still",
        "--break-glass",
        "--incident",
        "I-1",
        by="ana",
    )
    assert said.code == 0
    assert "state:       extended\n" in said.out
    assert "review:      due 2026-12-02T09:00:00Z (in 1d)\n" in said.out
    extension = cli.now(name).prolonged_by[0]
    assert extension in cli.jit("list", "--to-review", by="caro").out


def test_on_a_terminal_it_says_what_comes_next(
    cli: CliWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    said = cli.jit(*BREAK, "--id", NAME, by="ana")
    assert said.err.splitlines() == [
        f"Use it: jitcloud exec {NAME} -- COMMAND",
        f"Write down what you do; whoever reviews it says: jitcloud review {NAME}",
    ]


# ── What awaits a review ─────────────────────────────────────────────────────────────────────


def test_the_list_shows_what_one_is_to_review_and_until_when(cli: CliWorld) -> None:
    early = cli.broken()
    cli.time.forward(hours=1)
    late = cli.broken("--for", "5m", by="ben")
    cli.ask("prod-write")
    lines = cli.jit("list", "--to-review", by="caro").out.splitlines()
    assert lines[0].split() == ["request", "state", "when", "who", "what", "because"]
    assert [line.split("  ")[0] for line in lines[1:]] == [early, late]
    assert "due in 23h  Ana (ana)" in lines[1]
    assert "due in 1d   Ben (ben)" in lines[2]
    only = cli.jit("list", "--to-review", "--json", by="ben").json
    assert ([each["id"] for each in only["requests"]], only["after"]) == ([early], None)
    assert cli.jit("list", "--to-review", by="ana").out == ""
    assert early in cli.jit("list", "--to-review", "--limit", "1", by="caro").out
    assert late not in cli.jit("list", "--to-review", "--limit", "1", by="caro").out


def test_a_missed_review_is_shown_as_missed(cli: CliWorld) -> None:
    name = cli.broken()
    cli.time.forward(hours=25)
    assert cli.jit("sweep").code == 0
    assert "ended  missed 1h ago" in cli.jit("list", "--to-review", by="ben").out
    shown = cli.jit("show", name, by="ben").out
    assert "review:      due 2026-12-02T09:00:00Z (1h ago), and it is missed\n" in shown
    assert cli.jit("show", name, "--json", by="ben").json["review_missed"] is True
    said = cli.jit(*BREAK, by="ana")
    assert said.code == 3
    assert f"You broke the glass for request {name}, and nobody has reviewed it in time" in said.err
    assert "stage 1:" not in said.out
    assert "reviewers:" not in said.out


def test_it_goes_with_no_other_choice(cli: CliWorld) -> None:
    choices = "--waiting, --to-review, --unreviewed and --state (with --after)"
    for more in (("--waiting",), ("--unreviewed",), ("--state", "active"), ("--after", NAME)):
        said = cli.jit("list", "--to-review", *more, by="ben")
        assert (said.code, said.out) == (2, "")
        assert said.err == f"jitcloud: {choices} go one at a time.\n"


def test_everybodys_unreviewed_glass_is_listed_for_anybody(cli: CliWorld) -> None:
    mine, bens = cli.broken(), cli.broken("--for", "5m", by="ben")
    lines = cli.jit("list", "--unreviewed", by="ana").out.splitlines()
    assert [line.split("  ")[0] for line in lines[1:]] == [mine, bens]
    assert all("due in 1d" in line for line in lines[1:])
    cli.jit("review", mine, "--because", "it was on fire", by="ben")
    shown = cli.jit("list", "--unreviewed", "--json", by="ana").json
    assert [each["id"] for each in shown["requests"]] == [bens]


def test_what_ends_just_now_is_reviewed_once_it_has(cli: CliWorld) -> None:
    glass = ("--for", "30m", "--because", "x", "--break-glass", "--incident", "INC-9", "--json")
    name = cli.jit("request", "prod-role", *glass, by="ana").json["id"]
    cli.cloud.faults.append(Fault.REFUSED)
    cli.jit("give-back", name, by="ana")
    assert cli.state(name) is State.ENDING
    said = cli.jit("review", name, "--because", "it was on fire", by="ben")
    assert (said.code, said.out) == (3, "")
    assert said.err == (
        f"jitcloud: Request {name} is ending just now; review it once that is done.\n"
    )
    cli.time.forward(minutes=1)
    cli.jit("sweep")
    assert cli.jit("review", name, "--because", "it was on fire", by="ben").code == 0


# ── Reviewing ────────────────────────────────────────────────────────────────────────────────


def test_a_review_is_kept_with_what_was_found(cli: CliWorld) -> None:
    name = cli.broken()
    cli.time.forward(minutes=45)
    cli.jit("sweep")
    said = cli.jit("review", name, "--because", "it was on fire", by="ben")
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        f"request:     {name}",
        "state:       ended",
        "who:         Ana (ana)",
        "what:        prod-write: Write in production (write in prod)",
        "for:         30m",
        "because:     testing",
        "incident:    INC-9",
        "asked:       2026-12-01T09:00:00Z (45m ago)",
        "policy:      at once, reviewed within 1d by 1 of leads [glass]",
        "reviewed:    Ben (ben) now, rightly broken: it was on fire",
        "ends:        2026-12-01T09:30:00Z (15m ago)",
        "leaves:      A set lives on until the deadline.",
        "known by:    nothing was ever handed out",
    ]
    assert cli.jit("list", "--to-review", by="caro").out == ""


def test_a_wrong_is_told_and_reviewed_all_the_same(cli: CliWorld) -> None:
    name = cli.broken()
    said = cli.jit(
        "review", name, "--wrong", "--because", "nothing was on fire", "--json", by="ben"
    )
    assert said.code == 0
    assert said.json["review_by"] is None
    assert said.json["reviews"] == [
        {
            "by": "ben",
            "stage": 0,
            "at": "2026-12-01T09:00:00Z",
            "reason": "nothing was on fire",
        }
    ]
    assert said.json["state"] == "active", "a review ends nothing"
    shown = cli.jit("show", name, by="ana").out
    assert "reviewed:    Ben (ben) now, wrongly broken: nothing was on fire\n" in shown
    told = cli.jit("audit", "show", name).out
    assert "reviewed it: the glass was broken wrongly: “nothing was on fire”." in told


def test_where_two_are_to_look_the_other_is_named(cli: CliWorld) -> None:
    again = GLASS.replace('"glass"', '"glass-two"').replace("by leads", "by developers")
    cli.permit(GLASS, again)
    name = cli.broken()
    said = cli.jit("review", name, "--because", "as a lead", by="ben")
    assert "review:      due 2026-12-02T09:00:00Z (in 1d)\n" in said.out
    assert "reviewers:   1 of leads: Caro\n" in said.out
    assert "reviewers:   1 of developers: Caro\n" in said.out
    assert "Others have yet to review it." in cli.jit("audit", "show", name).out


def test_it_is_refused_to_oneself_to_strangers_and_twice(cli: CliWorld) -> None:
    name, waiting = cli.broken(by="ben"), cli.ask("prod-write")
    before = cli.trail(name)
    for request, by, code, message in (
        (name, "ben", 3, "You cannot review your own access"),
        (name, "ana", 3, "You are not among the people asked to approve this."),
        (waiting, "ben", 3, f"Request {waiting} waits for no review: it is pending."),
        (NAME, "caro", 4, f"There is no request {NAME}"),
        ("x", "caro", 2, "is not a request id"),
    ):
        said = cli.jit("review", request, "--because", "fine", by=by)
        assert (said.code, said.out) == (code, "")
        assert message in said.err
    assert cli.trail(name) == before
    assert cli.jit("review", name, "--because", "fine", by="caro").code == 0
    said = cli.jit("review", name, "--because", "fine again", by="caro")
    assert said.code == 3
    assert cli.trail(name).count("reviewed") == 1


def test_a_review_needs_words(cli: CliWorld) -> None:
    name = cli.broken()
    said = cli.jit("review", name, by="ben")
    assert (said.code, said.out) == (2, "")
    assert "Missing option '--because'" in said.err
    assert "reviewed" not in cli.trail(name)


def test_a_hostile_note_is_not_taken(cli: CliWorld) -> None:
    name = cli.broken()
    for text, message in HOSTILE:
        said = cli.jit("review", name, "--because", text, by="ben")
        assert (said.code, said.out) == (2, "")
        assert f"The note {message}" in said.err
        assert said.err.isascii()
    assert "reviewed" not in cli.trail(name)


def test_markup_in_a_note_does_nothing(cli: CliWorld) -> None:
    name = cli.broken()
    said = cli.jit("review", name, "--because", MARKUP, by="ben")
    assert f"reviewed:    Ben (ben) now, rightly broken: {MARKUP}\n" in said.out


def test_whoever_left_has_what_they_did_reviewed_all_the_same(cli: CliWorld) -> None:
    name = cli.broken()
    people = (cli.folder / "people.toml").read_text()
    cli.write("people.toml", people.replace('"ana"', '"anne"').replace("ana@", "anne@"))
    said = cli.jit("review", name, "--because", "it was on fire", by="ben")
    assert (said.code, said.err) == (0, "")
    assert "who:         ana\n" in said.out
    assert cli.state(name) is State.ACTIVE
