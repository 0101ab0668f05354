"""How a configuration says where mail goes, and what is wrong where it does not."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from jitcloud.adapters import notifier_of
from jitcloud.errors import Misconfigured, Unavailable
from jitcloud.notifiers.smtp import SmtpNotifier
from jitcloud.settings import MailSettings, Settings, read_settings
from tests.contract.notifiers import NOTICE
from tests.contract.notifiers.mailbox import serving
from tests.docs.pages import bare, blocks, table
from tests.factories import NOW

MAIL = 'host = "smtp.example.com"\nfrom_address = "jitcloud@example.com"\n'
LOCAL = 'host = "127.0.0.1"\ntls = "none"\nfrom_address = "jitcloud@example.com"\n'
OPERATIONS = "docs/operations.md"


def read(folder: Path, table_: str) -> Settings:
    file = folder / "jitcloud.toml"
    file.write_text(f"[mail]\n{table_}")
    return read_settings(file)


def of(folder: Path, table_: str) -> SmtpNotifier:
    notifier = notifier_of(read(folder, table_), folder, lambda: NOW)
    assert isinstance(notifier, SmtpNotifier)
    return notifier


def test_nobody_is_told_unless_it_is_said(tmp_path: Path) -> None:
    assert notifier_of(Settings(), tmp_path, lambda: NOW) is None


@pytest.mark.parametrize(
    ("said", "port"),
    [("", 587), ('tls = "implicit"', 465), ("port = 2525", 2525), ('tls = "starttls"', 587)],
)
def test_the_port_is_the_usual_one_unless_it_is_said(tmp_path: Path, said: str, port: int) -> None:
    assert of(tmp_path, f"{MAIL}{said}\n").server.port == port


def test_what_is_configured_reaches_a_mail_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", "open-sesame")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "mail").write_text("open-sesame\n")
    with serving(auth_require_tls=False) as mailbox:
        for place in ('password_file = "secrets/mail"', 'password_env = "MAIL_PASSWORD"'):
            account = f'username = "jitcloud"\n{place}'
            of(tmp_path, f"{LOCAL}port = {mailbox.port}\n{account}").send(NOTICE)
    assert mailbox.logins == [("jitcloud", "open-sesame")] * 2
    assert [mail.sender for mail in mailbox.taken] == ["jitcloud@example.com"] * 2
    assert mailbox.taken[0].parsed["From"] == "jitcloud <jitcloud@example.com>"


def test_a_password_that_is_not_there_stops_nothing_but_mail(tmp_path: Path) -> None:
    notifier = of(tmp_path, f'{MAIL}username = "a"\npassword_env = "NO_SUCH_VARIABLE"')
    with pytest.raises(Unavailable, match="NO_SUCH_VARIABLE"):
        notifier.send(NOTICE)


def test_no_secret_is_in_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", "the-secret")
    account = f'{MAIL}username = "a"\npassword_env = "MAIL_PASSWORD"'
    assert "the-secret" not in repr(read(tmp_path, account)) + repr(of(tmp_path, account))


WRONG = {
    "": "host is missing",
    'host = "smtp.example.com"': "from_address is missing",
    MAIL.replace("smtp.example.com", "smtp.example.com:25"): "name of a mail server alone",
    MAIL.replace("smtp.example.com", "smtps://hunter2@example.com"): "name of a mail server alone",
    MAIL.replace("jitcloud@", "hunter2 <jitcloud@"): "write one e-mail address alone",
    MAIL.replace("jitcloud@", "jit..cloud@"): "write one e-mail address alone",
    MAIL.replace("jitcloud@example.com", "hunter2"): "write one e-mail address alone",
    f'{MAIL}from_name = "a\\r\\nBcc: b@c"': "from_name: The name contains U.000D",
    f"{MAIL}port = 0": "mail.port",
    f"{MAIL}port = 65536": "mail.port",
    f'{MAIL}tls = "perhaps"': "'starttls', 'implicit' or 'none'",
    f'{MAIL}tls = "none"': "for a relay on this machine",
    f'{MAIL}timeout = "2m"': "write at most 1m",
    f'{MAIL}timeout = "forever"': "is not a duration",
    f'{MAIL}username = "a"': "a username goes with its password",
    f'{MAIL}password_env = "P"': "a username goes with its password",
    f'{MAIL}username = "a"\npassword_env = "P"\npassword_file = "p"': "goes with its password",
    f'{MAIL}username = "a"\npassword = "hunter2"': 'there is no key "password"',
    f'{MAIL}username = "a"\npassword_env = "hunter2"': "write the name of a variable",
}


@pytest.mark.parametrize(("table_", "why"), WRONG.items())
def test_what_is_wrong_is_said_without_any_secret(tmp_path: Path, table_: str, why: str) -> None:
    with pytest.raises(Misconfigured, match=why) as caught:
        read(tmp_path, table_)
    assert str(caught.value).startswith("jitcloud.toml")
    assert "mail" in str(caught.value)
    assert "hunter2" not in str(caught.value)


# ── The page ─────────────────────────────────────────────────────────────────────────────────


def test_the_keys_on_the_page_are_those_that_are_read() -> None:
    rows = table(OPERATIONS, "key of `[mail]`", "unless said", "is")
    assert [bare(row["key of `[mail]`"]) for row in rows] == list(MailSettings.model_fields)


def test_what_the_page_shows_is_accepted() -> None:
    (shown,) = (block.text for block in blocks(OPERATIONS) if block.text.startswith("[mail]"))
    Settings.model_validate(tomllib.loads(shown))
