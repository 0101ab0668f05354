"""Whatever can be typed or written wrong: one sentence, one exit code, and nothing half-done."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import apsw
import pytest

from jitcloud.audit import keys
from jitcloud.errors import CloudRefused, OutcomeUnknown, Throttled
from jitcloud.model import State
from tests.cli_world import CATALOG, POLICY, CliWorld
from tests.world import PEOPLE


@pytest.fixture
def cli(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CliWorld:
    return CliWorld(tmp_path, capsys, monkeypatch)


UNKNOWN = "01JD8Z6N3V5E6X7Y8Z9ABCDEFG"

# ── Files ────────────────────────────────────────────────────────────────────────────────────


def rewritten(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new, 1)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("jitcloud.toml", "catalogue = 1", 'there is no key "catalogue"'),
        ("jitcloud.toml", "[trial]\nunsafe_act_as = true", 'there is no key "unsafe_act_as"'),
        ("jitcloud.toml", "[trial]\nunsafe_act_as_anyone = 1", "unsafe_act_as_anyone"),
        ("jitcloud.toml", "[patience]\ndecision = 'forever'", '"forever" is not a duration'),
        ("jitcloud.toml", "[aws]\nendpoint_url = 'https://evil.example'", "emulators on this"),
        ("jitcloud.toml", "[aws]\nsettle = '0s'", "AWS takes seconds to act on a change"),
        ("jitcloud.toml", "catalog = 'a'\ncatalog = 'b'", "this is not TOML"),
        ("jitcloud.toml", "\x00", "this is not TOML"),
        ("catalog.toml", rewritten(CATALOG, "title =", "titel ="), 'Did you mean "title"?'),
        ("catalog.toml", rewritten(CATALOG, "title =", "id = 'x'\ntitle ="), "this is not TOML"),
        ("catalog.toml", rewritten(CATALOG, "prod-write", "dev-read"), "another entitlement has"),
        ("catalog.toml", rewritten(CATALOG, "memory.session", "memory.sesion"), "Did you mean"),
        ("catalog.toml", "", "it lists nothing"),
        ("people.toml", rewritten(PEOPLE, "emails", "email"), 'Did you mean "emails"?'),
        ("people.toml", rewritten(PEOPLE, "ben@example.com", "ANA@example.com"), "is already an"),
        ("people.toml", rewritten(PEOPLE, '"ben", "caro"]', '"bent"]'), 'Did you mean "ben"?'),
        ("policy/rules.cedar", rewritten(POLICY, "developers", "develpers"), "Did you mean"),
        ("policy/rules.cedar", rewritten(POLICY, "@approval", "@aproval"), "means nothing here"),
        ("policy/rules.cedar", rewritten(POLICY, "prod-write", "prod-admin"), "of this @id too"),
        ("policy/rules.cedar", POLICY + "permit (", "this is not Cedar"),
        ("policy/rules.cedar", "", "has no rule"),
    ],
)
def test_a_file_that_is_wrong_is_said_so_by_every_command(
    cli: CliWorld, file: str, text: str, message: str
) -> None:
    cli.write(file, text)
    said = cli.jit("check")
    assert said.code == 1
    assert message in said.out
    said = cli.jit("request", "dev-read", "--for", "5m", "--because", "x", by="ana")
    assert (said.code, said.out) == (6, "")
    assert message in said.err
    assert "Traceback" not in said.err


@pytest.mark.parametrize(
    "file", ["jitcloud.toml", "catalog.toml", "people.toml", "policy/rules.cedar"]
)
def test_a_file_that_is_missing_or_no_text_is_said_so(cli: CliWorld, file: str) -> None:
    (cli.folder / file).write_bytes(b"\xff\xfe")
    assert cli.jit("check").code == 1
    (cli.folder / file).unlink()
    said = cli.jit("check")
    assert said.code == 1
    assert said.out


# ── What is asked for ────────────────────────────────────────────────────────────────────────


def ask(cli: CliWorld, by: str = "ana", **changes: str) -> tuple[int, str]:
    said = {"what": "dev-read", "for": "30m", "because": "testing", **changes}
    args = [word for name in said if name != "what" for word in (f"--{name}", said[name])]
    ended = cli.jit("request", said["what"], *args, by=by)
    return ended.code, ended.err


@pytest.mark.parametrize(
    "unknown", ["dev-reed", "", "x" * 10_000, "\x1b[31m", "../dev-read", "Dev-Read"]
)
def test_an_unknown_entitlement_is_not_found(cli: CliWorld, unknown: str) -> None:
    code, err = ask(cli, what=unknown)
    assert code == 4
    assert err.startswith("jitcloud: The catalog has no ")
    assert len(err) < 300


@pytest.mark.parametrize("unknown", ["zoe", "zoe@example.com", "leads", "x" * 10_000, "\x1b[31m"])
def test_an_unknown_person_is_not_found(cli: CliWorld, unknown: str) -> None:
    code, err = ask(cli, by=unknown)
    assert code == 4
    assert err.startswith("jitcloud: Nobody in the directory has the id or e-mail ")
    assert "\x1b" not in err


def test_an_email_in_other_case_names_the_same_person(cli: CliWorld) -> None:
    assert ask(cli, by="ANA@Example.COM")[0] == 0
    assert cli.jit("list", "--json", by="ana").json["requests"][0]["person"] == "ana"


@pytest.mark.parametrize(
    "duration",
    [
        "0",
        "0s",
        "0h0m",
        "-5m",
        "3 dys",
        "forever",
        "1e9h",
        "",
        " ",
        "30",
        "30M",
        "1m1h",
        "31d",
        "∞",
        "٣m",
        "9" * 5000 + "h",
    ],
)
def test_a_duration_that_is_none_is_not_understood(cli: CliWorld, duration: str) -> None:
    code, err = ask(cli, **{"for": duration})
    assert code == 2
    assert "is not a duration from 1s to 30d; write" in err
    assert len(err) < 300


def test_a_duration_over_the_limit_is_refused_and_recorded(cli: CliWorld) -> None:
    code, err = ask(cli, **{"for": "8h1m"})
    assert code == 3
    assert "try a shorter time" in err
    assert len(cli.jit("list", "--state", "denied", "--json", by="ana").json["requests"]) == 1


def test_a_duration_longer_than_the_role_allows_is_refused_with_the_reason(cli: CliWorld) -> None:
    code, err = ask(cli, **{"for": "7h"})
    assert code == 3
    assert "The role gives 6h at most; ask for less." in err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        ("\u2003\u00a0", "is empty"),
        ("x" * (1024 * 1024), "has 1048576 characters"),
        ("a\x1b[31mb", "contains U+001B"),
        ("a\nb", "contains U+000A"),
        ("a\rb", "contains U+000D"),
        ("a\x00b", "contains U+0000"),
        ("a\u202eb", "contains U+202E"),
        ("a\u200fb", "contains U+200F"),
        ("a\u2028b", "contains U+2028"),
        ("a\udcffb", "contains U+DCFF"),
    ],
)
@pytest.mark.parametrize("option", ["because", "ticket", "incident"])
def test_text_that_hides_or_overflows_is_not_taken(
    cli: CliWorld, option: str, text: str, message: str
) -> None:
    code, err = ask(cli, **{option: text})
    assert code == 2
    assert message in err
    assert len(err) < 300
    assert err.isascii()
    assert cli.jit("list", "--json", by="ana").json["requests"] == []


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ("tomorrow", "is not an instant"),
        ("", "is not an instant"),
        ("2026-12-01T25:00:00Z", "is not an instant"),
        ("9999-12-31T23:59:59Z", "is not an instant"),
        ("0001-01-01T00:00:00+14:00", "is not an instant"),
        ("2026-12-01T10:00:00", "names no time zone"),
        ("2026-12-01T10:00:00[Europe/Berln]", 'Did you mean "Europe/Berlin"?'),
        ("2027-03-28T02:30:00[Europe/Berlin]", "does not exist in Europe/Berlin"),
        ("2026-12-01T09:59:59[Europe/Berlin]", "lies in the past"),
        ("2026-12-01T08:59:59Z", "lies in the past"),
        ("1970-01-01T00:00:00Z", "lies in the past"),
    ],
)
def test_a_start_that_is_none_is_not_understood(cli: CliWorld, start: str, message: str) -> None:
    code, err = ask(cli, start=start)
    assert code == 2
    assert message in err


# ── Which request ────────────────────────────────────────────────────────────────────────────

COMMANDS: list[tuple[str, ...]] = [
    ("show",),
    ("approve",),
    ("deny", "--because", "x"),
    ("withdraw",),
    ("give-back",),
    ("revoke", "--because", "x"),
    ("credentials",),
    ("env",),
    ("exec", "--", "true"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_an_unknown_or_malformed_request_is_said_so(
    cli: CliWorld, command: tuple[str, ...]
) -> None:
    verb, *more = command
    said = cli.jit(verb, UNKNOWN, *more, by="ana")
    assert (said.code, said.out) == (4, "")
    assert UNKNOWN in said.err
    for malformed in ("x", "", UNKNOWN.lower(), UNKNOWN + "0", "8" + UNKNOWN[1:], "\x1b" * 26):
        said = cli.jit(verb, malformed, *more, by="ana")
        assert (said.code, said.out) == (2, "")
        assert "is not a request id; copy all 26 characters" in said.err


@pytest.mark.parametrize("verb", ["withdraw", "give-back", "credentials", "env"])
def test_a_foreign_request_is_not_found(cli: CliWorld, verb: str) -> None:
    name = cli.ask("prod-write") if verb == "withdraw" else cli.granted()
    before = cli.now(name)
    said = cli.jit(verb, name, by="caro")
    assert (said.code, said.out) == (4, "")
    assert "You have no request" in said.err
    assert cli.now(name) == before


# ── Votes and credentials at the wrong time, or by the wrong person ──────────────────────────


def asked(cli: CliWorld) -> str:
    return cli.ask("prod-write")


def voted(cli: CliWorld) -> str:
    name = cli.ask("prod-role")
    cli.jit("approve", name, by="ben")
    return name


def lapsed(cli: CliWorld) -> str:
    name = asked(cli)
    cli.time.forward(days=2)
    return name


def swept(cli: CliWorld) -> str:
    name = lapsed(cli)
    cli.jit("sweep")
    return name


def withdrawn(cli: CliWorld) -> str:
    name = asked(cli)
    cli.jit("withdraw", name, by="ana")
    return name


def ended(cli: CliWorld) -> str:
    name = cli.granted()
    cli.jit("give-back", name, by="ana")
    return name


def over(cli: CliWorld) -> str:
    name = cli.granted()
    cli.time.forward(minutes=30)
    return name


def scheduled(cli: CliWorld) -> str:
    return cli.ask("dev-read", "--start", "2026-12-01T12:00:00Z")


@pytest.mark.parametrize(
    ("before", "verb", "by", "message"),
    [
        (asked, "approve", "ana", "cannot approve"),
        (asked, "approve", "zed", "You are not among the people asked"),
        (voted, "approve", "ben", "already approved"),
        (lapsed, "approve", "ben", "was not decided in time"),
        (swept, "approve", "ben", "no longer waits for votes"),
        (withdrawn, "approve", "ben", "no longer waits for votes"),
        (ended, "approve", "ben", "no longer waits for votes"),
        (asked, "give-back", "ana", "withdraw it instead"),
        (ended, "withdraw", "ana", ""),
        (asked, "credentials", "ana", "still waits for approval"),
        (scheduled, "credentials", "ana", "is not active yet"),
        (withdrawn, "credentials", "ana", "gives no access: it is withdrawn"),
        (ended, "credentials", "ana", "gives no access: it is end"),
        (over, "credentials", "ana", "has reached its deadline"),
    ],
    ids=range(14),
)
def test_what_comes_too_early_too_late_or_from_the_wrong_person_is_refused(
    cli: CliWorld, before: Callable[[CliWorld], str], verb: str, by: str, message: str
) -> None:
    zed = '\n[[person]]\nid = "zed"\nname = "Zed"\n'
    cli.write("people.toml", PEOPLE.replace("[groups.developers]", f"{zed}\n[groups.developers]"))
    name = before(cli)
    said = cli.jit(verb, name, by=by)
    assert (said.code, said.out) == (3, "")
    assert message in said.err
    assert said.err.count("\n") == 1
    assert cli.sessions.issued == 0


def test_credentials_too_near_the_deadline_are_refused(cli: CliWorld) -> None:
    name = cli.granted()
    cli.time.forward(minutes=29, seconds=55)
    said = cli.jit("credentials", name, by="ana")
    assert said.code == 3
    assert "too soon to issue credentials" in said.err


# ── The record, the key and the clock ────────────────────────────────────────────────────────


def record(cli: CliWorld) -> Path:
    path = cli.folder / "jitcloud.db"
    assert path.exists()
    return path


def test_a_locked_record_is_said_to_be_locked(
    cli: CliWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli.ask()
    monkeypatch.setattr(
        "jitcloud.stores.sqlite.SqliteStore.__init__.__kwdefaults__",
        {"patience": timedelta(milliseconds=50)},
    )
    connection = apsw.Connection(str(record(cli)))
    connection.execute("BEGIN EXCLUSIVE")
    said = cli.jit("request", "dev-read", "--for", "5m", "--because", "x", "--json", by="ana")
    connection.execute("ROLLBACK")
    connection.close()
    assert said.code == 6
    assert said.error["kind"] == "Unavailable"
    assert "is locked by another process: wait, then try again." in said.error["message"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to anything")
def test_a_record_that_may_not_be_written_is_said_so(cli: CliWorld) -> None:
    cli.ask()
    record(cli).chmod(0o400)
    said = cli.jit("list", by="ana")
    assert said.code == 6
    assert "cannot be opened for writing" in said.err


def test_a_record_of_a_newer_jitcloud_is_left_alone(cli: CliWorld) -> None:
    cli.ask()
    connection = apsw.Connection(str(record(cli)))
    connection.pragma("user_version", 99)
    connection.close()
    said = cli.jit("list", by="ana")
    assert said.code == 6
    assert "has schema version 99" in said.err
    assert "upgrade jitcloud" in said.err


@pytest.mark.parametrize("left", [0, 100, 5000])
def test_a_record_that_was_cut_is_said_to_be_damaged(cli: CliWorld, left: int) -> None:
    cli.ask()
    path = record(cli)
    for extra in ("-wal", "-shm"):
        path.with_name(path.name + extra).unlink(missing_ok=True)
    path.write_bytes(path.read_bytes()[:left])
    said = cli.jit("list", by="ana")
    assert said.code == 6
    assert "restore it from a backup" in said.err


def test_a_missing_signing_key_is_said_so_with_what_to_do(cli: CliWorld) -> None:
    (cli.folder / "keys" / "signing-key.pem").unlink()
    said = cli.jit("list", by="ana")
    assert said.code == 6
    assert "`jitcloud init --key`" in said.err


def test_a_signing_key_that_others_may_read_is_not_used(cli: CliWorld) -> None:
    (cli.folder / "keys" / "signing-key.pem").chmod(0o644)
    said = cli.jit("list", by="ana")
    assert said.code == 6
    assert "chmod 600" in said.err


def test_nothing_is_granted_on_what_anothers_key_signed(cli: CliWorld) -> None:
    name = cli.ask("prod-write")
    for path in (cli.folder / "keys").iterdir():
        path.unlink()
    keys.create(cli.folder / "keys")
    said = cli.jit("approve", name, by="ben")
    assert said.code == 7
    assert "a key that is not trusted here" in said.err
    assert cli.state(name) is State.PENDING
    # Ending is never gated on a signature.
    assert cli.jit("withdraw", name, by="ana").code == 0


def test_nothing_is_granted_while_the_clock_is_set_back(cli: CliWorld) -> None:
    name = cli.ask("prod-write")
    cli.time.forward(minutes=-5)
    said = cli.jit("approve", name, by="ben")
    assert said.code == 6
    assert "The clock of this machine is 300 s behind the record" in said.err
    assert cli.jit("withdraw", name, by="ana").code == 0


# ── What a cloud says ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "error",
    [
        Throttled("AWS is asked too much; try again."),
        OutcomeUnknown("AWS has not answered in time; try again."),
        CloudRefused("AWS does not let jitcloud assume the role; check its trust policy."),
    ],
    ids=["throttled", "timed out", "refused"],
)
def test_a_cloud_that_does_not_do_as_told_is_said_so(cli: CliWorld, error: Exception) -> None:
    name = cli.granted()
    cli.sessions.faults.append(error)
    said = cli.jit("credentials", name, by="ana")
    assert (said.code, said.out) == (8, "")
    assert said.err == f"jitcloud: {error}\n"
    cli.sessions.faults.append(error)
    said = cli.jit("credentials", name, "--json", by="ana")
    assert said.error == {"kind": type(error).__name__, "message": str(error)}
    assert re.search("AKIA", cli.jit("credentials", name, by="ana").out)
