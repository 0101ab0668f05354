"""Parsers of what people type and what operators write into files."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from jitcloud.adapters import freezes_of
from jitcloud.address import Address
from jitcloud.audit.keys import PRIVATE
from jitcloud.audit.keys import load as load_keys
from jitcloud.audit.public_keys import pem, public_keys
from jitcloud.catalog import Catalog
from jitcloud.cli.replaying import _day
from jitcloud.directories.command import CommandDirectory
from jitcloud.directories.static import StaticDirectory
from jitcloud.durations import format_duration, parse_duration
from jitcloud.errors import Invalid, JitError, Misconfigured, NotFound, Refused, Unavailable
from jitcloud.instants import iso, parse_start
from jitcloud.model import Entitlement, GroupId, Person
from jitcloud.policy.approvals import ApprovalRule, EscalationRule
from jitcloud.policy.cases import Table
from jitcloud.policy.cases import read as read_cases
from jitcloud.policy.golden import read as read_golden
from jitcloud.policy.reviews import ReviewRule, parse_notify
from jitcloud.policy.source import parse as parse_policy
from jitcloud.policy.source import read_folder
from jitcloud.programs import OperatorProgram
from jitcloud.providers.aws import (
    iam_group,
    iam_policy,
    iam_targets,
    identity_center_access,
    identity_center_target,
    sts_session,
    target,
)
from jitcloud.providers.aws.clients import Clients
from jitcloud.publishers.webhook import key_of
from jitcloud.secret import Secret
from jitcloud.settings import read_settings, read_to_end
from jitcloud.signing_in.client_settings import read_client_settings
from jitcloud.signing_in.endpoint import Endpoint
from jitcloud.text import one_line, parse_request_id
from jitcloud.tickets.pattern import PatternTickets
from tests.hostile import mangling
from tests.hostile.parser import Parser

NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
EXAMPLE = Path("tests/fixtures/example-policy")


@cache
def folder(of: str) -> Path:  # noqa: ARG001 - by which it is remembered
    """A folder of this process alone for one purpose, which is gone with the process."""
    found = Path(tempfile.mkdtemp(prefix="jitcloud-hostile-"))
    atexit.register(shutil.rmtree, found, ignore_errors=True)
    return found


def in_a_file(name: str, read: Callable[[Path], object]) -> Callable[[str | bytes], object]:
    """Hand over what a file holds, which is read anew each time."""

    def handed(held: str | bytes) -> object:
        path = folder("files") / name
        path.parent.mkdir(exist_ok=True)
        content = held.encode(errors="surrogatepass") if isinstance(held, str) else held
        path.write_bytes(content)
        return read(path)

    return handed


# ── What is in files ─────────────────────────────────────────────────────────────────────────

SETTINGS = """\
catalog = "catalog.toml"

[store]
path = "jitcloud.db"

[policy]
folder = "policy"
freeze = false

[limits]
longest = "8h"

[[freeze]]
name = "Year's end"
zone = "Europe/Berlin"
begins = 2026-12-20T18:00:00
ends = 2027-01-04T08:00:00
environments = ["prod"]

[tickets]
kind = "pattern"
pattern = "[A-Z]+-[0-9]+"

[[sign_in.issuer]]
url = "https://login.example.com/tenant/"
audiences = ["jitcloud"]
oldest = "12h"

[sign_in.aws]
audience = "access.example.com"
accounts = ["111122223333"]
endpoint_url = "http://127.0.0.1:4566"

[aws]
endpoint_url = "http://127.0.0.1:4566"

[[publish.webhook]]
name = "siem"
url = "https://siem.example.com/hook"
secret_env = "SIEM_SECRET"

[[publish.sns]]
name = "topic"
topic = "arn:aws:sns:eu-central-1:111122223333:jit.fifo"
endpoint_url = "http://127.0.0.1:4566"
"""
CLIENT = """\
[api]
url = "https://access.example.com"
issuer = "https://login.example.com"
client_id = "jitcloud"
scopes = ["openid", "email"]
sign_in = "oidc"
"""
CASES = """\
[defaults]
mfa = "5m"

[[case]]
says = "Developers write to the development database"
who = "u-dev"
what = "dev-db"
duration = "1h"
start = 2030-07-01T09:00:00
votes = ["u-sre after 31m"]
waits_for = "nobody"
expect = "request"
approval = "1 of db-owners"

