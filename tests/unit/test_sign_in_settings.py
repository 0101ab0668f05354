"""What ``[sign_in]`` may say, and what people are called by AWS."""

from __future__ import annotations

from pathlib import Path

import pytest

from jitcloud import adapters
from jitcloud.directories.static import StaticDirectory
from jitcloud.errors import Misconfigured, NotFound
from jitcloud.identities.several import SeveralIdentities
from jitcloud.settings import read_settings
from tests.world import PEOPLE, Time

ISSUER = """
[[sign_in.issuer]]
url = "https://login.example.com/tenant/"
audiences = ["jitcloud"]
"""
AWS = """
[sign_in.aws]
audience = "access.example.com"
accounts = ["111122223333"]
"""
ARN = "arn:aws:iam::111122223333"


def settings_of(folder: Path, text: str) -> Path:
    file = folder / "jitcloud.toml"
    file.write_text(text)
    return file


# ── jitcloud.toml ────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "kinds"), [(ISSUER, {"oidc"}), (AWS, {"aws"}), (ISSUER + AWS, {"oidc", "aws"})]
)
def test_those_verify_who_are_named(tmp_path: Path, text: str, kinds: set[str]) -> None:
    settings = read_settings(settings_of(tmp_path, text))
    (tmp_path / "people.toml").write_text(PEOPLE)
    directory = adapters.directory_of(settings, tmp_path)
    identities = adapters.identities_of(settings, tmp_path, directory, Time())
    assert isinstance(identities, SeveralIdentities)
    assert identities.by_kind.keys() == kinds
    assert adapters.sign_ins_of(settings, tmp_path) is None
    assert not (tmp_path / "jitcloud.db").exists()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[sign_in]", r"say who is believed: \[\[sign_in\.issuer\]\], \[sign_in\.aws\] or both"),
        ("[sign_in]\nissuer = []", "say who is believed"),
        (ISSUER + "[[sign_in.issuer]]\nurl = 7", "sign_in.issuer.1.url"),
        (ISSUER + ISSUER, "an issuer stands here twice"),
        (ISSUER.replace("https", "http"), "https"),
        (ISSUER.replace("login", "user:secret@login"), "take user name"),
        (ISSUER.replace('["jitcloud"]', "[]"), "sign_in.issuer.0.audiences: name at least one"),
        (ISSUER.replace('["jitcloud"]', '[""]'), "audiences.0: The text is empty"),
        (ISSUER + "algorithms = []", "algorithms: name at least one"),
        *(
            (ISSUER + f'algorithms = ["{name}"]', "algorithms.0: this should be 'RS256'")
            for name in ("none", "HS256", "HS512", "ES256K", "rs256")
        ),
        (ISSUER + 'leeway = "61s"', "write at most 1m"),
        (ISSUER + 'leeway = "1h"', "write at most 1m"),
        (ISSUER + 'secret = "x"', 'there is no key "secret"'),
        (AWS.replace("access.", "access "), "without a space"),
        (AWS.replace("access.example.com", ""), "without a space"),
        (
            AWS.replace('"111122223333"', "111122223333"),
            "accounts.0: this should be a valid string",
        ),
        (AWS.replace("111122223333", "11112222333"), "twelve digits"),
        (AWS.replace('["111122223333"]', "[]"), "accounts: name at least one"),
        (AWS + "regions = []", "regions: name at least one"),
        *(
            (AWS + f'regions = ["{name}"]', "regions.0: write the name of a region")
            for name in ("s3", "", "us-east-1.evil", "EU-CENTRAL-1", "us-iso-east-1", "*")
        ),
        (AWS + 'endpoint_url = "https://sts.example.com"', "for an emulator on this machine"),
        (AWS + 'endpoint_url = "http://127.0.0.1:4566/sts"', "take the path out"),
        (AWS + "[sign_in]\npeople_from_tokens = true", "AWS says nothing of groups"),
        (
            "[sign_in]\npeople_from_tokens = true" + ISSUER + ISSUER.replace("tenant", "other"),
            "give each a prefix of its own",
        ),
        ('[sign_in]\ngroups_last = "8d"' + ISSUER, "write at most 7d"),
        ('[sign_in]\ngroups_last = "0s"' + ISSUER, "groups_last"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(Misconfigured, match=why) as caught:
        read_settings(settings_of(tmp_path, text))
    assert "secret@" not in str(caught.value)


def test_a_mistake_in_it_keeps_no_access_alive(tmp_path: Path) -> None:
    from jitcloud.settings import read_to_end  # noqa: PLC0415 - the one test of it

    assert read_to_end(settings_of(tmp_path, "[sign_in]\nissuer = 7")).sign_in is None


def test_rules_may_name_groups_that_only_tokens_do(tmp_path: Path) -> None:
    (tmp_path / "people.toml").write_text(PEOPLE)
    plain = read_settings(settings_of(tmp_path, ISSUER))
    assert adapters.directory_of(plain, tmp_path).groups() is not None
    settings = read_settings(settings_of(tmp_path, ISSUER + 'groups_claim = "groups"'))
    assert adapters.directory_of(settings, tmp_path).groups() is None


# ── people.toml ──────────────────────────────────────────────────────────────────────────────


def people(folder: Path, *names: str) -> StaticDirectory:
    lines = [
        f'[[person]]\nid = "u-{number}"\nname = "U"\naws = ["{name}"]'
        for number, name in enumerate(names)
    ]
    (folder / "people.toml").write_text("\n".join(lines))
    return StaticDirectory(folder / "people.toml")


NAMES = [
    f"{ARN}:user/Ana",
    f"{ARN}:user/people/sre/Ana@example.com",
    f"{ARN}:role/Deploy",
    "arn:aws-us-gov:iam::111122223333:role/x+=,.@_-",
    "AIDACKCEVSQ6C2EXAMPLE",
    "AROADBQP57FF2AEXAMPLE",
]


@pytest.mark.parametrize("name", NAMES)
def test_a_person_is_found_by_what_aws_calls_them(tmp_path: Path, name: str) -> None:
    directory = people(tmp_path, name)
    assert directory.person(name).id == "u-0"
    assert directory.person(name).emails == ()
    for other in (name.swapcase(), name + "x", name[:-1], f" {name}"):
        with pytest.raises(NotFound):
            directory.person(other)


@pytest.mark.parametrize(
    "name",
    [
        "ana",
        "",
        f"{ARN}:root",
        f"{ARN}:role/service/Deploy",
        f"{ARN}:group/sre",
        f"{ARN}:user/",
        f"{ARN}:role/*",
        "arn:aws:sts::111122223333:assumed-role/Deploy/me",
        "arn:aws:iam::1111:user/Ana",
        "AKIAIOSFODNN7EXAMPLE",
        "AROADBQP57FF2AEXAMPLE:me",
        "AIDA",
    ],
)
def test_what_aws_calls_nobody_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(
        Misconfigured, match=r"aws\.0: .* is neither the ARN of an IAM user or role"
    ):
        people(tmp_path, name)


def test_one_aws_identity_is_one_person_s(tmp_path: Path) -> None:
    with pytest.raises(
        Misconfigured, match='is already an id, e-mail or AWS identity of person "u-0"'
    ):
        people(tmp_path, NAMES[0], NAMES[0])
