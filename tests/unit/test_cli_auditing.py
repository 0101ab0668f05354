from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import apsw
import pytest

from jitcloud.audit import keys
from tests.cli_world import CliWorld


@pytest.fixture
def cli(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CliWorld:
    return CliWorld(tmp_path, capsys, monkeypatch)


def edit(cli: CliWorld, sql: str) -> None:
    """Edit the record behind jitcloud's back, as whoever has the file can."""
    connection = apsw.Connection(str(cli.folder / "jitcloud.db"))
    connection.execute(sql)
    connection.close()


# ── show ─────────────────────────────────────────────────────────────────────────────────────


def test_the_story_of_a_grant_reads_from_the_top(cli: CliWorld) -> None:
    name = cli.granted()
    cli.jit("credentials", name, by="ana")
    cli.time.forward(minutes=1)
    cli.jit("give-back", name, "--because", "done", by="ana")
    cli.time.forward(hours=1)
    cli.jit("sweep")
    policy = cli.now(name).policy
    assert policy is not None
    key = keys.load(cli.folder / "keys")[0].key
    signed = f"[signature of {key} holds]"
    judged = f"(policy 1, {policy.sha256[:12]})"
    said = cli.jit("audit", "show", name)
    assert said.code == 0
    assert said.out.splitlines() == [
        (
            "1. 2026-12-01T09:00:00Z ana (unsafe-local): ana asks for prod-write, Write in"
            " production, which is write in prod, for 30m: “testing”."
        ),
        (
            "2. 2026-12-01T09:00:00Z ana (unsafe-local): policy wants a yes from 1 of leads until"
            f" 2026-12-02T09:00:00Z [prod-write]. {judged} {signed}"
        ),
        f"3. 2026-12-01T09:00:00Z ben (unsafe-local): said yes (stage 1). {signed}",
        (
            "4. 2026-12-01T09:00:00Z ben (unsafe-local): the yeses meet what is asked, 1 of leads"
            f" [prod-write]. {judged} {signed}"
        ),
        (
            "5. 2026-12-01T09:00:00Z jitcloud: the window is fixed, 2026-12-01T09:00:00Z to"
            " 2026-12-01T09:30:00Z; its end is held by the cloud itself, even if jitcloud is dead."
            f" Would leave: A set lives on until the deadline. {judged}"
        ),
        "6. 2026-12-01T09:00:00Z jitcloud: access was there, as seen 2026-12-01T09:00:00Z.",
        (
            "7. 2026-12-01T09:00:00Z ana (unsafe-local): set 1 of credentials is about to be made;"
            " the cloud forgets it by 2026-12-01T09:15:10Z."
        ),
        (
            "8. 2026-12-01T09:01:00Z ana (unsafe-local): access is to end: its holder gave it back:"
            " “done”."
        ),
        (
            "9. 2026-12-01T10:01:00Z jitcloud: access has ended; the deadline that the cloud itself"
            " enforces has passed, 2026-12-01T10:01:00Z."
        ),
    ]


def test_the_story_of_requests_that_came_to_nothing(cli: CliWorld) -> None:
    refused = cli.ask("dev-read", "--ticket", "T-1", "--start", "2026-12-01T10:00:00Z")
    cli.time.forward(hours=2)
    cli.jit("sweep")
    denied, withdrawn = cli.ask("prod-write"), cli.ask("prod-write")
    cli.jit("deny", denied, "--because", "no", by="ben")
    cli.jit("withdraw", withdrawn, by="ana")
    assert "from 2026-12-01T10:00:00Z, ticket T-1" in cli.jit("audit", "show", refused).out
    assert "the request lapsed" in cli.jit("audit", "show", refused).out
    assert "ben (unsafe-local): said no: “no”." in cli.jit("audit", "show", denied).out
    assert "the request was withdrawn." in cli.jit("audit", "show", withdrawn).out


def test_the_story_as_json_carries_every_event_and_its_proof(cli: CliWorld) -> None:
    name = cli.ask()
    shown = cli.jit("audit", "show", name, "--json").json
    assert (shown["request"], shown["holds"], shown["trouble"]) == (name, True, "")
    first, second, *_ = shown["events"]
    assert first["seq"] == 1
    assert first["what"]["type"] == "asked"
    assert first["signature"] is None
    assert second["what"]["decision"]["rules"] == ["dev-self-serve"]
    assert second["signature"]["holds"] is True
    assert second["prev"] == first["hash"]
    assert second["said"].startswith("policy lets them in at once")


def test_a_forged_decision_is_shown_for_what_it_is(cli: CliWorld) -> None:
    name = cli.ask("prod-write")
    edit(cli, "UPDATE events SET text = replace(text, 'prod-write', 'prod-wrote') WHERE seq = 2")
    said = cli.jit("audit", "show", name)
    assert said.code == 7
    assert "DOES NOT HOLD" in said.out
    assert "Event 2" in said.err
    said = cli.jit("audit", "show", name, "--json")
    assert said.code == 7
    assert said.json["holds"] is False
    assert said.json["events"][1]["signature"]["holds"] is False
    assert said.error["kind"] == "Tampered"


def test_an_unknown_request_has_no_story(cli: CliWorld) -> None:
    cli.ask()
    unknown = "01JD8Z6N3V5E6X7Y8Z9ABCDEFG"
    for command in ("show", "verify", "export"):
        assert cli.jit("audit", command, unknown).code == 4
        assert cli.jit("audit", command, "nonsense").code == 2


def test_auditing_needs_neither_policy_nor_the_signing_key(cli: CliWorld) -> None:
    name = cli.ask()
    for path in ("catalog.toml", "people.toml", "policy/rules.cedar", "keys/signing-key.pem"):
        (cli.folder / path).unlink()
    assert cli.jit("audit", "show", name).code == 0
    assert cli.jit("audit", "verify").code == 0
    assert cli.jit("audit", "export").code == 0


# ── verify ───────────────────────────────────────────────────────────────────────────────────


def test_verify_says_what_it_read_and_what_it_cannot_see(cli: CliWorld) -> None:
    cli.granted()
    cli.ask()
    said = cli.jit("audit", "verify")
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(
        "2 requests with 11 events were read and 5 signatures checked: all of it holds.\n"
        "What this cannot see:\n- A request that was deleted whole"
    )


def test_verify_as_json(cli: CliWorld) -> None:
    name = cli.ask("prod-write")
    shown = cli.jit("audit", "verify", name, "--json").json
    assert shown == {
        "holds": True,
        "requests": 1,
        "events": 2,
        "signed": 1,
        "findings": [],
        "unseen": shown["unseen"],
    }
    edit(cli, "UPDATE requests SET body = replace(body, 'pending', 'scheduled')")
    said = cli.jit("audit", "verify", name, "--json")
    assert said.code == 1
    assert said.json["holds"] is False
    (finding,) = said.json["findings"]
    assert finding["where"] == name
    assert "(state)" in finding["message"]


def test_one_finding_hides_no_other(cli: CliWorld) -> None:
    names = [cli.ask("prod-write"), cli.ask("prod-write"), cli.ask("prod-write")]
    for name in names[:2]:
        edit(cli, f"UPDATE events SET hash = '0' WHERE request = '{name}' AND seq = 2")  # noqa: S608 - our own id
    said = cli.jit("audit", "verify")
    assert said.code == 1
    assert "3 requests" in said.out
    assert ": 2 findings." in said.out
    assert all(name in said.out for name in names[:2])
    assert names[2] not in said.out


def test_an_overdue_grant_is_a_finding(cli: CliWorld) -> None:
    name = cli.granted()
    cli.time.forward(minutes=30, seconds=59)
    assert cli.jit("audit", "verify").code == 0
    cli.time.forward(seconds=1)
    said = cli.jit("audit", "verify")
    assert said.code == 1
    assert f"{name}: It is still active 60 s after its deadline" in said.out


def test_a_request_that_nothing_will_wake_is_a_finding(cli: CliWorld) -> None:
    name = cli.granted()
    edit(cli, "UPDATE requests SET wake_at = NULL")
    said = cli.jit("audit", "verify")
    assert said.code == 1
    assert f"{name}: It is active, and nothing will ever wake it" in said.out
    assert cli.jit("revoke", name, "--because", "as it says", by="ben").code == 0
    assert cli.jit("audit", "verify").code == 0


def test_on_a_terminal_verify_counts(cli: CliWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jitcloud.cli.auditing.SHOW_PROGRESS_EVERY", 2)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    cli.ask()
    cli.ask()
    assert cli.jit("audit", "verify").code == 0


# ── export ───────────────────────────────────────────────────────────────────────────────────


def test_an_export_verifies_far_from_the_record(cli: CliWorld, tmp_path: Path) -> None:
    cli.granted()
    cli.ask()
    exported = cli.jit("audit", "export").out
    lines = [json.loads(line) for line in exported.splitlines()]
    assert len(lines) == 11
    assert all(sorted(line) == ["event", "hash", "signature"] for line in lines)
    (tmp_path / "export.jsonl").write_text(exported)
    (tmp_path / "believed").mkdir()
    (public,) = (cli.folder / "keys").glob("*.pub.pem")
    (tmp_path / "believed" / public.name).write_bytes(public.read_bytes())
    offline = ("--file", str(tmp_path / "export.jsonl"), "--keys", str(tmp_path / "believed"))
    (cli.folder / "jitcloud.db").unlink()
    said = cli.jit("audit", "verify", *offline)
    assert said.code == 0
    assert said.out.startswith("2 requests with 11 events were read and 5 signatures checked")
    assert "Whether the record, and the clouds, say the same as this file." in said.out


def test_an_export_of_one_request_holds_that_alone(cli: CliWorld) -> None:
    name, _ = cli.ask("prod-write"), cli.ask("prod-write")
    lines = cli.jit("audit", "export", name).out.splitlines()
    assert [json.loads(line)["event"]["request"] for line in lines] == [name, name]


def test_an_export_is_read_from_standard_input_too(
    cli: CliWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.ask()
    exported = cli.jit("audit", "export").out
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(exported.encode())))
    assert cli.jit("audit", "verify", "--file", "-", "--keys", str(cli.folder / "keys")).code == 0


def test_an_export_believed_by_the_wrong_key_does_not_hold(cli: CliWorld, tmp_path: Path) -> None:
    cli.ask()
    (tmp_path / "export.jsonl").write_text(cli.jit("audit", "export").out)
    keys.create(tmp_path / "others")
    offline = ("--file", str(tmp_path / "export.jsonl"), "--keys", str(tmp_path / "others"))
    said = cli.jit("audit", "verify", *offline)
    assert said.code == 1
    assert "a key that is not trusted here" in said.out


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--file", "x"], 2, "with both --file and --keys"),
        (["--keys", "x"], 2, "with both --file and --keys"),
        (["01JD8Z6N3V5E6X7Y8Z9ABCDEFG", "--file", "x", "--keys", "y"], 2, "without a request"),
        (["--file", "/dev/null", "--keys", "/no-such-folder"], 6, "There is no public key"),
    ],
)
def test_what_an_export_is_verified_with_must_make_sense(
    cli: CliWorld, options: list[str], code: int, message: str
) -> None:
    said = cli.jit("audit", "verify", *options)
    assert said.code == code
    assert message in said.err


def test_a_file_that_is_not_there_is_told(cli: CliWorld) -> None:
    keys_folder = str(cli.folder / "keys")
    said = cli.jit("audit", "verify", "--file", "/no/such\x1b", "--keys", keys_folder)
    assert said.code == 2
    assert said.err == "jitcloud: /no/such\\x1b cannot be read: No such file or directory.\n"
