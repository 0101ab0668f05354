from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from jitcloud.cli import progress
from jitcloud.cli.progress import progress as showing
from tests.cli_world import CliWorld

CASES = """
[[case]]
says = "Ana has development at once"
who = "ana"
what = "dev-read"
duration = "8h"
expect = "activate"

[[case]]
says = "Ana writes in production after a yes"
who = "ana"
what = "prod-write"
duration = "1h"
votes = ["ben"]
expect = "request"
waits_for = "nobody"
"""

UGLY = '@id("x") @because("No.") forbid(principal,action,resource)when{false}; // kept\n'


@pytest.fixture
def cli(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CliWorld:
    world = CliWorld(tmp_path, capsys, monkeypatch)
    # None of these commands may need a key, the record or a cloud.
    for key in (tmp_path / "keys").iterdir():
        key.unlink()
    monkeypatch.setattr("jitcloud.config.clouds", no_cloud)
    monkeypatch.setattr("jitcloud.cli.explaining.utc_now", world.time)
    return world


def no_cloud(*_: object) -> None:
    raise AssertionError("a cloud was asked for")


# ── check ────────────────────────────────────────────────────────────────────────────────────


def test_a_sound_policy_is_summed_up(cli: CliWorld) -> None:
    said = cli.jit("policy", "check")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(
        "6 rules with those that come with jitcloud, in 1 file, about 3 entitlements (policy "
    )
    shown = cli.jit("policy", "check", "--json").json
    assert (shown["ok"], shown["findings"], shown["risks"]) == (True, [], [])
    assert not (cli.folder / "jitcloud.db").exists()


def test_each_mistake_is_told_on_a_line_with_its_place(cli: CliWorld) -> None:
    cli.write("policy/more.cedar", '\n@id("x")\npermit (principal, action, resource);')
    said = cli.jit("policy", "check")
    assert said.code == 1
    (line,) = said.out.splitlines()
    assert line.startswith("more.cedar:2:x: a permit names exactly one action")
    assert said.err == "jitcloud: 1 thing to fix.\n"
    shown = cli.jit("policy", "check", "--json").json
    assert (shown["ok"], len(shown["findings"]), shown["summary"]) == (False, 1, "")


def test_one_file_that_is_wrong_does_not_hide_the_next(cli: CliWorld) -> None:
    cli.write("people.toml", "persons = 5")
    cli.write("catalog.toml", "entitlements = 5")
    cli.write("policy/more.cedar", "permit (principal, action == action, resource);")
    findings = cli.jit("policy", "check", "--json").json["findings"]
    for wrong in ("people.toml: ", "catalog.toml: ", "more.cedar:1: this is not Cedar"):
        assert [line for line in findings if line.startswith(wrong)], findings
    cli.write("policy/more.cedar", '@id("x") permit (principal, action, resource) when { 1 };')
    findings = cli.jit("policy", "check", "--json").json["findings"]
    assert [line for line in findings if line.startswith("more.cedar:1:x: ")], findings


def test_an_owner_who_is_not_there_is_a_mistake(cli: CliWorld) -> None:
    catalog = (cli.folder / "catalog.toml").read_text()
    cli.write("catalog.toml", catalog.replace('"leads"', '"lead"', 1))
    said = cli.jit("policy", "check")
    assert said.code == 1
    assert said.out.startswith(
        'catalog: entitlement "dev-read": owner: the directory has no group "lead"; correct it'
    )


def test_a_broken_configuration_is_a_mistake(cli: CliWorld) -> None:
    cli.write("jitcloud.toml", "[policies]\n")
    said = cli.jit("policy", "check")
    assert said.code == 1
    assert said.out.startswith("jitcloud.toml: there is no key")


@pytest.mark.parametrize("text", ["", "// nothing yet\n"])
def test_an_empty_policy_is_said_to_deny_everything(cli: CliWorld, text: str) -> None:
    cli.write("policy/rules.cedar", text)
    said = cli.jit("policy", "check")
    assert said.code == 1
    assert "nobody could have anything" in said.out


def test_a_policy_that_permits_nothing_is_said_to_deny_everything(cli: CliWorld) -> None:
    cli.write("policy/rules.cedar", UGLY)
    said = cli.jit("policy", "check")
    assert (said.code, said.out) == (
        1,
        "nobody could have anything: no rule permits activate, request or breakGlass.\n",
    )


def test_a_policy_that_forbids_what_it_permits_is_a_risk(cli: CliWorld) -> None:
    cli.write("policy/more.cedar", UGLY.replace("false", "true"))
    said = cli.jit("policy", "check")
    assert said.code == 0
    assert said.out.startswith("risk: nobody could have anything: of ")
    (risk,) = cli.jit("policy", "check", "--json").json["risks"]
    assert "every one is denied" in risk


# ── fmt ──────────────────────────────────────────────────────────────────────────────────────


def test_rules_are_laid_out_once(cli: CliWorld) -> None:
    cli.write("policy/ugly.cedar", UGLY)
    before = (cli.folder / "policy" / "rules.cedar").read_text()
    said = cli.jit("policy", "fmt", "--check")
    assert (said.code, said.out) == (
        1,
        "rules.cedar is not laid out\nugly.cedar is not laid out\n",
    )
    assert "`jitcloud policy fmt` lays the rules out" in said.err
    assert (cli.folder / "policy" / "rules.cedar").read_text() == before
    said = cli.jit("policy", "fmt")
    assert (said.code, said.out) == (0, "laid out rules.cedar\nlaid out ugly.cedar\n")
    assert "}; // kept\n" in (cli.folder / "policy" / "ugly.cedar").read_text()
    said = cli.jit("policy", "fmt", "--check")
    assert (said.code, said.out, said.err) == (0, "", "")
    assert cli.jit("policy", "fmt", "--json").json == {"ok": True, "changed": [], "findings": []}


def test_a_file_that_has_no_form_does_not_keep_others_from_theirs(cli: CliWorld) -> None:
    cli.write("policy/broken.cedar", "permit (principal;")
    said = cli.jit("policy", "fmt")
    assert said.code == 1
    assert said.out.startswith("broken.cedar:1: this is not Cedar")
    assert said.out.endswith("laid out rules.cedar\n")
    assert (cli.folder / "policy" / "broken.cedar").read_text() == "permit (principal;"
    shown = cli.jit("policy", "fmt", "--check", "--json").json
    assert (shown["ok"], shown["changed"], len(shown["findings"])) == (False, [], 1)


def test_fmt_needs_neither_people_nor_catalog(cli: CliWorld) -> None:
    (cli.folder / "people.toml").unlink()
    (cli.folder / "catalog.toml").unlink()
    assert cli.jit("policy", "fmt").code == 0


# ── test ─────────────────────────────────────────────────────────────────────────────────────


def test_a_decision_table_beside_the_configuration_is_tried(cli: CliWorld) -> None:
    cli.write("cases.toml", CASES)
    said = cli.jit("policy", "test")
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [
        "No case is decided by: only-those-asked-approve, no-self-approval, prod-admin.",
        "2 cases, all as written.",
    ]
    shown = cli.jit("policy", "test", str(cli.folder / "cases.toml"), "--json").json
    assert (shown["cases"], shown["failed"]) == (2, [])


def test_a_row_that_fails_says_what_was_asked_expected_and_said(cli: CliWorld) -> None:
    wrong = CASES.replace('"8h"', '"9h"') + CASES[CASES.rindex("[[case]]") :].replace(
        "after a yes", "after no yes"
    ).replace('votes = ["ben"]', "ticket = true\nstart = 2030-01-01T09:00:00\nmfa = '5m'")
    cli.write("cases.toml", wrong)
    said = cli.jit("policy", "test")
    assert said.code == 1
    assert said.out == (
        "1. Ana has development at once\n"
        "    ana: dev-read for 9h\n"
        "    expect should be  activate\n"
        "           and is     deny: No rule lets you have this as you asked for it; try a shorter"
        " time, or ask leads which rule could.\n"
        "\n"
        "3. Ana writes in production after no yes\n"
        "    ana: prod-write for 1h, with ticket, mfa 5m, start 2030-01-01 09:00:00\n"
        "    waits_for should be  nobody\n"
        "              and is     1 of leads\n"
        "\n"
        "No case is decided by: only-those-asked-approve, no-self-approval, dev-self-serve,"
        " prod-admin.\n"
        "3 cases, 2 not as written.\n"
    )
    shown = cli.jit("policy", "test", "--json")
    assert shown.code == 1
    assert shown.json["failed"][1] == {
        "case": 3,
        "says": "Ana writes in production after no yes",
        "differences": [{"key": "waits_for", "expected": "nobody", "said": "1 of leads"}],
    }


def test_a_row_about_a_vote_that_fails_names_both(cli: CliWorld) -> None:
    cli.write(
        "cases.toml",
        CASES.replace("votes =", 'approves = "caro"\nvotes =')
        .replace('waits_for = "nobody"\n', "")
        .replace('"request"', '"approve"'),
    )
    out = cli.jit("policy", "test").out
    assert "    ana approves caro: prod-write for 1h, with votes ben\n" in out


GLASS = """
@id("glass")
@review("within 4h by leads")
@notify("leads")
permit (principal in Group::"developers", action == Action::"breakGlass", resource)
when { context.duration <= duration("2h") };
"""


def test_rows_about_brakes_and_broken_glass_that_fail_say_so(cli: CliWorld) -> None:
    cli.write("policy/glass.cedar", GLASS)
    cli.write(
        "cases.toml",
        """
[[case]]
says = "Nobody breaks this glass"
who = "ana"
what = "prod-role"
duration = "2h"
break_glass = true
incident = true
expect = "deny"
[[case]]
says = "Ana ends everything"
who = "ana"
ends = "everything"
mfa = "5m"
ticket = true
expect = "end"
[[case]]
says = "Ana waits"
who = "ana"
what = "prod-write"
duration = "1h"
after = "45m"
expect = "request"
waits_for = "nobody"
""",
    )
    said = cli.jit("policy", "test")
    assert said.code == 1
    assert said.out.splitlines()[:12] == [
        "1. Nobody breaks this glass",
        "    ana: prod-role for 2h by breaking the glass, with incident",
        "    expect should be  deny",
        "           and is     break-glass",
        "",
        "2. Ana ends everything",
        "    ana ends everything, with mfa 5m",
        "    expect should be  end",
        (
            "           and is     deny: No rule lets you use this brake; whoever keeps the policy"
            ' would have to permit you Action::"end".'
        ),
        "",
        "3. Ana waits",
        "    ana: prod-write for 1h, with after 45m",
    ]


def test_a_table_that_is_not_there_is_an_operators_to_fix(cli: CliWorld) -> None:
    said = cli.jit("policy", "test")
    assert said.code == 6
    assert "cases.toml cannot be read" in said.err


def test_when_every_rule_had_a_part_nothing_is_said_of_it(cli: CliWorld) -> None:
    every = """
[[case]]
says = "Nobody says yes to themselves"
who = "ana"
approves = "ana"
what = "prod-role"
duration = "1h"
expect = "deny"
rules = ["only-those-asked-approve", "no-self-approval"]
"""
    cli.write("cases.toml", CASES + every)
    said = cli.jit("policy", "test")
    assert said.out == "3 cases, all as written.\n"


# ── matrix ───────────────────────────────────────────────────────────────────────────────────


def test_a_matrix_is_written_as_csv(cli: CliWorld) -> None:
    said = cli.jit("policy", "matrix", "--for", "1h", "--for", "6h")
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines()[:4] == [
        "person,name,entitlement,with,1h,6h",
        "ana,Ana,dev-read,,activate,activate",
        "ana,Ana,prod-role,,request: 2 of leads,",
        "ana,Ana,prod-write,,request: 1 of leads,",
    ]
    assert cli.jit("policy", "matrix").out.startswith("person,name,entitlement,with,1h,4h,8h\n")


def test_a_matrix_as_json(cli: CliWorld) -> None:
    shown = cli.jit("policy", "matrix", "--for", "6h", "--for", "6h", "--json").json
    assert shown["durations"] == [6 * 3600]
    assert shown["rows"][0] == {
        "person": "ana",
        "entitlement": "dev-read",
        "with": "",
        "outcomes": ["activate"],
    }


def test_a_matrix_is_held_against_its_file(cli: CliWorld) -> None:
    golden = cli.folder / "matrix.csv"
    golden.write_text(cli.jit("policy", "matrix", "--for", "2h").out)
    said = cli.jit("policy", "matrix", "--check", str(golden))
    assert said.code == 0
    assert said.out.startswith(f"{golden} still says who could get what, in ")
    assert cli.jit("policy", "matrix", "--check", str(golden), "--json").json == {
        "same": True,
        "differences": [],
    }
    rules = (cli.folder / "policy" / "rules.cedar").read_text()
    cli.write(
        "policy/rules.cedar",
        rules.replace('"8h"', '"1h"')
        .replace('@approval("1 of resource.owner")', "")
        .replace(
            'principal in Group::"developers", action == Action::"request"',
            'principal in Group::"developers", action == Action::"activate"',
            1,
        ),
    )
    said = cli.jit("policy", "matrix", "--check", str(golden))
    assert said.code == 1
    assert said.out.splitlines()[:2] == [
        "loses    Ana (ana): dev-read, for 2h: nothing, before activate",
        "gains    Ana (ana): prod-write, for 2h: activate, before request: 1 of leads",
    ]
    assert said.err.endswith(f"run `jitcloud policy matrix > {golden}`.\n")
    shown = cli.jit("policy", "matrix", "--check", str(golden), "--json")
    assert shown.code == 1
    assert shown.json["differences"][0] == {
        "kind": "loses",
        "person": "ana",
        "entitlement": "dev-read",
        "with": "",
        "durations": [7200],
        "before": "activate",
        "now": "",
    }


def test_what_can_be_had_by_breaking_the_glass_is_in_the_matrix(cli: CliWorld) -> None:
    golden = cli.folder / "matrix.csv"
    golden.write_text(cli.jit("policy", "matrix").out)
    cli.write("policy/glass.cedar", GLASS)
    said = cli.jit("policy", "matrix", "--check", str(golden))
    assert said.out.splitlines()[:2] == [
        (
            f"gains    Ana (ana): {thing} with incident, for 1h: {before}; break-glass: 1 of leads"
            f" within 4h, before {before}"
        )
        for thing, before in (
            ("prod-role", "request: 2 of leads"),
            ("prod-write", "request: 1 of leads"),
        )
    ]


def test_what_somebody_gains_with_a_ticket_says_so(cli: CliWorld) -> None:
    golden = cli.folder / "matrix.csv"
    golden.write_text(cli.jit("policy", "matrix").out)
    cli.write(
        "policy/more.cedar",
        '@id("x") permit (principal == User::"ana", action == Action::"activate",'
        ' resource == Entitlement::"prod-role")'
        " when { context has ticket && context has incident };",
    )
    said = cli.jit("policy", "matrix", "--check", str(golden))
    assert said.out == (
        "gains    Ana (ana): prod-role with ticket and incident, for 1h: activate,"
        " before request: 2 of leads\n"
        "gains    Ana (ana): prod-role with ticket and incident, for 4h, 8h: activate,"
        " before nothing\n"
    )


def test_a_file_says_for_how_long_it_is(cli: CliWorld) -> None:
    said = cli.jit("policy", "matrix", "--check", "m.csv", "--for", "1h")
    assert said.code == 2
    assert "--check asks for the durations of its file" in said.err
    assert cli.jit("policy", "matrix", "--for", "soon").code == 2


# ── explain ──────────────────────────────────────────────────────────────────────────────────


def test_a_decision_is_explained(cli: CliWorld) -> None:
    said = cli.jit("policy", "explain", "ana", "prod-write", "1h", "--mfa", "5m", "--ticket")
    assert (said.code, said.err) == (0, "")
    assert said.out == (
        "who:         Ana (ana)\n"
        "what:        prod-write: Write in production (write in prod)\n"
        "for:         1h\n"
        "from:        2026-12-01T09:00:00Z, Tuesday 09:00 in UTC\n"
        "with:        a sign-in 5m ago, an open ticket, no incident\n"
        "policy:      after a yes from 1 of leads [prod-write]\n"
        "stage 1:     1 of leads: Ben, Caro\n"
        "offered:     15m after approval, 30m after approval, 1h after approval,"
        " 2h after approval, 4h after approval\n"
        "\n"
        "rules.cedar:7: prod-write permits request\n"
        '    @id("prod-write")\n'
        '    @approval("1 of resource.owner")\n'
        '    permit (principal in Group::"developers", action == Action::"request",\n'
        '            resource in Environment::"prod")\n'
        '    when { resource.privilege == Privilege::"write" && context.duration <='
        ' duration("4h") };\n'
    )


def test_a_refusal_says_why_and_what_would_help(cli: CliWorld) -> None:
    cli.write(
        "policy/more.cedar",
        '@id("calm") @because("Not in a freeze.")\n'
        'forbid (principal, action in Action::"access", resource) when { context.freeze }\n'
        "unless { context has incident };",
    )
    said = cli.jit("policy", "explain", "ana", "dev-read", "12h", "--freeze")
    lines = said.out.splitlines()
    assert "with:        a sign-in of unknown age, no ticket, no incident, a change freeze" in lines
    assert "policy:      no: Not in a freeze. [calm]" in lines
    assert "hint:        This would be allowed within 8h with an incident." in lines
    assert "offered:     nothing" in lines
    assert "more.cedar:1: calm forbids activate and request" in lines
    assert '    @id("calm") @because("Not in a freeze.")' in lines
    assert not [line for line in lines if line.startswith("stage")]


def test_the_freeze_of_the_configuration_holds_unless_said_otherwise(cli: CliWorld) -> None:
    cli.write("jitcloud.toml", "[policy]\nfreeze = true\n")
    for options, expected in (([], True), (["--no-freeze"], False), (["--freeze"], True)):
        said = cli.jit("policy", "explain", "ana", "dev-read", "1h", *options, "--json")
        assert said.json["freeze"] is expected


def test_an_explanation_as_json(cli: CliWorld) -> None:
    shown = cli.jit(
        *("policy", "explain", "ben", "prod-role", "1h", "--json"),
        *("--start", "2027-01-01T08:00:00Z", "--incident", "--mfa", "1m"),
    ).json
    rule = shown["rules"][0]
    assert rule["text"].startswith('@id("prod-admin")')
    assert (rule["id"], rule["file"], rule["effect"]) == ("prod-admin", "rules.cedar", "permit")
    assert rule["annotations"] == {"id": "prod-admin", "approval": "2 of leads"}
    assert shown["verbs"] == [
        {"verb": "activate", "allowed": False, "permits": [], "forbids": []},
        {"verb": "request", "allowed": True, "permits": ["prod-admin"], "forbids": []},
    ]
    assert shown["start"] == "2027-01-01T08:00:00Z"
    assert (shown["mfa_age"], shown["ticket"], shown["incident"]) == (60, False, True)
    # Ben leads himself: only one is left to say yes, and it takes two.
    assert shown["decision"]["kind"] == "denied"
    assert shown["asked"] == [
        {
            "stage": 0,
            "need": "2 of leads",
            "people": [{"id": "caro", "name": "Caro"}],
            "joining_after": None,
            "joining": [],
            "escalates_to": None,
        }
    ]
    assert (shown["break_glass"], shown["reviewers"], shown["hearing"]) == (False, [], [])
    assert (shown["offers"], shown["hints"]) == ([], [])
    offer = cli.jit("policy", "explain", "ana", "dev-read", "1h", "--json").json["offers"][0]
    assert offer == {
        "duration": 900,
        "decision": {"kind": "activate", "rules": ["dev-self-serve"]},
    }


def test_a_broken_glass_is_explained(cli: CliWorld) -> None:
    cli.write("policy/glass.cedar", GLASS)
    asked = ("policy", "explain", "ana", "prod-role", "1h", "--incident", "--break-glass")
    lines = cli.jit(*asked).out.splitlines()
    assert lines[4:12] == [
        "with:        a sign-in of unknown age, no ticket, an open incident, a broken glass",
        "policy:      at once, reviewed within 4h by 1 of leads [glass]",
        "review:      1 of leads: Ben, Caro",
        "hears:       leads: Ben, Caro",
        "skipped 1:   2 of leads: Ben, Caro",
        (
            "offered:     15m by breaking the glass, 30m by breaking the glass,"
            " 1h by breaking the glass, 2h by breaking the glass"
        ),
        "",
        "rules.cedar:13: prod-admin permits request",
    ]
    assert "glass.cedar:2: glass permits breakGlass" in lines
    shown = cli.jit(*asked, "--json").json
    assert shown["break_glass"] is True
    assert shown["decision"]["kind"] == "break-glass"
    people = [{"id": "ben", "name": "Ben"}, {"id": "caro", "name": "Caro"}]
    assert shown["hearing"] == [{"who": "leads", "people": people}]
    assert [(each["need"], each["people"]) for each in shown["reviewers"]] == [
        ("1 of leads", people)
    ]
    assert [each["verb"] for each in shown["verbs"]] == ["activate", "request", "breakGlass"]
    # Without saying so nobody breaks it, and hears of it only where they could have nothing else.
    plain = cli.jit("policy", "explain", "ana", "prod-role", "1h", "--incident").out
    assert "glass" not in plain
    assert "This could be had at once by breaking the glass, with an incident; it is" in (
        cli.jit("policy", "explain", "ana", "prod-role", "2h").out
    )


def test_who_joins_those_asked_is_explained(cli: CliWorld) -> None:
    rules = (cli.folder / "policy" / "rules.cedar").read_text()
    escalating = '@approval("2 of leads")\n@escalate("after 30m to security")'
    people = (cli.folder / "people.toml").read_text()
    security = (
        '[[person]]\nid = "dora"\nname = "Dora"\n[groups.security]\nmembers = ["ana", "dora"]'
    )
    cli.write("people.toml", f"{people}\n{security}\n")
    cli.write("policy/rules.cedar", rules.replace('@approval("2 of leads")', escalating))
    lines = cli.jit("policy", "explain", "ana", "prod-role", "1h").out.splitlines()
    assert "stage 1:     2 of leads: Ben, Caro" in lines
    assert "stage 1:     or security after 30m: Dora" in lines
    shown = cli.jit("policy", "explain", "ana", "prod-role", "1h", "--json").json["asked"][0]
    assert (shown["need"], shown["joining_after"]) == ("2 of leads", 1800)
    assert shown["joining"] == [{"id": "dora", "name": "Dora"}]


def test_of_a_large_group_the_first_are_named_and_the_others_counted(
    cli: CliWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jitcloud.cli.advice.MOST_NAMES", 1)
    out = cli.jit("policy", "explain", "ana", "prod-write", "1h").out
    assert "stage 1:     1 of leads: Ben, and 1 more\n" in out


def test_where_nobody_is_left_to_ask_that_is_said(cli: CliWorld) -> None:
    people = (cli.folder / "people.toml").read_text()
    cli.write("people.toml", people.replace('members = ["ben", "caro"]', "members = []"))
    out = cli.jit("policy", "explain", "ana", "prod-write", "1h").out
    assert "stage 1:     1 of leads: nobody\n" in out
    assert "Too few people could approve this besides yourself" in out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nobody", "dev-read", "1h"], 4, "Nobody in the directory has the id"),
        (["ana", "dev-raed", "1h"], 4, 'Did you mean "dev-read"'),
        (["ana", "dev-read", "forever"], 2, "is not a duration"),
        (["ana", "dev-read", "1h", "--mfa", "new"], 2, "is not a duration"),
        (["ana", "dev-read", "1h", "--start", "noon"], 2, "is not an instant"),
        (["ana", "dev-read", "1h", "--start", "2027-01-01T08:00:00"], 2, "names no time zone"),
    ],
    ids=["who", "what", "duration", "mfa", "start", "zone"],
)
def test_what_cannot_be_asked_about_is_refused(
    cli: CliWorld, arguments: list[str], code: int, said: str
) -> None:
    found = cli.jit("policy", "explain", *arguments)
    assert found.code == code
    assert said in found.err


