from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from jitcloud.cli.rulebook import Rulebook
from jitcloud.errors import Misconfigured
from jitcloud.freezes import Freezes
from jitcloud.policy import cases
from jitcloud.policy.cases import BrakeCase, Case, Table
from jitcloud.policy.trial import Trial, Tried, never_matched
from tests.drawn_policies import HERE

POLICY = HERE.policy()


def table(folder: Path, *rows: str, top: str = 'defaults = { mfa = "5m" }') -> Table:
    path = folder / "cases.toml"
    lines = [top, *(f'[[case]]\nsays = "{number}"\n{row}' for number, row in enumerate(rows))]
    path.write_text("\n".join(lines))
    return cases.read(path)


def wrong(folder: Path, *rows: str, top: str = "") -> list[str]:
    with pytest.raises(Misconfigured) as caught:
        table(folder, *rows, top=top)
    return str(caught.value).splitlines()


def tried(folder: Path, row: str) -> Tried:
    book = Rulebook(
        texts={}, policy=POLICY, catalog=HERE.catalog, directory=HERE.directory, freezes=Freezes()
    )
    trial = Trial(policy=POLICY, catalog=HERE.catalog, directory=HERE.directory, decide=book.decide)
    (case,) = table(folder, row).cases
    return trial.tried(1, case)


def ask(who: str, what: str, duration: str, *more: str) -> str:
    lines = [f'who = "u-{who}"', f'what = "{what}"', f'duration = "{duration}"', *more]
    return "\n".join(lines)


def asks(found: Iterable[Case | BrakeCase]) -> list[Case]:
    return [case for case in found if isinstance(case, Case)]


# ── Reading the table ────────────────────────────────────────────────────────────────────────


def test_what_is_said_once_holds_for_every_row_that_says_nothing_else(tmp_path: Path) -> None:
    plain = ask("dev", "dev-db", "1h", 'expect = "activate"')
    found = table(
        tmp_path,
        plain,
        plain + '\nmfa = "unknown"\nfreeze = false',
        top='defaults = { mfa = "5m", freeze = true, start = 2030-01-01T09:00:00 }',
    ).cases
    assert [(case.mfa is None, case.freeze) for case in found] == [(False, True), (True, False)]
    assert {case.start_in("UTC").hour for case in asks(found)} == {9}


def test_a_start_without_an_offset_is_local_to_what_is_asked_for(tmp_path: Path) -> None:
    plain = ask("dev", "dev-db", "1h", 'expect = "activate"')
    found = table(
        tmp_path,
        plain,
        plain + "\nstart = 2030-07-01T09:00:00",
        plain + "\nstart = 2030-07-01T09:00:00+09:00",
    ).cases
    noon, local, exact = asks(found)
    assert noon.start_in("UTC").isoformat() == "2030-01-08T12:00:00+00:00"
    assert local.start_in("Europe/Berlin").isoformat() == "2030-07-01T07:00:00+00:00"
    assert exact.start_in("Europe/Berlin").isoformat() == "2030-07-01T00:00:00+00:00"


@pytest.mark.parametrize(
    ("start", "said"),
    [
        ("2030-03-31T02:30:00", "does not exist in Europe/Berlin, where clocks go from"),
        ("2030-10-27T02:30:00", "comes twice in Europe/Berlin; write which one is meant"),
    ],
)
def test_an_hour_that_is_not_there_or_is_there_twice_needs_its_offset(
    tmp_path: Path, start: str, said: str
) -> None:
    row = ask("dev", "dev-db", "1h", 'expect = "activate"', f"start = {start}")
    found = tried(tmp_path, row)
    assert not found.holds
    assert found.trouble.startswith(f"{start} {said}")
    assert tried(tmp_path, row + "+01:00").holds


NOT_A_TABLE = {
    "empty": ("", "it has no case; begin one with the line [[case]]."),
    "no list": ('case = "x"', "it has no case"),
    "another key": ("cases = []", 'there is no key "cases"; use one of case, defaults.'),
    "a bad default": ("defaults = { mfa = 5 }", "defaults: mfa: "),
    "defaults of no kind": ("defaults = 5", "defaults: the table"),
    "no rows": ("case = [1]", "case 1: the table"),
}