[[case]]
says = "Nobody stops what is not theirs"
who = "u-dev"
stops = "everything"
expect = "deny"
because = "No."
"""
AWS_CATALOG = """\
[[entitlement]]
id = "prod"
title = "Production"
cloud = "aws"
mechanism = "aws.sts-session"
privilege = "admin"
environment = "prod"
owner = "db-owners"
zone = "Europe/Berlin"
labels = ["a", "b"]

[entitlement.target]
role_arn = "arn:aws:iam::111122223333:role/team/admin"
region = "eu-central-1"
session_tags = { team = "payments", "cost centre" = "4711" }
narrow_policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}'

[[entitlement]]
id = "on-call"
title = "On call"
cloud = "aws"
mechanism = "aws.iam-group"
privilege = "write"
environment = "prod"
owner = "db-owners"

[entitlement.target]
group_arn = "arn:aws:iam::111122223333:group/team/on-call"
users = { ana = "arn:aws:iam::111122223333:user/eng/ana.lima" }

[[entitlement]]
id = "timed"
title = "Timed"
cloud = "aws"
mechanism = "aws.iam-policy"
privilege = "write"
environment = "prod"
owner = "db-owners"

[entitlement.target]
role_arn = "arn:aws:iam::111122223333:role/team/Operator"
policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}'

[[entitlement]]
id = "center"
title = "Identity Center"
cloud = "aws"
mechanism = "aws.identity-center"
privilege = "write"
environment = "prod"
owner = "db-owners"