def test_a_policy_that_is_wrong_explains_nothing(cli: CliWorld) -> None:
    cli.write("policy/more.cedar", "permit (principal, action, resource);")
    for arguments in (["explain", "ana", "dev-read", "1h"], ["matrix"]):
        said = cli.jit("policy", *arguments)
        assert said.code == 6
        assert "more.cedar:1: give this rule a name" in said.err


# ── Progress ─────────────────────────────────────────────────────────────────────────────────


class Seconds:
    """A clock of which each look takes a second and a half."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.5
        return self.now


def test_progress_is_shown_after_two_seconds_and_now_and_then(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with showing(4000, quiet=False, clock=Seconds()) as advance:
        for _ in range(10):
            advance(100)
    assert capsys.readouterr().err.splitlines() == [
        "jitcloud: 200 of 4,000 looked at …",
        "jitcloud: 900 of 4,000 looked at …",
    ]
    assert progress.PATIENCE < progress.EVERY


def test_what_is_quick_shows_no_progress(capsys: pytest.CaptureFixture[str]) -> None:
    with showing(4, quiet=False, clock=lambda: 0.0) as advance:
        advance(4)
    with showing(4, quiet=True, clock=Seconds()) as advance:
        advance(1)
        advance(3)
    assert capsys.readouterr() == ("", "")


def test_on_a_terminal_there_is_a_bar_and_it_is_taken_away(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    with showing(4, quiet=False, clock=Seconds()) as advance:
        advance(1)
        advance(1)
        advance(2)
    assert "judging" in capsys.readouterr().err
    with showing(4, quiet=False, clock=lambda: 0.0) as advance:
        advance(4)
    assert capsys.readouterr().err == ""


def test_the_clock_of_these_tests_is_in_utc(cli: CliWorld) -> None:
    assert cli.time() == datetime(2026, 12, 1, 9, tzinfo=UTC)