@pytest.mark.parametrize(("text", "said"), NOT_A_TABLE.values(), ids=NOT_A_TABLE)
def test_what_is_no_table_is_refused(tmp_path: Path, text: str, said: str) -> None:
    lines = wrong(tmp_path, top=text)
    assert [line for line in lines if line.startswith(f"cases.toml: {said}")], lines


NOT_A_ROW = {
    "nothing expected": (ask("dev", "dev-db", "1h"), "expect is missing"),
    "another answer": (ask("dev", "dev-db", "1h", 'expect = "maybe"'), "expect: this should be"),
    "a bad duration": (ask("dev", "dev-db", "1 h", 'expect = "deny"'), "is not a duration"),
    "a bad age": (ask("dev", "dev-db", "1h", 'expect = "deny"', 'mfa = "new"'), "not a duration"),
    "a number": (ask("dev", "dev-db", "1h", 'expect = "deny"', "ticket = 1"), "ticket: this"),
    "an odd key": (
        ask("dev", "dev-db", "1h", 'expect = "deny"', 'becuase = "x"'), 'Did you mean "because"?',
    ),
    "approving at once": (
        ask("dev", "dev-db", "1h", 'expect = "activate"', 'approves = "u-sre"'), "approves goes",
    ),
    "a yes to nobody": (ask("dev", "dev-db", "1h", 'expect = "approve"'), "approves goes with"),
    "an approval of a no": (
        ask("dev", "dev-db", "1h", 'expect = "deny"', 'approval = "1 of x"'), "approval and waits",
    ),
    "because of a yes": (
        ask("dev", "dev-db", "1h", 'expect = "request"', 'because = "x"'), "because goes with",
    ),
    "votes for nothing": (
        ask("dev", "dev-db", "1h", 'expect = "request"', 'votes = ["u-owner"]'), "votes and after",
    ),
    "a wait for nothing": (
        ask("dev", "dev-db", "1h", 'expect = "request"', 'after = "1h"'), "votes and after need",
    ),
    "votes in no order": (
        ask(
            "sre", "prod-admin", "1h", 'expect = "request"', 'waits_for = "nobody"',
            'votes = ["u-lead-1 after 5m", "u-lead-2 after 4m"]',
        ),
        "votes stand in the order in which they are given",
    ),
    "before the last vote": (
        ask(
            "sre", "prod-admin", "1h", 'expect = "request"', 'waits_for = "nobody"',
            'votes = ["u-lead-1 after 5m"]', 'after = "4m"',
        ),
        "after is not before the last",
    ),
    "a vote at no time": (
        ask(
            "sre", "prod-admin", "1h", 'expect = "request"', 'waits_for = "nobody"',
            'votes = ["u-lead-1 after 5"]',
        ),
        "is not a duration",
    ),
    "a glass that nobody breaks": (
        ask("oncall", "prod-admin", "1h", 'expect = "break-glass"'), "goes with break_glass = true",
    ),
    "a review of a request": (
        ask("dev", "prod-read", "1h", 'expect = "request"', 'review = "1 of x"'),
        "review and notify and skipped go with",
    ),
    "a brake and an ask": (
        'who = "u-dev"\nwhat = "prod-read"\nexpect = "stop"\nstops = "everything"',
        'there is no key "what"',
    ),
    "two brakes": (
        'who = "u-sre"\nexpect = "stop"\nstops = "everything"\nends = "everything"',
        "stops and ends are two cases",
    ),
    "the other brake": (
        'who = "u-sre"\nexpect = "end"\nstops = "everything"', 'stops goes with expect = "stop"',
    ),
    "because of a brake": (
        'who = "u-sre"\nexpect = "end"\nends = "everything"\nbecause = "x"', "because goes with",
    ),
    "a brake on nothing": ('who = "u-sre"\nexpect = "end"\nends = ""', "empty"),
    "an empty sentence": (ask("dev", "dev-db", "1h", 'expect = "deny"', 'because = ""'), "empty"),
    "votes of no kind": (
        ask("dev", "dev-db", "1h", 'expect = "request"', 'votes = "u-owner"'), "votes: this",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("row", "said"), NOT_A_ROW.values(), ids=NOT_A_ROW)
def test_what_is_no_row_is_refused_by_its_number_and_words(
    tmp_path: Path, row: str, said: str
) -> None:
    fine = ask("dev", "dev-db", "1h", 'expect = "activate"')
    (line,) = wrong(tmp_path, fine, row)
    assert line.startswith('cases.toml: case 2 ("1"): ')
    assert said in line


def test_a_row_without_words_is_known_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "cases.toml"
    path.write_text("[[case]]\nwho = 5\n")
    with pytest.raises(Misconfigured, match=r"cases\.toml: case 1: says is missing") as caught:
        cases.read(path)
    assert len(str(caught.value).splitlines()) == 5


def test_two_rows_that_say_the_same_are_refused(tmp_path: Path) -> None:
    row = "\n".join([ask("dev", "dev-db", "1h", 'expect = "deny"'), 'says = "x"'])
    path = tmp_path / "cases.toml"
    path.write_text(f"[[case]]\n{row}\n[[case]]\n{row}\n")
    with pytest.raises(Misconfigured, match=r'case 2 \("x"\) says the same as case 1; reword'):
        cases.read(path)


# ── Trying it ────────────────────────────────────────────────────────────────────────────────

HOLD = {
    "at once": ask("dev", "dev-db", "8h", 'expect = "activate"', 'rules = ["dev-self-serve"]'),
    "rules in any order": ask(
        "many", "pii-read", "1h", 'expect = "request"',
        'rules = ["analyst-pii-read", "dev-prod-read"]',
        'approval = "1 of db-owners then 1 of privacy"',
    ),
    "no rule": ask("outsider", "dev-db", "1h", 'expect = "deny"', "rules = []"),
    "a sentence": ask(
        "sre", "prod-read", "1h", 'expect = "deny"', 'mfa = "1h"', 'because = "last 15 minutes"',
    ),
    "a ticket": ask("sre", "prod-admin", "1h", 'expect = "request"', "ticket = true"),
    "an incident": ask("oncall", "prod-write", "2h", 'expect = "activate"', "incident = true"),
    "a freeze": ask("sre", "prod-write", "1h", 'expect = "deny"', "freeze = true"),
    "the quorum": ask(
        "lead-1", "prod-admin", "1h", 'expect = "deny"', "ticket = true", 'because = "Too few"',
    ),
    "no votes": ask("dev", "prod-read", "1h", 'expect = "request"', 'waits_for = "1 of db-owners"'),
    "one vote": ask(
        "sre", "prod-admin", "1h", 'expect = "request"', "ticket = true",
        'votes = ["u-lead-1"]', 'waits_for = "1 of sre-leads"',
    ),
    "all votes": ask(
        "sre", "prod-admin", "1h", 'expect = "request"', "ticket = true",
        'votes = ["u-lead-1", "u-lead-2"]', 'waits_for = "nobody"',
    ),
    "a yes": ask("owner", "prod-read", "1h", 'expect = "approve"', 'approves = "u-dev"'),
    "a second yes": ask(
        "privacy", "pii-read", "1h", 'expect = "approve"', 'approves = "u-analyst"',
        'votes = ["u-owner"]',
    ),
    "a yes too many": ask(
        "owner", "prod-read", "1h", 'expect = "approve"', 'approves = "u-many"',
        'votes = ["u-dev"]',
    ),
    "not asked": ask(
        "sre", "prod-read", "1h", 'expect = "deny"', 'approves = "u-dev"',
        'rules = ["only-those-asked-approve"]', 'because = "You are not among"',
    ),
    "a voter's sign-in": ask(
        "owner", "prod-read", "1h", 'expect = "deny"', 'approves = "u-dev"', 'mfa = "unknown"',
        'rules = ["approve-with-fresh-mfa"]',
    ),
    "a broken glass": ask(
        "oncall", "prod-admin", "1h", 'expect = "break-glass"', "break_glass = true",
        "incident = true", "ticket = true", 'rules = ["oncall-break-glass"]',
        'review = "1 of security within 1d"', 'notify = "security, platform-leads"',
        'skipped = "2 of sre-leads (or platform-leads after 30m)"',
    ),
    "nobody skipped": ask(
        "oncall", "prod-admin", "1h", 'expect = "break-glass"', "break_glass = true",
        "incident = true", 'skipped = "nobody"',
    ),
    "a glass that need not be broken": ask(
        "sre", "prod-read", "1h", 'expect = "activate"', "break_glass = true", "incident = true",
    ),
    "a glass that stays whole": ask(
        "sre", "prod-admin", "1h", 'expect = "deny"', "break_glass = true", 'because = "incident"',
    ),
    "a wait": ask(
        "sre", "prod-admin", "1h", 'expect = "request"', "ticket = true", 'after = "29m59s"',
        'waits_for = "2 of sre-leads"',
    ),
    "an escalation": ask(
        "sre", "prod-admin", "1h", 'expect = "request"', "ticket = true", 'after = "30m"',
        'waits_for = "2 of sre-leads or platform-leads"',
    ),
    "a vote much later": ask(
        "sre", "prod-admin", "1h", 'expect = "request"', "ticket = true",
        'votes = ["u-lead-1", "u-lead-2  after 31m"]', 'waits_for = "nobody"',
    ),
    "a later yes": ask(
        "lead-2", "prod-admin", "1h", 'expect = "approve"', "ticket = true", 'approves = "u-sre"',
        'votes = ["u-lead-1 after 10m"]', 'after = "45m"',
    ),
    "stopping": 'who = "u-security"\nexpect = "stop"\nstops = "everything"\n'
    'rules = ["security-may-stop"]',
    "stopping a cloud": 'who = "u-security"\nexpect = "stop"\nstops = "cloud gcp"',
    "stopping what one owns": 'who = "u-owner"\nexpect = "stop"\n'
    'stops = "entitlement prod-read"\nrules = ["owners-may-stop"]',
    "ending what one's people hold": 'who = "u-manager"\nexpect = "end"\n'
    'ends = "person Dev@example.org"\nrules = ["managers-may-end"]',
    "no brake": 'who = "u-dev"\nexpect = "deny"\nends = "everything"\nrules = []\n'
    "because = 'Action::\"end\"'",
    "nothing to approve": ask(
        "owner", "prod-write", "1h", 'expect = "deny"', 'approves = "u-dev"',
    ),
}  # fmt: skip


@pytest.mark.parametrize("row", HOLD.values(), ids=HOLD)
def test_a_row_holds_where_policy_says_what_it_does(tmp_path: Path, row: str) -> None:
    found = tried(tmp_path, row)
    assert found.differences == ()
    assert found.holds


DIFFER = {
    "another answer": (
        ask("dev", "dev-db", "9h", 'expect = "activate"', 'rules = ["dev-self-serve"]'),
        [
            (
                "expect", "activate", ("deny: No rule lets you have this as you asked for it;"
                " try a shorter time, or ask db-owners which rule could."),
            ),
            ("rules", "dev-self-serve", "none"),
        ],
    ),
    "only the answer": (
        ask("dev", "prod-read", "1h", 'expect = "deny"', 'because = "x"'),
        [("expect", "deny", "request")],
    ),
    "other rules": (
        ask("dev", "dev-db", "1h", 'expect = "activate"', "rules = []"),
        [("rules", "none", "dev-self-serve")],
    ),
    "another approval": (
        ask("dev", "prod-read", "1h", 'expect = "request"', 'approval = "2 of  db-owners"'),
        [("approval", "2 of  db-owners", "1 of db-owners")],
    ),
    "others missing": (
        ask("dev", "prod-read", "1h", 'expect = "request"', 'waits_for = "nobody"'),
        [("waits_for", "nobody", "1 of db-owners")],
    ),
    "another sentence": (
        ask("disabled", "dev-db", "1h", 'expect = "deny"', 'because = "gone"'),
        [("because", "gone", "Your account is disabled in the directory.")],
    ),
    "an unknown person": (
        ask("nobody", "dev-db", "1h", 'expect = "deny"'),
        [("expect", "deny", 'Nobody in the directory has the id or e-mail "u-nobody".')],
    ),
    "an unknown thing": (
        ask("dev", "dev-dbs", "1h", 'expect = "deny"'),
        [
            (
                "expect", "deny", ('The catalog has no "dev-dbs"; list it to see what can be asked'
                ' for. Did you mean "dev-db"?'),
            )
        ],
    ),
    "a vote that does not count": (
        ask(
            "dev", "prod-read", "1h", 'expect = "request"', 'votes = ["u-sre"]', 'waits_for = "x"',
        ),
        [
            (
                "expect", "request",
                "Sre may not vote on it: You are not among the people asked to approve this.",
            )
        ],
    ),
    "a vote given twice": (
        ask(
            "sre", "prod-admin", "1h", 'expect = "request"', "ticket = true",
            'votes = ["u-lead-1", "u-lead-1"]', 'waits_for = "nobody"',
        ),
        [("expect", "request", "Lead votes twice, and one yes counts once.")],
    ),
    "another review": (
        ask(
            "oncall", "prod-admin", "1h", 'expect = "break-glass"', "break_glass = true",
            "incident = true", 'review = "1 of sre within 1h"', 'notify = "sre"',
            'skipped = "1 of sre"',
        ),
        [
            ("review", "1 of sre within 1h", "1 of security within 1d"),
            ("notify", "sre", "security, platform-leads"),
            ("skipped", "1 of sre", "nobody"),
        ],
    ),
    "no glass": (
        ask(
            "sre", "prod-admin", "1h", 'expect = "break-glass"', "break_glass = true",
            "incident = true", 'review = "1 of security within 1d"',
        ),
        [
            (
                "expect", "break-glass",
                "deny: No rule lets you break the glass for this as you asked for it.",
            )
        ],
    ),
    "a vote before joining": (
        ask(
            "sre", "prod-admin", "1h", 'expect = "request"', "ticket = true",
            'votes = ["u-security after 29m"]', 'waits_for = "x"',
        ),
        [
            (
                "expect", "request",
                "Security may not vote on it: You are not among the people asked to approve this.",
            )
        ],
    ),
    "a brake that is refused": (
        'who = "u-dev"\nexpect = "stop"\nstops = "everything"\nrules = ["x"]',
        [
            (
                "expect", "stop", ("deny: No rule lets you use this brake; whoever keeps the policy"
                ' would have to permit you Action::"stop".'),
            ),
            ("rules", "x", "none"),
        ],
    ),
    "a brake on what is none": (
        'who = "u-dev"\nexpect = "stop"\nstops = "all of it"',
        [
            (
                "expect", "stop", ('"all of it" is nothing to stop or end; write everything, cloud'
                " aws, entitlement ID or person ID."),
            )
        ],
    ),
    "a brake on no cloud": (
        'who = "u-dev"\nexpect = "stop"\nstops = "cloud awz"',
        [
            (
                "expect", "stop", ('"cloud awz" is nothing to stop or end; write everything, cloud'
                " aws, entitlement ID or person ID."),
            )
        ],
    ),
    "a brake on nobody": (
        'who = "u-dev"\nexpect = "stop"\nstops = "person u-nobody"',
        [("expect", "stop", 'Nobody in the directory has the id or e-mail "u-nobody".')],
    ),
    "no yes": (
        ask("sre", "prod-read", "1h", 'expect = "approve"', 'approves = "u-dev"'),
        [("expect", "approve", "deny: You are not among the people asked to approve this.")],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("row", "differences"), DIFFER.values(), ids=DIFFER)
def test_a_row_that_does_not_hold_says_what_is_and_what_should_be(
    tmp_path: Path, row: str, differences: list[tuple[str, str, str]]
) -> None:
    found = tried(tmp_path, row)
    assert list(found.differences) == differences
    assert not found.holds


def test_the_rules_that_no_row_is_decided_by_are_known(tmp_path: Path) -> None:
    held = [
        tried(tmp_path, HOLD[name])
        for name in ("at once", "a ticket", "not asked", "a voter's sign-in", "an incident")
    ]
    assert never_matched(POLICY.rules, held) == [
        "no-self-approval",
        "sre-prod-read",
        "analyst-pii-read",
        "cloud-root",
        "oncall-break-glass",
        "security-may-stop",
        "security-may-end",
        "owners-may-stop",
        "managers-may-end",
        "prod-needs-fresh-mfa",
        "admin-is-never-self-serve",
        "change-freeze",
        "contractors-office-hours",
    ]
