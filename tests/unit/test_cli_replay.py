from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from jitcloud.model import State
from tests.cli_world import POLICY, CliWorld

FIXTURES = Path(__file__).parent.parent / "fixtures"
UNSEEN = (
    "Who was in which group, on call, or whose manager then: no record keeps that, so everybody is"
    " judged as the directory has them now."
)


@pytest.fixture
def cli(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CliWorld:
    return CliWorld(tmp_path, capsys, monkeypatch)


def propose(cli: CliWorld, *changes: tuple[str, str], text: str = POLICY, more: str = "") -> str:
    """Write the proposed rules into a folder; return its name."""
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    cli.write("proposed/rules.cedar", text + more)
    return str(cli.folder / "proposed")


def edit(cli: CliWorld, sql: str, *bindings: str) -> None:
    """Edit the record behind jitcloud's back, as whoever has the file can."""
    connection = apsw.Connection(str(cli.folder / "jitcloud.db"))
    connection.execute(sql, bindings)
    connection.close()


def no_key_or_cloud(cli: CliWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    (cli.folder / "keys" / "signing-key.pem").unlink()

    def fail(*_: object) -> None:
        raise AssertionError("a cloud was asked for")

    monkeypatch.setattr("jitcloud.config.clouds", fail)


# ── Who would be told otherwise ──────────────────────────────────────────────────────────────


def test_the_same_rules_change_nothing(cli: CliWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    cli.ask()
    cli.granted()
    no_key_or_cloud(cli, monkeypatch)
    said = cli.jit("policy", "replay")
    assert (said.code, said.err) == (0, "")
    first, second, *_ = said.out.splitlines()
    assert first.startswith("2 requests, judged again by the rules of the configuration (policy ")
    assert second == "        2  would be answered as they were"
    assert UNSEEN in said.out


def test_who_would_be_told_otherwise_is_counted_and_then_named(cli: CliWorld) -> None:
    for _ in range(3):
        cli.ask("dev-read", "--for", "2h")
        cli.time.forward(days=1)
    cli.ask()
    cli.granted()
    cli.ask("prod-role", by="ben")
    folder = propose(
        cli,
        ('duration("8h")', 'duration("1h")'),
        ("2 of leads", "1 of leads"),
        ("1 of resource.owner", "1 of leads then 1 of leads"),
    )
    said = cli.jit("policy", "replay", "--policy", folder)
    assert (said.code, said.err) == (0, "")
    lines = said.out.splitlines()
    assert lines[0].startswith(f"6 requests, judged again by the rules in {folder} (policy ")
    assert lines[1:10] == [
        "        3  would be refused, and were not",
        "        1  would be let in, and were refused",
        "        1  would take more yeses, or a stricter review",
        "        1  would be answered as they were",
        "",
        (
            "refused    Ana (ana): dev-read for 2h, 3 times, last on 2026-12-03: at once; now no:"
            " No rule lets you have this as you asked for it; try a shorter time, or ask leads"
            " which rule could."
        ),
        (
            "let-in     Ben (ben): prod-role for 30m, once on 2026-12-04: no: Too few people could"
            " approve this besides yourself; ask whoever keeps the policy to name more; now after a"
            " yes from 1 of leads [prod-admin]"
        ),
        (
            "heavier    Ana (ana): prod-write for 30m, once on 2026-12-04: after a yes from 1 of"
            " leads; now after a yes from 1 of leads, then 1 of leads [prod-write]"
        ),
        "",
    ]


def test_rules_that_refuse_are_named_with_their_sentence(cli: CliWorld) -> None:
    cli.ask("dev-read", "--for", "1h")
    cli.ask("dev-read", "--for", "3h")
    never = '@id("never") @because("Not any more.") forbid (principal, action, resource);'
    said = cli.jit("policy", "replay", "--policy", propose(cli, more=never))
    assert (
        "refused    Ana (ana): dev-read for 1h to 3h, 2 times, last on 2026-12-01: at once;"
        " now no: Not any more. [never]"
    ) in said.out.splitlines()


def test_what_the_rules_in_force_would_do_too_is_said_to_be_theirs(cli: CliWorld) -> None:
    cli.ask("dev-read", "--for", "6h")
    cli.ask("dev-read", "--for", "3h")
    cli.write("policy/rules.cedar", POLICY.replace('"8h"', '"4h"'))
    folder = propose(cli, ('"8h"', '"2h"'))
    said = cli.jit("policy", "replay", "--policy", folder)
    refused = [line for line in said.out.splitlines() if line.startswith("refused")]
    assert [
        ("for 6h" in line, "now (and by the rules in force) no:" in line) for line in refused
    ] == [
        (False, False),
        (True, True),
    ]
    changes = cli.jit("policy", "replay", "--policy", folder, "--json").json["changes"]
    assert [(each["longest"], each["already"]) for each in changes] == [
        (3 * 3600, False),
        (6 * 3600, True),
    ]
    alone = cli.jit("policy", "replay", "--json").json["changes"]
    assert [each["already"] for each in alone] == [None]
    cli.write("policy/rules.cedar", "permit (principal;")
    said = cli.jit("policy", "replay", "--policy", folder)
    assert said.code == 0
    assert "the rules of the configuration are broken themselves" in said.err
    assert "in force" not in said.out


def test_a_replay_as_json_says_all_of_it(cli: CliWorld) -> None:
    name = cli.ask("dev-read", "--for", "2h")
    cli.jit("credentials", name, by="ana")
    cli.time.forward(hours=3)
    cli.jit("sweep")
    folder = propose(cli, ('"8h"', '"1h"'))
    shown = cli.jit("policy", "replay", "--policy", folder, "--since", "2026-12-01", "--json").json
    assert len(shown.pop("policy_sha256")) == 64
    assert [line for line in shown.pop("unseen") if line == UNSEEN]
    owner = "No rule lets you have this as you asked for it; try a shorter time, or ask leads"
    assert shown == {
        "since": "2026-12-01T00:00:00Z",
        "judged": 1,
        "counts": {
            "refused": 1,
            "let-in": 0,
            "needs-yes": 0,
            "at-once": 0,
            "heavier": 0,
            "lighter": 0,
            "others": 0,
            "unchanged": 0,
        },
        "changes": [
            {
                "kind": "refused",
                "person": "ana",
                "name": "Ana",
                "entitlement": "dev-read",
                "requests": [name],
                "first": "2026-12-01T09:00:00Z",
                "last": "2026-12-01T09:00:00Z",
                "shortest": 7200,
                "longest": 7200,
                "then": {"kind": "activate", "rules": []},
                "now": {"kind": "denied", "rules": [], "because": [f"{owner} which rule could."]},
                "already": False,
            }
        ],
        "cut": 0.05,
        "usage": [
            {
                "of": "entitlement",
                "id": "dev-read",
                "sessions": 1,
                "never_used": 0,
                "running": 0,
                "asked": [{"duration": 7200, "times": 1}],
                "longest": 7200,
                "median": 910,
                "most": 910,
                "steps": [
                    {"window": 900, "cut": 0, "share": 0.0},
                    {"window": 1800, "cut": 0, "share": 0.0},
                    {"window": 3600, "cut": 0, "share": 0.0},
                ],
                "proposed": None,
            }
        ],
        "skipped": {
            "tampered": [],
            "gone": 0,
            "disabled": 0,
            "not-by-rules": 0,
            "undecided": 0,
            "people": [],
            "left_out": 0,
        },
        "assumed": {"without_facts": 0, "retired": 0, "moved": 0},
    }


def test_changes_are_written_as_csv(cli: CliWorld) -> None:
    cli.write("people.toml", (cli.folder / "people.toml").read_text().replace('"Ana"', '"=Ana()"'))
    names = [cli.ask(), cli.ask("dev-read", "--for", "2h")]
    cli.write("policy/rules.cedar", POLICY.replace('"8h"', '"10m"'))
    never = '@id("never") @because("No, \\"never\\".") forbid (principal, action, resource);'
    said = cli.jit("policy", "replay", "--policy", propose(cli, more=never), "--csv")
    assert (said.code, said.err) == (0, "")
    heading, row = csv.reader(io.StringIO(said.out))
    assert dict(zip(heading, row, strict=True)) == {
        "kind": "refused",
        "person": "ana",
        "name": "'=Ana()",  # what a spreadsheet would take for a formula is quoted
        "entitlement": "dev-read",
        "times": "2",
        "first": "2026-12-01T09:00:00Z",
        "last": "2026-12-01T09:00:00Z",
        "shortest": "30m",
        "longest": "2h",
        "then": "at once",
        "now": 'no: No, "never".',
        "rules": "never",
        "already": "yes",  # refused by another rule, and refused
        "last request": max(names),
    }
    bare = csv.DictReader(io.StringIO(cli.jit("policy", "replay", "--csv").out))
    assert [row["already"] for row in bare] == [""]


def test_many_changes_are_shown_in_part_unless_all_are_asked_for(
    cli: CliWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jitcloud.cli.replayed.FIRST", 1)
    for person in ("ana", "ben", "caro"):
        cli.ask(by=person)
    folder = propose(cli, ('"8h"', '"1m"'))

    def shown(*options: str) -> list[str]:
        lines = cli.jit("policy", "replay", "--policy", folder, *options).out.splitlines()
        return [line for line in lines if line.startswith(("refused", "…"))]

    assert [line[:20] for line in shown()] == ["refused    Ana (ana)", "… and 2 more lines; "]
    assert len(shown("--all")) == 3


# ── Which requests are judged again ──────────────────────────────────────────────────────────


@pytest.mark.parametrize("options", [[], ["--since", "2030-01-01"], ["--json"], ["--csv"]])
def test_a_record_that_holds_none_is_said_to(cli: CliWorld, options: list[str]) -> None:
    if options[:1] == ["--since"]:
        cli.ask()
    said = cli.jit("policy", "replay", *options)
    assert said.code == 0
    if options == ["--json"]:
        assert (said.json["judged"], said.json["changes"], said.json["usage"]) == (0, [], [])
    elif options == ["--csv"]:
        assert len(said.out.splitlines()) == 1
    else:
        assert said.out.startswith("The record holds no request")
    if "--since" in options:
        assert "asked since 2030-01-01T00:00:00Z that could be judged again" in said.out
        assert "- 1 older request." in said.out.splitlines()


def test_only_what_is_new_enough_is_judged_and_the_newest_first(cli: CliWorld) -> None:
    for hours in ("1h", "2h", "3h", "4h"):
        cli.ask("dev-read", "--for", hours)
        cli.time.forward(days=1)
    # Its id says that it was made long ago; it was not.
    cli.ask("dev-read", "--for", "5h", "--id", "01J00000000000000000000000")
    folder = propose(cli, ('"8h"', '"1m"'))

    def judged(*options: str) -> tuple[list[int], int]:
        shown = cli.jit("policy", "replay", "--policy", folder, "--all", "--json", *options).json
        (change,) = shown["changes"]
        found = [change["shortest"] // 3600, change["longest"] // 3600]
        return found, shown["skipped"]["left_out"]

    assert judged() == ([1, 5], 0)
    assert judged("--since", "2026-12-03") == ([3, 5], 2)
    assert judged("--since", "2026-12-03T10:00:00+01:00") == ([3, 5], 2)
    assert judged("--since", "2026-12-03T10:00:01+01:00") == ([4, 5], 3)
    assert judged("--limit", "2") == ([3, 4], 3)
    assert judged("--limit", "2", "--since", "2026-12-04") == ([4, 5], 3)


def test_whoever_is_gone_is_left_out_and_named(cli: CliWorld) -> None:
    for person in ("ana", "ana", "ben", "caro"):
        cli.ask(by=person)
    people = (cli.folder / "people.toml").read_text()
    cli.write(
        "people.toml",
        people.replace('"ana"', '"anna"').replace('name = "Ben"', 'name = "Ben"\ndisabled = true'),
    )
    said = cli.jit("policy", "replay")
    assert said.code == 0
    assert said.out.startswith("1 request, judged again")
    assert [line for line in said.out.splitlines() if line.startswith("- ")][1:4] == [
        "- 2 requests of people whom the directory no longer has.",
        "- 1 request of people whom the directory has disabled.",
        "- Gone or disabled: ana (2), ben (1).",
    ]
    skipped = cli.jit("policy", "replay", "--json").json["skipped"]
    assert (skipped["gone"], skipped["disabled"]) == (2, 1)
    assert skipped["people"] == [
        {"person": "ana", "requests": 2},
        {"person": "ben", "requests": 1},
    ]


def test_what_the_catalog_no_longer_has_is_judged_as_it_was_and_counted(cli: CliWorld) -> None:
    cli.ask()
    name = cli.ask("prod-write")
    catalog = (cli.folder / "catalog.toml").read_text()
    catalog = catalog.replace('"prod-write"', '"prod-wrote"').replace("Read in dev", "Look in dev")
    cli.write("catalog.toml", catalog)
    said = cli.jit("policy", "replay")
    lines = said.out.splitlines()
    assert "        2  would be answered as they were" in lines
    assert "- 1 request: for what the catalog has otherwise by now, and judged by that." in lines
    assert (
        "- 1 request: for what the catalog no longer has, and judged by what it had then." in lines
    )
    assumed = cli.jit("policy", "replay", "--json").json["assumed"]
    assert assumed == {"without_facts": 0, "retired": 1, "moved": 1}
    assert cli.state(name) is State.PENDING


def test_an_extension_is_judged_for_the_whole_it_would_make(cli: CliWorld) -> None:
    name = cli.ask("dev-read", "--for", "2h")
    cli.time.forward(minutes=70)
    with cli.opener(cli.folder) as jitcloud:
        extended = jitcloud.acting_as("ana").extend(name, "1h", "not done yet")
    assert extended.state is State.EXTENDED
    shown = cli.jit("policy", "replay", "--policy", propose(cli, ('"8h"', '"2h"')), "--json").json
    (change,) = shown["changes"]
    assert (change["kind"], change["requests"], change["longest"]) == (
        "refused",
        [extended.id],
        3 * 3600,
    )
    early = 'context.start.hour == 9 && context.duration <= duration("8h")'
    folder = propose(cli, ('context.duration <= duration("8h")', early))
    assert cli.jit("policy", "replay", "--policy", folder, "--json").json["changes"] == []


def test_what_was_refused_before_any_rule_was_asked_is_counted_and_left_out(cli: CliWorld) -> None:
    toml = (cli.folder / "jitcloud.toml").read_text()
    cli.write("jitcloud.toml", f'{toml}\n[limits]\nlongest = "2h"\n')
    name = cli.ask()
    with cli.opener(cli.folder) as jitcloud:
        refused = jitcloud.acting_as("ana").extend(name, "2h", "for the whole holiday")
    assert refused.state is State.DENIED
    said = cli.jit("policy", "replay")
    assert said.out.startswith("1 request, judged again")
    assert (
        "- 1 request refused before any rule was asked, as while a brake was on."
    ) in said.out.splitlines()
    skipped = cli.jit("policy", "replay", "--json").json["skipped"]
    assert (skipped["not-by-rules"], skipped["people"]) == (1, [])


def test_what_was_recorded_before_facts_were_is_judged_without_and_counted(cli: CliWorld) -> None:
    connection = apsw.Connection(str(cli.folder / "jitcloud.db"))
    connection.execute((FIXTURES / "version-1.sql").read_text())
    connection.close()
    key = Ed25519PrivateKey.from_private_bytes(b"k" * 32).public_key()  # of whoever signed it
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (cli.folder / "keys" / "old.pub.pem").write_bytes(pem)
    said = cli.jit("policy", "replay")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith("5 requests, judged again")
    assert (
        "- 5 requests: recorded without the facts of then, and judged with no change freeze, and"
        " with no ticket or incident looked up."
    ) in said.out.splitlines()
    assumed = cli.jit("policy", "replay", "--json").json["assumed"]
    assert assumed["without_facts"] == 5


def test_a_policy_of_many_rules_says_the_same(
    cli: CliWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    for person in ("ana", "ben"):
        cli.ask("dev-read", "--for", "2h", by=person)
        cli.ask("prod-role", by=person)
    folder = propose(cli, ('"8h"', '"1h"'), ("2 of leads", "1 of leads"))
    whole = cli.jit("policy", "replay", "--policy", folder, "--json").json
    monkeypatch.setattr("jitcloud.cli.rejudging.LARGE", 1)
    assert cli.jit("policy", "replay", "--policy", folder, "--json").json == whole


# ── How long access was used ─────────────────────────────────────────────────────────────────


def used(cli: CliWorld, *many: int) -> None:
    """Ask for four hours, fetch so many sets of credentials, and let it end; again and again."""
    with cli.opener(cli.folder) as jitcloud:
        ana = jitcloud.acting_as("ana")
        for sets in many:
            request = ana.request("dev-read", "4h", "testing")
            for _ in range(sets):
                ana.credentials(request)
                cli.time.forward(minutes=15)
            cli.time.forward(hours=4)
            jitcloud.sweep()


def test_a_window_that_would_have_cut_few_is_proposed(cli: CliWorld) -> None:
    catalog = (cli.folder / "catalog.toml").read_text()
    first = catalog[: catalog.index("[[entitlement]]", 20)]
    cli.write("catalog.toml", catalog + first.replace("dev-read", "a-read"))
    cli.ask("a-read")
    used(cli, *[3] * 9, 7, 0)
    line = (
        "- dev-read: 4h allowed, 1h would have cut 1 of 10 (10.0 %); median 45m10s, 95 of 100"
        " within {}; 1 never used."
    )
    said = cli.jit("policy", "replay", "--cut", "0.1")
    assert line.format("1h18m10s") in said.out.splitlines()
    # What could be shorter comes first.
    assert said.out.index("- dev-read: ") < said.out.index("- a-read: ")
    assert "- by rule dev-self-serve: 4h allowed, 1h would have cut 1 of 10 " in said.out
    said = cli.jit("policy", "replay", "--cut", "0")
    assert "- dev-read: 4h allowed, 2h would have cut 0 of 10 (0.0 %); " in said.out


def test_where_nothing_shorter_would_do_that_is_said(cli: CliWorld) -> None:
    used(cli, *[16] * 10)
    said = cli.jit("policy", "replay")
    assert (
        "- dev-read: 4h allowed, and anything less would have cut more than 5.0 % of 10;"
        " median 4h, 95 of 100 within 4h."
    ) in said.out.splitlines()


def test_few_sessions_and_short_ones_propose_nothing(cli: CliWorld) -> None:
    used(cli, 1)
    cli.granted()
    lines = cli.jit("policy", "replay").out.splitlines()
    assert (
        "- dev-read: 4h allowed, used 1 time: too seldom to propose less; median 15m10s, 95 of 100"
        " within 15m10s."
    ) in lines
    assert (
        "- prod-write: 30m allowed, used 0 times: too seldom to propose less; 1 not over yet."
    ) in lines


# ── What cannot be replayed ──────────────────────────────────────────────────────────────────


def test_a_request_that_was_tampered_with_is_left_out_and_told(cli: CliWorld) -> None:
    good, bad, worse = cli.ask(), cli.ask(by="ben"), cli.ask(by="caro")
    edit(cli, "UPDATE events SET text = replace(text, 'testing', 'tasting') WHERE request = ?", bad)
    edit(cli, "UPDATE requests SET body = '{}' WHERE id = ?", worse)
    folder = propose(cli, ('"8h"', '"1m"'))
    said = cli.jit("policy", "replay", "--policy", folder)
    assert said.code == 7
    assert said.out.startswith("1 request, judged again")
    assert f"Event 1 of request {bad} cannot be believed" in said.out
    assert f"- {worse}: A stored request cannot be read" in said.out
    shown = cli.jit("policy", "replay", "--policy", folder, "--json", "--since", "2026-12-01")
    assert shown.code == 7
    assert [each["request"] for each in shown.json["skipped"]["tampered"]] == [worse, bad]
    assert shown.json["changes"][0]["requests"] == [good]
    as_csv = cli.jit("policy", "replay", "--policy", folder, "--csv")
    assert as_csv.code == 7
    assert bad not in as_csv.out
    assert f"jitcloud: not judged again: Event 1 of request {bad}" in as_csv.err


def test_a_forged_decision_is_not_replayed(cli: CliWorld) -> None:
    cli.ask()
    for key in (cli.folder / "keys").glob("*.pub.pem"):
        key.unlink()
    said = cli.jit("policy", "replay")
    assert said.code == 7
    assert "signed with a key that is not trusted here" in said.out


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--policy", "nowhere"], 6, "nowhere is not a policy folder that can be read."),
        (["--policy", "people.toml"], 6, "people.toml is not a policy folder that can be read."),
        (["--since", "soon"], 2, '"soon" is not a day; write one like 2026-06-01.'),
        (["--since", "0001-01-01T00:00:00+14:00"], 2, "is not a day"),
        (["--cut", "1.01"], 2, "--cut must be a share from 0 to 1"),
        (["--cut", "-0.1"], 2, "--cut must be a share from 0 to 1"),
        (["--cut", "nan"], 2, "--cut must be a share from 0 to 1"),
        (["--limit", "0"], 2, "--limit must be at least 1."),
        (["--csv", "--json"], 2, "--csv goes with no --json"),
    ],
    ids=str,
)
def test_what_cannot_be_replayed_is_refused(
    cli: CliWorld, options: list[str], code: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(cli.folder)
    found = cli.jit("policy", "replay", *options)
    assert found.code == code
    assert said in found.err
    assert found.out == ""


def test_proposed_rules_that_do_not_check_are_told_with_all_that_is_wrong(cli: CliWorld) -> None:
    cli.ask()
    wrong = "permit (principal, action, resource);"
    folder = propose(cli, more=f'{wrong}\n@id("x") {wrong}')
    said = cli.jit("policy", "replay", "--policy", folder)
    assert said.code == 6
    assert "give this rule a name" in said.err
    assert ":x: a permit names exactly one action" in said.err


def test_a_folder_is_named_from_where_one_is(
    cli: CliWorld, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cli.ask()
    propose(cli, ('"8h"', '"1m"'))
    elsewhere = tmp_path / "proposed"
    monkeypatch.chdir(elsewhere)
    assert cli.jit("policy", "replay", "--policy", ".", "--json").json["counts"]["refused"] == 1


def test_the_record_is_left_as_it_was(cli: CliWorld) -> None:
    cli.granted()
    cli.ask()

    def everything() -> list[tuple[object, ...]]:
        connection = apsw.Connection(str(cli.folder / "jitcloud.db"))
        tables = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
        ]
        found = [
            row
            for name in sorted(tables)
            for row in connection.execute(f"SELECT * FROM {name}")  # noqa: S608 - the record itself names its tables
        ]
        connection.close()
        return found

    before = everything()
    cli.jit("policy", "replay")
    assert everything() == before


def test_progress_is_told_of_every_request(cli: CliWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(3):
        cli.ask()
    heard: list[tuple[int, bool]] = []

    class Hearing:
        def __init__(self, total: int, *, quiet: bool) -> None:
            heard.append((total, quiet))

        def __enter__(self) -> Callable[[int], None]:
            return lambda count: heard.append((count, True))

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr("jitcloud.cli.replaying.progress", Hearing)
    cli.jit("policy", "replay", "--limit", "1")
    assert heard == [(3, False), (1, True), (1, True), (1, True)]