[entitlement.target]
instance_arn = "arn:aws:sso:::instance/ssoins-1234567890abcdef"
identity_store_id = "d-1234567890"
region = "eu-central-1"
permission_set_arn = "arn:aws:sso:::permissionSet/ssoins-1234567890abcdef/ps-1234567890abcdef"
account = "222233334444"
"""  # noqa: E501 - TOML has the text in one line


_TARGETS: Mapping[str, Callable[[Entitlement], object]] = {
    "aws.sts-session": target.read,
    "aws.iam-group": partial(iam_targets.read, iam_targets.GroupTarget),
    "aws.iam-policy": partial(iam_targets.read, iam_targets.PolicyTarget),
    "aws.identity-center": identity_center_target.read,
}


@cache
def _mechanisms() -> Mapping[str, Any]:
    clients = Clients(clock=lambda: NOW)
    every = (
        sts_session.StsSession(clients),
        iam_group.IamGroup(clients),
        iam_policy.IamPolicy(clients),
        identity_center_access.IdentityCenterAccess(clients),
    )
    return {each.name: each for each in every}


def _catalog(path: Path) -> object:
    """The entries, and what each mechanism makes of its target later on."""
    catalog = list(Catalog.load(path, _mechanisms()))
    for entry in catalog:
        _TARGETS[entry.mechanism](entry)
    return catalog


def _settings(path: Path) -> object:
    """All of it; the calendar of freezes is read by itself, for it must stop no end."""
    settings = read_settings(path)
    return settings.model_copy(update={"freeze": freezes_of(settings)})


def _to_end(path: Path) -> object:
    return read_to_end(path).model_copy(update={"freeze": ()})


def _people(path: Path) -> object:
    found = StaticDirectory(path)
    return [found.members(GroupId(each)) for each in found.groups()]


def _policy(text: str) -> object:
    rules, findings = parse_policy("a.cedar", text)
    for found in findings:
        raise Invalid(found.message)  # what is found is shown, as messages are
    return [rule.id for rule in rules]


def _policy_folder(path: Path) -> object:
    return read_folder(path.parent)


def _cases(path: Path) -> object:
    found: Table = read_cases(path)
    return found


def _keys(path: Path) -> object:
    return len(public_keys(path.parent))


def _client(path: Path) -> object:
    return read_client_settings({"XDG_CONFIG_HOME": str(path.parent.parent)})


def _signing_key(path: Path) -> object:
    path.chmod(0o600)
    return load_keys(path.parent)[0].verifier() is not None


def _pattern(text: str) -> object:
    found = PatternTickets(text)
    return [found.look(ticket) for ticket in ("INC-7", "A-1-2", "x" * 64, "")]


def _secret(path: Path) -> object:
    return key_of(Secret(file=path))


# ── A program of the operator's ──────────────────────────────────────────────────────────────


class Saying(OperatorProgram):
    """A program that has run, and has said this."""

    said: bytes

    @classmethod
    def this(cls, said: bytes) -> Self:
        made = cls(command=["people"], folder=folder("files"), timeout=NOW - NOW, environment={})
        object.__setattr__(made, "said", said)
        return made

    def _run(self, question: bytes) -> bytes:
        assert question
        return self.said


def _asked(ask: Callable[[CommandDirectory], object]) -> Callable[[bytes], object]:
    return lambda said: ask(CommandDirectory(Saying.this(said)))


PERSON = {
    "person": {
        "id": "ana",
        "name": "Ana",
        "emails": ["ana@example.com"],
        "groups": ["developers"],
        "rotations": [],
        "manager": "ben",
        "disabled": False,
    },
    "several": False,
}


def _everybody(directory: CommandDirectory) -> Person:
    return directory.person("ana")


TEMPLATE = '@id("a") permit (principal == ?principal, action, resource);'
_POLICIES = tuple(path.read_text() for path in sorted(EXAMPLE.glob("*.cedar")))
_KEY = Ed25519PrivateKey.from_private_bytes(b"k" * 32)
_PRIVATE = _KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
_PEM = pem(_KEY.public_key())
_IDS = ("01JD8Z6N3V5E6X7Y8Z9ABCDEFG", "7ZZZZZZZZZZZZZZZZZZZZZZZZZ")
_STARTS = (
    "2026-12-01T09:00:00Z",
    "2026-12-01T09:00:00+02:00",
    "2026-12-01T09:00:00[Europe/Berlin]",
    "2026-12-01T09:00:00+01:00[Europe/Berlin]",
    "2027-03-28T01:30:00[Europe/Berlin]",
)
_URLS = ("https://login.example.com/tenant/", "http://127.0.0.1:8080/a", "https://[::1]:443/x")
_SAID: tuple[type[JitError], ...] = (Unavailable, Misconfigured)

PARSERS = (
    Parser(
        name="a duration",
        read=parse_duration,
        valid=("30m", "1h30m", "2d", "90s", "30d"),
        mangled=mangling.TEXT,
        found=(
            ("9999999d", "longer than anything may last"),
            ("forever", "as long as that"),
            ("0s", "no time at all"),
        ),
        longest=timedelta(days=30),
        raises=(Invalid,),
        written=format_duration,
    ),
    Parser(
        name="a start",
        read=parse_start,
        valid=_STARTS,
        mangled=mangling.TEXT,
        raises=(Invalid,),
        written=lambda at: at.isoformat() if at.tzinfo is None else iso(at),
        no_zone="the broker says what is missing",
    ),
    Parser(
        name="a day",
        read=_day,
        valid=("2026-06-01", "2026-06-01T09:00:00+02:00"),
        mangled=mangling.TEXT,
        raises=(Invalid,),
    ),
    Parser(
        name="a request id",
        read=parse_request_id,
        valid=_IDS,
        mangled=mangling.TEXT,
        raises=(Invalid,),
        written=str,
    ),
    Parser(
        name="a line of text",
        read=lambda text: one_line(text, "reason"),
        valid=("Look into INC-7",),
        mangled=mangling.TEXT,
        raises=(Invalid,),
        written=str,
    ),
    Parser(
        name="an address",
        read=Address.parse,
        valid=(*_URLS[1:], "https://example.atlassian.net/jira"),
        mangled=mangling.TEXT,
        raises=(Invalid,),
    ),
    Parser(
        name="an endpoint",
        read=Endpoint.parse,
        valid=_URLS,
        mangled=mangling.TEXT,
        raises=(Invalid,),
        written=lambda found: found.url,
    ),
    Parser(
        name="@approval",
        read=ApprovalRule.parse,
        valid=("2 of sre-leads then 1 of resource.owner or rotation.security",),
        mangled=mangling.TEXT,
        raises=(Invalid,),
        most=64 * 1024,
    ),
    Parser(
        name="@escalate",
        read=EscalationRule.parse,
        valid=("after 30m to security", "after 1h to rotation.oncall"),
        mangled=mangling.TEXT,
        raises=(Invalid,),
        most=64 * 1024,
    ),
    Parser(
        name="@review",
        read=ReviewRule.parse,
        valid=("within 24h by security",),
        mangled=mangling.TEXT,
        raises=(Invalid,),
        most=64 * 1024,
    ),
    Parser(
        name="@notify",
        read=parse_notify,
        valid=("security, platform-leads",),
        mangled=mangling.TEXT,
        raises=(Invalid,),
        most=64 * 1024,
    ),
    Parser(
        name="a ticket pattern",
        read=_pattern,
        valid=("[A-Z]+-[0-9]+", "(?P<project>[A-Z]+)-[0-9]+"),
        mangled=mangling.TEXT,
        raises=(Misconfigured,),
    ),
    Parser(
        name="a text of rules",
        read=_policy,
        valid=_POLICIES,
        also=('@id("a") permit (principal, action, resource) when { principal like };', TEMPLATE),
        mangled=mangling.TEXT,
        raises=(Invalid,),
        most=256 * 1024,
    ),
    Parser(
        name="a folder of rules",
        read=in_a_file("policy/a.cedar", _policy_folder),
        valid=tuple(text.encode() for text in _POLICIES[:1]),
        mangled=mangling.OCTETS,
        raises=(Misconfigured,),
        several_lines=True,
    ),
    Parser(
        name="jitcloud.toml",
        read=in_a_file("jitcloud.toml", _settings),
        valid=(SETTINGS,),
        mangled=mangling.TOML,
        raises=(Misconfigured,),
        several_lines=True,
    ),
    Parser(
        name="jitcloud.toml, to end access",
        read=in_a_file("jitcloud.toml", _to_end),
        valid=(SETTINGS,),
        mangled=mangling.TOML,
        raises=(Misconfigured,),
        several_lines=True,
    ),
    Parser(
        name="client.toml",
        read=in_a_file("jitcloud/client.toml", _client),
        valid=(CLIENT,),
        mangled=mangling.TOML,
        raises=(Misconfigured,),
        several_lines=True,
    ),
    Parser(
        name="a catalog",
        read=in_a_file("catalog.toml", _catalog),
        valid=(AWS_CATALOG,),
        mangled=mangling.TOML,
        raises=(Misconfigured,),
        several_lines=True,
    ),
    Parser(
        name="people.toml",
        read=in_a_file("people.toml", _people),
        valid=((EXAMPLE / "people.toml").read_text(),),
        mangled=mangling.TOML,
        raises=(Misconfigured,),
        several_lines=True,
    ),
    Parser(
        name="cases.toml",
        read=in_a_file("cases.toml", _cases),
        valid=(CASES,),
        no_zone="a start without its offset is local to what is asked for",
        mangled=mangling.TOML,
        raises=(Misconfigured,),
        several_lines=True,
    ),
    Parser(
        name="a matrix",
        read=in_a_file("matrix.csv", read_golden),
        valid=("person,name,entitlement,with,1h,2d\nana,Ana,dev-read,,activate,deny\n",),
        mangled=mangling.TEXT,
        raises=(Misconfigured,),
    ),
    Parser(
        name="a public key",
        read=in_a_file("keys/a.pub.pem", _keys),
        valid=(_PEM.encode(),),
        mangled=mangling.OCTETS,
        raises=(Misconfigured,),
    ),
    Parser(
        name="a signing key",
        read=in_a_file(f"signing/{PRIVATE}", _signing_key),
        valid=(_PRIVATE,),
        mangled=mangling.OCTETS,
        raises=(Misconfigured,),
    ),
    Parser(
        name="a secret of a webhook",
        read=in_a_file("secret", _secret),
        valid=(("whsec_" + "QUJD" * 12).encode(),),
        mangled=mangling.OCTETS,
        raises=(Misconfigured,),
    ),
    Parser(
        name="a person, of a program",
        read=_asked(_everybody),
        valid=(PERSON,),
        also=({"person": None}, {"person": None, "several": True}),
        mangled=mangling.JSON_BYTES,
        raises=(*_SAID, NotFound, Refused),
    ),
    Parser(
        name="members, of a program",
        read=_asked(lambda directory: directory.members(GroupId("leads"))),
        valid=({"members": ["ana", "ben"]}, {"members": None}),
        mangled=mangling.JSON_BYTES,
        raises=_SAID,
    ),
)
