"""What a person's own settings file may say, and what beats it."""

from __future__ import annotations

from pathlib import Path

import pytest

from jitcloud.errors import Misconfigured
from jitcloud.signing_in.client_settings import ApiSettings, file_of, read_client_settings

OIDC = """
[api]
url = "https://access.example.com/"
sign_in = "oidc"
issuer = "https://login.example.com/tenant/"
client_id = "jitcloud"
"""

AWS = """
[api]
url = "https://access.example.com"
sign_in = "aws"
audience = "acme-prod"
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".config/jitcloud").mkdir(parents=True)
    return tmp_path


def read(
    home: Path,
    text: str | None,
    options: dict[str, object] | None = None,
    *,
    api: str = "",
) -> ApiSettings | None:
    environment = {"HOME": str(home), "JITCLOUD_API": api}
    if text is not None:
        file_of(environment).write_text(text)
    return read_client_settings(environment, options)


def wrong(home: Path, text: str, *, api: str = "") -> str:
    with pytest.raises(Misconfigured) as caught:
        read(home, text, api=api)
    return str(caught.value)


def test_without_a_word_of_an_api_there_is_none(home: Path) -> None:
    assert read(home, None) is None
    assert read(home, "") is None
    assert read(home, "[api]") is None


def test_somebody_signs_in_with_oidc(home: Path) -> None:
    settings = read(home, OIDC)
    assert settings is not None
    assert settings.url == "https://access.example.com"
    client = settings.client()
    assert (client.issuer, client.client_id) == ("https://login.example.com/tenant/", "jitcloud")
    assert client.scopes == ("openid", "email", "offline_access")
    assert client.redirect_port == 0


def test_somebody_signs_in_with_aws(home: Path) -> None:
    settings = read(home, f'{AWS}region = "eu-central-1"\nprofile = "work"')
    assert settings is not None
    assert (settings.audience, settings.region, settings.profile) == (
        "acme-prod",
        "eu-central-1",
        "work",
    )


def test_the_environment_beats_the_file_and_options_beat_both(home: Path) -> None:
    settings = read(home, OIDC, api="https://other.example.com")
    assert settings is not None
    assert settings.url == "https://other.example.com"
    options: dict[str, object] = {"url": "https://third.example.com", "client_id": None}
    settings = read(home, OIDC, options, api="https://other.example.com")
    assert settings is not None
    assert (settings.url, settings.client_id) == ("https://third.example.com", "jitcloud")


def test_options_alone_are_enough(home: Path) -> None:
    options: dict[str, object] = {"sign_in": "aws", "audience": "acme"}
    settings = read(home, None, options, api="http://127.0.0.1:8000")
    assert settings is not None
    assert (settings.url, settings.audience) == ("http://127.0.0.1:8000", "acme")


def test_the_file_is_where_the_desktop_says(tmp_path: Path) -> None:
    home = {"HOME": "/home/ana"}
    assert file_of(home) == Path("/home/ana/.config/jitcloud/client.toml")
    elsewhere = home | {"XDG_CONFIG_HOME": str(tmp_path)}
    assert file_of(elsewhere) == tmp_path / "jitcloud/client.toml"
    assert file_of(home | {"XDG_CONFIG_HOME": "relative"}) == file_of(home)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('url = "https://access.example.com/"', ""), "[api]: url is missing"),
        (("https://access", "http://access"), "[api]: url: write https://"),
        (('example.com/"', 'example.com/v1"'), "without /v1"),
        (('example.com/"', 'example.com/?a=b"'), "take ? and what follows it out"),
        (("https://access", "https://ana:secret@access"), "take user name, password"),
        (("https://login", "http://login"), "[api]: issuer: write https://"),
        (("tenant/", "tenant?x"), "an issuer has no ?"),
        (('"oidc"', '"saml"'), "[api]: sign_in: this should be 'oidc' or 'aws'"),
        (('client_id = "jitcloud"', ""), 'sign_in "oidc" needs client_id'),
        (('"jitcloud"', '"two words"'), "client_id: write the id of a client"),
        (('"jitcloud"', '"x"\naudience = "y"'), 'sign_in "oidc" has no use for audience'),
        (('"jitcloud"', '"x"\nscopes = ["email"]'), 'add "openid"'),
        (('"jitcloud"', '"x"\nscopes = ["openid email"]'), "write one scope a string"),
        (('"jitcloud"', '"x"\nredirect_port = 70000'), "redirect_port: this should be less"),
        (('"jitcloud"', '"x"\nredirect_port = "8000"'), "redirect_port: this should be"),
        (('"jitcloud"', '"x"\nclient_secret = "y"'), 'there is no key "client_secret"'),
        (("[api]", "[apis]"), 'there is no key "apis"; use one of api. Did you mean "api"?'),
        (("[api]", "[api"), "this is not TOML"),
        ((OIDC, "api = 7"), "[api]: the table: this should be a table"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(home: Path, change: tuple[str, str], said: str) -> None:
    told = wrong(home, OIDC.replace(*change))
    assert said in told
    assert told.startswith("client.toml: ")
    assert "secret@" not in told


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ('issuer = "https://login.example.com"', 'sign_in "aws" has no use for issuer'),
        ('region = "Frankfurt"', "region: write the name of an AWS region"),
        ('region = "eu-central-1/../.."', "region: write the name of an AWS region"),
    ],
)
def test_what_is_wrong_with_aws_is_said(home: Path, more: str, said: str) -> None:
    assert said in wrong(home, AWS + more)
    assert "audience" in wrong(home, AWS.replace("acme-prod", "acme prod"))


def test_an_api_in_the_environment_is_held_to_the_same(home: Path) -> None:
    assert "url: write https://" in wrong(home, OIDC, api="http://access.example.com")
    assert "sign_in is missing" in wrong(home, "", api="https://access.example.com")
