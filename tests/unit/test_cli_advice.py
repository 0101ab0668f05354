"""Help at the moment of asking: who could say yes, what would help, and how long could be had."""

from __future__ import annotations

from pathlib import Path

import pytest

from jitcloud.errors import Misconfigured
from jitcloud.library import Acting
from jitcloud.policy.explain import Explanation
from tests.cli_world import GLASS, POLICY, CliWorld
from tests.world import PEOPLE

PEOPLE_TOO = (
    PEOPLE
    + """
[[person]]
id = "dora"
name = "Dora"

[[person]]
id = "emil"
name = "[bold]Emil"

[groups.platform]
members = ["dora"]

[groups.security]
members = ["emil"]
"""
)

STAGES = """
@id("staged")
@approval("2 of leads then 1 of security")
@escalate("after 30m to platform")
permit (principal in Group::"developers", action == Action::"request",
        resource in Environment::"prod")
when { context.duration <= duration("1h") };
"""

CLOSED = """
@id("closed")
@because("Nobody asks today.")
forbid (principal, action == Action::"request", resource);
"""

WITH_TICKET = """
@id("needs-ticket")
@because("Production needs a ticket.")
forbid (principal, action in Action::"access", resource in Environment::"prod")
unless { context has ticket };
"""


@pytest.fixture
def cli(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CliWorld:
    return CliWorld(tmp_path, capsys, monkeypatch)


@pytest.fixture
def staged(cli: CliWorld) -> CliWorld:
    """A deployment in which production takes two stages."""
    cli.write("people.toml", PEOPLE_TOO)
    cli.write("policy/rules.cedar", STAGES)
    return cli


def after(text: str, label: str) -> list[str]:
    """What stands behind a label, line by line."""
    head = f"{label + ':':<12} "
    return [line.removeprefix(head) for line in text.splitlines() if line.startswith(head)]


# ── After an ask ─────────────────────────────────────────────────────────────────────────────


def test_an_ask_that_waits_names_everybody_whose_yes_it_takes(staged: CliWorld) -> None:
    name = staged.ask("prod-write")
    said = staged.jit("request", "prod-write", "--for", "30m", "--because", "x", by="ana")
    assert after(said.out, "stage 1") == ["2 of leads (or platform after 30m): Ben, Caro"]
    assert after(said.out, "stage 2") == ["1 of security (or platform after 30m): [bold]Emil"]
    assert after(said.out, "offered") == []
    said = staged.jit("approve", name, by="ben")
    assert after(said.out, "stage 1") == ["2 of leads (or platform after 30m): Caro"]
    assert len(after(said.out, "stage 2")) == 1
    said = staged.jit("approve", name, by="caro")
    assert after(said.out, "stage 1") == [], "that stage is done"
    assert after(said.out, "stage 2") == ["1 of security (or platform after 30m): [bold]Emil"]
    said = staged.jit("approve", name, by="emil")
    assert "state:       active\n" in said.out
    assert after(said.out, "stage 2") == []


def test_json_of_it_has_the_documented_shape(staged: CliWorld) -> None:
    ask = ("request", "prod-write", "--for", "30m", "--because", "x", "--json")
    told = staged.jit(*ask, by="ana").json
    dora = [{"id": "dora", "name": "Dora"}]
    assert told["asked"] == [
        {
            "stage": 0,
            "need": "2 of leads",
            "people": [{"id": "ben", "name": "Ben"}, {"id": "caro", "name": "Caro"}],
            "joining_after": 1800,
            "joining": dora,
            "escalates_to": "platform",
        },
        {
            "stage": 1,
            "need": "1 of security",
            "people": [{"id": "emil", "name": "[bold]Emil"}],
            "joining_after": 1800,
            "joining": dora,
            "escalates_to": "platform",
        },
    ]
    assert (told["reviewers"], told["hearing"], told["hints"]) == ([], [], [])
    assert told["offers"] == [
        {"duration": seconds, "kind": "needs-approval"} for seconds in (900, 1800, 3600)
    ]


def test_of_a_large_group_the_first_are_named_and_the_others_counted(cli: CliWorld) -> None:
    people = [f'[[person]]\nid = "p{n:02}"\nname = "P{n:02}"\n' for n in range(30)]
    ids = ", ".join(f'"p{n:02}"' for n in range(30))
    cli.write("people.toml", f"{PEOPLE}{''.join(people)}[groups.crowd]\nmembers = [{ids}]\n")
    cli.write("policy/rules.cedar", POLICY.replace('"1 of resource.owner"', '"1 of crowd"'))
    said = cli.jit("request", "prod-write", "--for", "30m", "--because", "x", by="ana")
    shown = ", ".join(f"P{n:02}" for n in range(12))
    assert after(said.out, "stage 1") == [f"1 of crowd: {shown}, and 18 more"]


def test_a_refusal_says_what_would_help_and_what_could_be_had(cli: CliWorld) -> None:
    cli.permit(WITH_TICKET)
    said = cli.jit("request", "prod-write", "--for", "5h", "--because", "x", by="ana")
    assert said.code == 3
    assert after(said.out, "policy") == ["no: Production needs a ticket. [needs-ticket]"]
    assert after(said.out, "hint") == [
        "This would be allowed within 4h with a ticket, after a yes from 1 of leads."
    ]
    assert after(said.out, "offered") == ["nothing"]
    ask = ("request", "prod-write", "--for", "5h", "--because", "x", "--json")
    told = cli.jit(*ask, by="ana").json
    assert told["hints"] == after(said.out, "hint")
    assert (told["asked"], told["offers"]) == ([], [])


def test_too_few_to_ask_are_named(cli: CliWorld) -> None:
    said = cli.jit("request", "prod-role", "--for", "30m", "--because", "x", by="ben")
    assert said.code == 3
    assert "Too few people could approve this besides yourself" in said.err
    assert after(said.out, "stage 1") == ["2 of leads: Caro"]


def test_a_no_of_a_colleague_is_followed_by_no_advice(cli: CliWorld) -> None:
    name = cli.ask("prod-write")
    said = cli.jit("deny", name, "--because", "not today", by="ben")
    assert said.code == 0
    for label in ("stage 1", "hint", "offered"):
        assert after(said.out, label) == []


def test_a_yes_that_policy_takes_no_more_is_followed_by_advice(cli: CliWorld) -> None:
    name = cli.ask("prod-write")
    cli.write("policy/rules.cedar", POLICY.replace('"4h"', '"20m"'))
    said = cli.jit("approve", name, by="ben")
    assert said.code == 3
    assert after(said.out, "offered") == ["15m after approval"]


def test_that_nothing_can_be_explained_takes_nothing_back(
    cli: CliWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> Explanation:
        raise Misconfigured("The directory does not answer.")

    monkeypatch.setattr(Acting, "advise", fails)
    said = cli.jit("request", "prod-write", "--for", "30m", "--because", "x", by="ana")
    assert (said.code, said.err) == (0, "")
    assert "state:       pending\n" in said.out
    ask = ("request", "prod-write", "--for", "30m", "--because", "x", "--json")
    assert cli.jit(*ask, by="ana").json["asked"] == []


# ── Before one ───────────────────────────────────────────────────────────────────────────────


def test_one_entry_of_the_catalog_says_how_long_and_by_whose_yes(cli: CliWorld) -> None:
    said = cli.jit("catalog", "prod-write", by="ana")
    assert (said.code, said.err) == (0, "")
    offered = ", ".join(f"{time} after approval" for time in ("15m", "30m", "1h", "2h", "4h"))
    assert said.out.splitlines() == [
        "entitlement: prod-write",
        "what:        Write in production (write in prod)",
        "for 1h:      after a yes from 1 of leads [prod-write]",
        "stage 1:     1 of leads: Ben, Caro",
        f"offered:     {offered}",
    ]
    assert cli.recorded() == (0, []), "nothing was asked for"


def test_one_entry_that_is_had_at_once(cli: CliWorld) -> None:
    assert cli.jit("catalog", "dev-read", "--for", "30m", by="ana").out.splitlines() == [
        "entitlement: dev-read",
        "what:        Read in development (read in dev)",
        "for 30m:     at once [dev-self-serve]",
        "offered:     15m, 30m, 1h, 2h, 4h, 8h",
    ]


def test_one_entry_that_is_refused_says_what_would_help(cli: CliWorld) -> None:
    said = cli.jit("catalog", "prod-role", "--for", "2h", by="ana")
    assert said.code == 0, "it was only a question"
    assert after(said.out, "hint") == [
        "This would be allowed within 1h, after a yes from 2 of leads."
    ]
    cli.permit(GLASS, CLOSED)
    said = cli.jit("catalog", "prod-role", by="ana")
    assert after(said.out, "for 1h") == ["no: Nobody asks today. [closed]"]
    glass = "This could be had at once by breaking the glass, with an incident"
    assert after(said.out, "hint") == [f"{glass}; it is reviewed afterwards."]


def test_json_of_one_entry_has_the_documented_shape(cli: CliWorld) -> None:
    told = cli.jit("catalog", "prod-write", "--json", by="ana").json
    assert told == {
        "id": "prod-write",
        "title": "Write in production",
        "cloud": "aws",
        "mechanism": "memory.session",
        "privilege": "write",
        "environment": "prod",
        "owner": "leads",
        "labels": [],
        "decision": {
            "kind": "needs-approval",
            "rules": ["prod-write"],
            "approval": [
                [
                    {
                        "count": 1,
                        "approvers": [{"kind": "group", "id": "leads"}],
                        "escalation": None,
                    }
                ]
            ],
        },
        "asked": [
            {
                "stage": 0,
                "need": "1 of leads",
                "people": [{"id": "ben", "name": "Ben"}, {"id": "caro", "name": "Caro"}],
                "joining_after": None,
                "joining": [],
                "escalates_to": None,
            }
        ],
        "reviewers": [],
        "hearing": [],
        "hints": [],
        "offers": [
            {"duration": seconds, "kind": "needs-approval"}
            for seconds in (900, 1800, 3600, 7200, 14400)
        ],
    }


def test_what_cannot_be_looked_up_is_said_so(cli: CliWorld) -> None:
    for args, by, code, message in (
        (("no-such",), "ana", 4, 'The catalog has no "no-such"'),
        (("prod-wriet",), "ana", 4, 'Did you mean "prod-write"?'),
        (("",), "ana", 4, "The catalog has no "),
        (("\x1b[31m",), "ana", 4, 'The catalog has no "\\x1b[31m"'),
        (("dev-read", "--for", "forever"), "ana", 2, "is not a duration from 1s to 30d"),
        (("dev-read",), None, 2, "Say who you are"),
        (("dev-read",), "zoe", 4, "Nobody in the directory"),
        (("dev-read", "prod-write"), "ana", 2, "unexpected extra argument"),
    ):
        said = cli.jit("catalog", *args, by=by)
        assert (said.code, said.out) == (code, "")
        assert message in said.err
        assert said.err.isascii()


def test_what_a_brake_stops_is_said_beforehand(cli: CliWorld) -> None:
    cli.permit('@id("s") permit (principal, action == Action::"stop", resource);')
    cli.jit("brake", "stop", "--everything", "--because", "a leak", by="ben")
    said = cli.jit("catalog", "dev-read", by="ana")
    stopped = "no: Activations are stopped for everything: a leak (Ben)"
    assert after(said.out, "for 1h") == [stopped]
    assert after(said.out, "offered") == ["nothing"]
    said = cli.jit("request", "prod-write", "--for", "1h", "--because", "x", by="ana")
    assert said.code == 3
    assert after(said.out, "stage 1") == [], "nobody's yes would help now"
