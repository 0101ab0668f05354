"""Policy numbers by the command line: what judges, and how one goes back on purpose."""

from __future__ import annotations

from pathlib import Path

import pytest

from jitcloud.audit import keys
from jitcloud.audit.chain import seal_controls
from jitcloud.model import BROKER, Reach, Resumed, Scope, State
from jitcloud.ports import Change, Control
from tests.cli_world import BRAKES, HOSTILE, MARKUP, POLICY, CliWorld

NEW = POLICY.replace('"1 of resource.owner"', '"2 of resource.owner"')
WHY = ("--because", "two were too many")


@pytest.fixture
def cli(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CliWorld:
    return CliWorld(tmp_path, capsys, monkeypatch)


def put(cli: CliWorld, text: str) -> None:
    cli.write("policy/rules.cedar", text)


def digest(cli: CliWorld) -> str:
    """The digest of the text that judges."""
    found: str = cli.jit("brake", "show", "--json", by="ana").json["policy"]["sha256"]
    return found


@pytest.fixture
def gone_back(cli: CliWorld) -> CliWorld:
    """A deployment whose first policy was replaced, and put back into its folder."""
    cli.ask("prod-write")
    put(cli, NEW)
    cli.ask(by="ben")
    put(cli, POLICY)
    return cli


def test_a_new_text_counts_from_the_next_decision_on_and_gets_a_number(cli: CliWorld) -> None:
    name = cli.ask("prod-write")
    assert cli.jit("show", name, "--json", by="ana").json["policy_number"] == 1
    put(cli, NEW)
    said = cli.jit("approve", name, by="ben")
    assert "waits for:   1 of leads\n" in said.out
    assert "stage 1:     2 of leads: Caro\n" in said.out
    assert cli.jit("show", name, "--json", by="ana").json["policy_number"] == 2
    assert cli.jit("brake", "show", by="ana").out.startswith("policy:      number 2, ")
    assert cli.recorded()[1] == ["adopted", "adopted"]


def test_a_text_that_was_replaced_judges_nothing_and_says_what_to_do(gone_back: CliWorld) -> None:
    cli = gone_back
    judging = digest(cli)[:12]
    before = cli.recorded()
    commands = (
        ("request", "dev-read", "--for", "5m", "--because", "x"),
        ("request", "prod-write", "--for", "5m", "--because", "x", "--json"),
        ("approve", cli.now_waiting()),
    )
    for command in commands:
        said = cli.jit(*command, by="ben")
        assert (said.code, said.out) == (6, "")
        assert "This policy text is number 1 (" in said.err
        assert f") and was replaced; policy 2 ({judging}) judges. Bring that here; " in said.err
        assert (
            "or go back to this one on purpose: jitcloud policy adopt --because TEXT." in said.err
        )
    assert cli.recorded() == before


def test_what_is_active_ends_all_the_same(cli: CliWorld) -> None:
    name, other = cli.ask(), cli.ask()
    put(cli, NEW)
    cli.ask(by="ben")
    put(cli, POLICY)
    assert cli.jit("give-back", name, by="ana").code == 0
    cli.time.forward(minutes=30)
    assert cli.jit("sweep").code == 0
    assert (cli.state(name), cli.state(other)) == (State.ENDED, State.ENDED)


def test_going_back_is_said_recorded_and_numbered_anew(gone_back: CliWorld) -> None:
    cli = gone_back
    said = cli.jit("policy", "adopt", *WHY, by="caro")
    assert (said.code, said.err) == (0, "")
    assert said.out == f"Policy 3 ({digest(cli)[:12]}) judges.\n"
    told = cli.jit("audit", "show", "controls").out.splitlines()[-1]
    assert told.startswith("3. 2026-12-01T09:00:00Z caro (unsafe-local): policy 3 judges (")
    assert "), after 2 (" in told
    assert "): “two were too many”. [signature of ed25519:" in told
    name = cli.now_waiting()
    assert "state:       active\n" in cli.jit("approve", name, by="ben").out


def test_json_of_what_was_adopted_has_the_documented_shape(gone_back: CliWorld) -> None:
    cli = gone_back
    told = cli.jit("policy", "adopt", *WHY, "--json", by="caro").json
    assert told == {"number": 3, "sha256": digest(cli)}
    assert len(told["sha256"]) == 64


def test_adopting_twice_is_adopting_once(gone_back: CliWorld) -> None:
    cli = gone_back
    said = {cli.jit("policy", "adopt", *WHY, by=by).out for by in ("caro", "ben", "caro")}
    assert len(said) == 1
    assert cli.recorded()[1] == ["adopted"] * 3


def test_adopting_what_judges_already_changes_nothing(cli: CliWorld) -> None:
    cli.ask()
    said = cli.jit("policy", "adopt", *WHY, by="ana")
    assert (said.code, said.out) == (0, f"Policy 1 ({digest(cli)[:12]}) judges.\n")
    assert cli.recorded()[1] == ["adopted"]


def test_adopting_the_first_text_by_hand_gives_it_its_number(cli: CliWorld) -> None:
    assert cli.jit("policy", "adopt", *WHY, by="ana").out.startswith("Policy 1 (")
    cli.ask()
    assert cli.recorded()[1] == ["adopted"]


def test_a_reason_is_needed_and_a_hostile_one_is_not_taken(gone_back: CliWorld) -> None:
    cli = gone_back
    before = cli.recorded()
    said = cli.jit("policy", "adopt", by="caro")
    assert (said.code, said.out) == (2, "")
    assert "Missing option '--because'" in said.err
    for text, message in HOSTILE:
        said = cli.jit("policy", "adopt", "--because", text, by="caro")
        assert (said.code, said.out) == (2, "")
        assert f"The reason {message}" in said.err
        assert said.err.isascii()
    assert cli.recorded() == before


def test_markup_in_a_reason_does_nothing(gone_back: CliWorld) -> None:
    cli = gone_back
    assert cli.jit("policy", "adopt", "--because", MARKUP, by="caro").code == 0
    assert f"“{MARKUP}”" in cli.jit("audit", "show", "controls").out


@pytest.mark.parametrize(
    ("by", "code", "message"),
    [
        (None, 2, "Say who you are"),
        ("zoe", 4, "Nobody in the directory has the id or e-mail"),
    ],
)
def test_nobody_adopts_without_a_name(
    gone_back: CliWorld, by: str | None, code: int, message: str
) -> None:
    before = gone_back.recorded()
    said = gone_back.jit("policy", "adopt", *WHY, by=by)
    assert (said.code, said.out) == (code, "")
    assert message in said.err
    assert gone_back.recorded() == before


def test_whoever_is_disabled_adopts_nothing(gone_back: CliWorld) -> None:
    cli = gone_back
    people = (cli.folder / "people.toml").read_text()
    cli.write("people.toml", people.replace('id = "caro"', 'id = "caro"\ndisabled = true'))
    said = cli.jit("policy", "adopt", *WHY, by="caro")
    assert (said.code, said.out) == (3, "")
    assert said.err == "jitcloud: Caro is disabled in the directory and cannot do this.\n"


def test_a_text_that_is_broken_is_not_adopted(gone_back: CliWorld) -> None:
    cli = gone_back
    put(cli, POLICY + "permit (")
    before = cli.recorded()
    said = cli.jit("policy", "adopt", *WHY, by="caro")
    assert (said.code, said.out) == (6, "")
    assert "this is not Cedar" in said.err
    assert cli.recorded() == before


# ── When a key was stolen ────────────────────────────────────────────────────────────────────


def stolen(cli: CliWorld) -> None:
    """Make a new key, and trust the old one no longer."""
    for file in (cli.folder / "keys").iterdir():
        file.unlink()
    keys.create(cli.folder / "keys")


def test_a_trail_by_a_key_that_is_trusted_no_longer_grants_nothing(cli: CliWorld) -> None:
    active = cli.ask("prod-role")
    stolen(cli)
    before = cli.recorded()
    for command in (
        ("request", "dev-read", "--for", "5m", "--because", "x"),
        ("policy", "adopt", *WHY),
        ("brake", "show"),
    ):
        said = cli.jit(*command, by="ben")
        assert (said.code, said.out) == (7, "")
        assert "it is signed with a key that is not trusted here" in said.err
    assert cli.recorded() == before
    assert cli.jit("revoke", active, "--because", "the key was stolen", by="ben").code == 0


def test_somebody_can_vouch_for_it_by_name_and_the_story_says_so(cli: CliWorld) -> None:
    cli.ask()
    stolen(cli)
    why = ("--because", "I have read all of it")
    said = cli.jit("policy", "adopt", "--vouch", *why, "--json", by="caro")
    assert (said.code, said.json["number"]) == (0, 2)
    told = cli.jit("audit", "show", "controls")
    assert told.code == 0, told.err
    first, second = told.out.splitlines()
    assert first.endswith("DOES NOT HOLD]")
    assert "caro (unsafe-local): policy 2 judges (" in second
    assert "“I have read all of it”. Who says so answers for all that stands before." in second
    assert second.endswith(" holds]")
    assert cli.state(cli.ask()) is State.ACTIVE
    assert "1 finding" in cli.jit("audit", "verify").out, "the request that the old key let in"


def test_what_was_written_without_a_key_stands_out_for_whoever_vouches(cli: CliWorld) -> None:
    cli.permit(BRAKES)
    cli.jit("brake", "stop", "--everything", *WHY, by="ben")
    with cli.opener(cli.folder) as jitcloud:
        ledger = jitcloud.deployment.ledger
        what = Resumed(scope=Scope(reach=Reach.EVERYTHING), reason="trust me")
        after, events = seal_controls(
            ledger.store.controls(), (what,), actor=BROKER, now=cli.time(), signer=None
        )
        ledger.store.commit(Change(control=Control(controls=after, events=events)))
    told = cli.jit("audit", "show", "controls")
    assert told.code == 7
    assert told.out.splitlines()[-1] == (
        "3. 2026-12-01T09:00:00Z jitcloud: activations go on for everything: “trust me”."
        " [NOT SIGNED]"
    )
    assert told.out.count(" holds]") == 2


def test_vouching_needs_a_reason_that_can_be_read(cli: CliWorld) -> None:
    cli.ask()
    stolen(cli)
    before = cli.recorded()
    for text, message in HOSTILE:
        said = cli.jit("policy", "adopt", "--vouch", "--because", text, by="caro")
        assert (said.code, said.out) == (2, "")
        assert f"The reason {message}" in said.err
    assert cli.recorded() == before
