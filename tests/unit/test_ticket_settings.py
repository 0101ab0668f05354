"""How a configuration says who knows tickets, and what is wrong where it does not."""

from __future__ import annotations

import tomllib
from datetime import timedelta
from pathlib import Path

import pytest

from jitcloud.adapters import tickets_of
from jitcloud.emulators.jira import JiraEmulator
from jitcloud.errors import Misconfigured
from jitcloud.settings import Settings, TicketSettings, read_settings
from jitcloud.tickets.pattern import PatternTickets
from tests.docs.pages import bare, blocks, table

JIRA = 'kind = "jira"\nurl = "https://example.atlassian.net"\n'
OPERATIONS = "docs/operations.md"


def read(folder: Path, text: str) -> Settings:
    file = folder / "jitcloud.toml"
    file.write_text(text)
    return read_settings(file)


def of(folder: Path, table_: str) -> TicketSettings:
    found = read(folder, f"[tickets]\n{table_}").tickets
    assert found is not None
    return found


def test_nobody_knows_tickets_unless_it_is_said(tmp_path: Path) -> None:
    settings = read(tmp_path, "")
    assert (settings.tickets, settings.incidents) == (None, None)


def test_tickets_and_incidents_may_be_known_by_different_systems(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        f'[tickets]\n{JIRA}token_env = "JIRA_TOKEN"\n'
        '[incidents]\nkind = "pattern"\npattern = "INC[0-9]+"\n',
    )
    assert settings.tickets is not None
    assert settings.incidents is not None
    assert "JiraTickets(Jira at example.atlassian.net)" in repr(
        tickets_of(settings.tickets, tmp_path)
    )
    incidents = tickets_of(settings.incidents, tmp_path)
    assert isinstance(incidents, PatternTickets)
    assert incidents.look("INC1") is not None


def test_a_look_takes_five_seconds_at_most_unless_it_is_said(tmp_path: Path) -> None:
    assert of(tmp_path, f'{JIRA}token_env = "T"').timeout == timedelta(seconds=5)
    assert of(tmp_path, f'{JIRA}token_env = "T"\ntimeout = "2s"').timeout == timedelta(seconds=2)


def test_what_is_configured_reaches_jira(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with JiraEmulator() as jira:
        jira.put("OPS-1")
        (tmp_path / "secrets").mkdir()
        (tmp_path / "secrets" / "token").write_text(jira.token)
        monkeypatch.setenv("JIRA_TOKEN", jira.token)
        for place in ('token_file = "secrets/token"', 'token_env = "JIRA_TOKEN"'):
            for account in (f'email = "{jira.email}"', ""):
                table_ = f'kind = "jira"\nurl = "{jira.url}"\n{place}\n{account}'
                tickets = tickets_of(of(tmp_path, table_), tmp_path)
                assert tickets.look("OPS-1") is not None
    assert [path[:11] for path in jira.asked] == ["/rest/api/3", "/rest/api/2"] * 2


def test_no_secret_is_in_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JIRA_TOKEN", "the-secret")
    settings = of(tmp_path, f'{JIRA}token_env = "JIRA_TOKEN"')
    assert "the-secret" not in repr(settings) + repr(tickets_of(settings, tmp_path))


WRONG = {
    "": "kind is missing",
    'kind = "jura"': "kind: this should be 'jira' or 'pattern'",
    'kind = "pattern"': "kind pattern needs a pattern",
    'kind = "pattern"\npattern = ""': "kind pattern needs a pattern",
    'kind = "pattern"\npattern = "A"\nurl = "https://example.org"': "has no use for url",
    'kind = "pattern"\npattern = "A"\ntimeout = "1s"': "has no use for timeout",
    f'{JIRA}token_env = "T"\npattern = "A"': "kind jira has no use for pattern",
    'kind = "jira"\ntoken_env = "T"': "kind jira needs the url",
    JIRA: "say where the token is",
    f'{JIRA}token_env = "T"\ntoken_file = "t"': "say where the token is",
    f'{JIRA}token = "hunter2-secret"': 'there is no key "token"',
    f'{JIRA}token_env = "hunter2-secret"': "write the name of a variable",
    f'{JIRA}token_env = "T"\nemail = "hunter2-secret"': "write the e-mail of the account",
    f'{JIRA}token_env = "T"\nemail = "a:hunter2-secret@b"': "write the e-mail of the account",
    f'{JIRA}token_env = "T"\ntimeout = "2m"': "write at most 1m",
    'kind = "jira"\nurl = "http://jira.example.org"\ntoken_env = "T"': "write https://",
    'kind = "jira"\nurl = "https://a:hunter2-secret@b"\ntoken_env = "T"': "take user name",
}


@pytest.mark.parametrize(("table_", "why"), WRONG.items())
def test_what_is_wrong_is_said_without_any_secret(tmp_path: Path, table_: str, why: str) -> None:
    with pytest.raises(Misconfigured, match=why) as caught:
        of(tmp_path, table_)
    assert str(caught.value).startswith("jitcloud.toml")
    assert "tickets" in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_pattern_that_cannot_be_used_is_found_before_anybody_asks(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be used"):
        tickets_of(of(tmp_path, 'kind = "pattern"\npattern = "("'), tmp_path)


# ── The page ─────────────────────────────────────────────────────────────────────────────────


def test_the_keys_on_the_page_are_those_that_are_read() -> None:
    rows = table(OPERATIONS, "key", "for", "is")
    assert [bare(row["key"]) for row in rows] == list(TicketSettings.model_fields)


def test_what_the_page_shows_is_accepted() -> None:
    shown = [
        block.text
        for block in blocks(OPERATIONS)
        if block.text.startswith(("[tickets]", "[incidents]"))
    ]
    assert len(shown) == 3
    for text in shown:
        Settings.model_validate(tomllib.loads(text))
