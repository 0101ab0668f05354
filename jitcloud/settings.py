"""What ``jitcloud.toml`` may say: checked here, and put together in ``config``."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from jitcloud.address import Address, is_loopback
from jitcloud.asking import Patience
from jitcloud.durations import parse_duration
from jitcloud.errors import Misconfigured
from jitcloud.files import parse_table, read_toml
from jitcloud.judge import LONGEST
from jitcloud.publish_settings import PublishSettings
from jitcloud.sign_in_settings import SignInSettings
from jitcloud.text import one_line

FILE = "jitcloud.toml"

TO_END = frozenset({"store", "signing", "aws", "trial"})
"""The sections that ending access needs; a mistake in any other must keep nothing alive."""

_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,63}")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9a-f:]{2,39}")
_SENDER = re.compile(
    r"(?=.{3,254}$)[\w+-]+(?:\.[\w+-]+)*@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?", re.ASCII
)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")  # S3 user guide, naming rules
_TABLE = re.compile(r"[A-Za-z0-9_.-]{3,255}")  # botocore's model of DynamoDB
_REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]{2,16}){1,3}-[0-9]{1,2}")
_ORIGIN = re.compile(r"[!-*,-~]{1,200}")  # of a key's name, https://c2sp.org/signed-note
_SHA256 = re.compile(r"[0-9a-f]{64}")
_EXTERNAL_ID = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)  # botocore's model of AssumeRole
_EMAIL = re.compile(r"[!-9;-~]{1,200}@[!-9;-~]{1,200}")  # in Basic credentials a colon ends it


def _duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _runnable(command: list[str]) -> list[str]:
    if not command or not command[0] or any("\0" in part for part in command):
        raise ValueError('write a program and its arguments, such as ["/opt/people", "--staff"]')
    return command


def _names_alone(variables: list[str]) -> list[str]:
    if not all(re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name) for name in variables):
        # Not shown: who misreads this key has written values, and those may be secret.
        raise ValueError("write the names of variables, such as OKTA_TOKEN, without their values")
    return variables


def _short(timeout: timedelta) -> timedelta:
    if timeout > timedelta(minutes=1):
        raise ValueError("whoever asks for access waits for it; write at most 1m")
    return timeout


def _quick(timeout: timedelta) -> timedelta:
    if timeout > timedelta(minutes=1):
        raise ValueError("messages wait for one another; write at most 1m")
    return timeout


def _host(name: str) -> str:
    if _HOST.fullmatch(name) is None:
        raise ValueError("write the name of a mail server alone, such as smtp.example.com")
    return name


def _name(name: str) -> str:
    return one_line(name, "name", limit=60)


def _sender(address: str) -> str:
    if _SENDER.fullmatch(address) is None:
        raise ValueError("write one e-mail address alone, such as jitcloud@example.com")
    return address


def _loopback(value: str | None) -> str | None:
    """Refuse anything but an emulator: credentials must never go to an address in a file."""
    if _is_here(value):
        return value
    raise ValueError("endpoint_url is for emulators on this machine; leave it out for AWS itself")


def _table(name: str | None) -> str | None:
    if name is not None and _TABLE.fullmatch(name) is None:
        raise ValueError("a table's name has 3 to 255 letters, digits or any of .-_")
    return name


def _region(name: str | None) -> str | None:
    if name is not None and _REGION.fullmatch(name) is None:
        raise ValueError("write the name of a region alone, such as eu-central-1")
    return name


def _identity_center(value: str | None) -> str | None:
    if _is_here(value):
        return value
    raise ValueError(
        "identity_center_url is for an emulator on this machine; leave it out for AWS itself"
    )


def _is_here(url: str | None) -> bool:
    host = urlsplit(url or "").hostname
    return url is None or (host is not None and is_loopback(host))


def _external_id(text: str | None) -> str | None:
    if text is not None and _EXTERNAL_ID.fullmatch(text) is None:
        raise ValueError("an external id has 2 to 1,224 letters, digits or any of +=,.@:/-_")
    return text


def _server(url: str | None) -> str | None:
    if url is not None:
        Address.parse(url)
    return url


def _bucket(name: str | None) -> str | None:
    if name is not None and _BUCKET.fullmatch(name) is None:
        raise ValueError("write the name of a bucket alone, such as example-jitcloud-journal")
    return name


def _origin(name: str) -> str:
    if _ORIGIN.fullmatch(name) is None:
        raise ValueError("write a name without spaces and +, such as example.com/jitcloud")
    return name


def _unhurried(every: timedelta) -> timedelta:
    if every < timedelta(minutes=1):
        raise ValueError("each one is kept for good; write at least 1m")
    return every


def _digest(text: str | None) -> str | None:
    if text is not None and _SHA256.fullmatch(text) is None:
        raise ValueError("write all 64 digits, as `jitcloud check` shows the text's SHA-256")
    return text


def _variable(name: str | None) -> str | None:
    if name is not None and _VARIABLE.fullmatch(name) is None:
        # Not shown: who misreads this key has written the token itself.
        raise ValueError("write the name of a variable, in capitals, such as JIRA_TOKEN")
    return name


def _account(email: str | None) -> str | None:
    if email is not None and _EMAIL.fullmatch(email) is None:
        raise ValueError("write the e-mail of the account that the token is of")
    return email


def _interval(value: object) -> object:
    if value == "off":
        return None
    found = _duration(value)
    if isinstance(found, timedelta) and found < timedelta(minutes=1):
        raise ValueError("clouds would be asked without a pause; write at least 1m, or off")
    return found


def _at_once(value: object) -> object:
    return timedelta(0) if value == "0s" else _duration(value)


Duration = Annotated[timedelta, BeforeValidator(_duration)]
FilePath = Annotated[Path, Field(strict=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class StoreSettings(_Strict):
    """Where the record is: a file on this machine, or a table of DynamoDB."""

    kind: Literal["sqlite", "dynamodb"] = "sqlite"
    path: FilePath = Path("jitcloud.db")
    table: Annotated[str | None, AfterValidator(_table)] = None
    """The name of the table. Unless said, the variable JITCLOUD_TABLE has it."""
    region: Annotated[str | None, AfterValidator(_region)] = None
    """Where the table is. Unless said, wherever the environment says, as on Lambda."""
    endpoint_url: Annotated[str | None, AfterValidator(_loopback)] = None
    """Where an emulator answers for DynamoDB."""

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        taken = {"kind", "path"} if self.kind == "sqlite" else _OF_DYNAMODB
        for key in sorted(self.model_fields_set - taken):
            raise ValueError(f"kind {self.kind} has no use for {key}; take it out")
        return self


_OF_DYNAMODB = StoreSettings.model_fields.keys() - {"path"}


class JournalSettings(_Strict):
    """Where it is noted which shared places are filled by jitcloud, apart from the record."""

    path: FilePath | None = None
    """A file on a local disk."""
    bucket: Annotated[str | None, AfterValidator(_bucket)] = None
    """A bucket of S3 in the broker's account, for brokers without a disk."""
    prefix: str = ""
    """What the names of its objects there begin with."""

    @model_validator(mode="after")
    def _in_one_place(self) -> Self:
        if (self.path is None) == (self.bucket is None):
            raise ValueError("say where the journal is, by path or by bucket")
        return self


class AnchorsSettings(_Strict):
    """Where checkpoints of the record are kept, so that nobody rewrites what they say of it."""

    path: FilePath | None = None
    """A file that is only ever appended to."""
    bucket: Annotated[str | None, AfterValidator(_bucket)] = None
    """A bucket of S3 with Object Lock."""
    prefix: str = ""
    """What the names of its objects there begin with."""
    region: Annotated[str | None, AfterValidator(_region)] = None
    """Where the bucket is. Unless said, where ``[aws]`` says, or the environment."""
    endpoint_url: Annotated[str | None, AfterValidator(_loopback)] = None
    """Where an emulator answers for S3."""
    lock: Literal["governance", "compliance"] = "governance"
    """Compliance: nobody can delete an object before its time, not even the account's root."""
    retain_days: Annotated[int, Field(ge=1, le=36_500)] = 366
    """How long each object is locked."""
    origin: Annotated[str, AfterValidator(_origin)] = "jitcloud"
    """What this log is called in all its checkpoints: such as ``example.com/jitcloud``."""
    every: Annotated[Duration, AfterValidator(_unhurried)] = timedelta(hours=1)
    """How often a sweep writes one."""

    @model_validator(mode="after")
    def _in_one_place(self) -> Self:
        if (self.path is None) == (self.bucket is None):
            raise ValueError("say where checkpoints are kept, by path or by bucket")
        if self.path is not None:
            for key in sorted(self.model_fields_set & _OF_BUCKETS):
                raise ValueError(f"{key} goes with bucket; add that, or take it out")
        return self


_OF_BUCKETS = {"endpoint_url", "lock", "prefix", "region", "retain_days"}


class SigningSettings(_Strict):
    """Who signs decisions, and which public keys count."""

    kind: Literal["file", "kms"] = "file"
    """``kms``: a key of AWS KMS, which nobody can read, instead of one in a file."""
    folder: FilePath = Path("keys")
    """Where the broker's own key is, and the public halves of former ones."""
    key: str | None = None
    """The ARN of the KMS key. Unless said, the variable JITCLOUD_SIGNING_KEY has it."""
    endpoint_url: Annotated[str | None, AfterValidator(_loopback)] = None
    """Where an emulator answers for KMS."""

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        if self.kind == "file":
            for key in sorted(self.model_fields_set & {"endpoint_url", "key"}):
                raise ValueError(f'{key} goes with kind = "kms"; add that, or take it out')
        return self


class PolicySettings(_Strict):
    """The rules, and facts of the world that no directory knows."""

    folder: FilePath = Path("policy")
    freeze: bool = False
    """A change freeze is on everywhere, until this is lifted: rules read ``context.freeze``."""
    adopt: Annotated[str | None, AfterValidator(_digest)] = None
    """A text that may judge again though it was replaced, by its SHA-256: where nobody can run
    ``jitcloud policy adopt``, as in a fleet of functions."""


class DirectorySettings(_Strict):
    """A program of yours that knows who is who, instead of ``people.toml``."""

    command: Annotated[list[str], AfterValidator(_runnable)]
    """The program and its arguments, read by no shell. No place for a secret."""
    timeout: Annotated[Duration, AfterValidator(_short)] = timedelta(seconds=5)
    """For each question."""
    environment: Annotated[list[str], AfterValidator(_names_alone)] = []
    """Variables that it gets besides the few it always does; see ``programs.PASSED_ON``."""


class PatienceSettings(_Strict):
    """How long things may wait before they lapse."""

    decision: Duration = Patience().decision
    activation: Duration = Patience().activation


class LimitsSettings(_Strict):
    """What nobody may exceed, whatever the policy says."""

    longest: Duration = LONGEST
    """How long a grant may last with all its extensions."""


class TicketSettings(_Strict):
    """What knows tickets, or incidents: Jira, or how they are written alone."""

    kind: Literal["jira", "pattern"]
    pattern: str | None = None
    """A regular expression that the whole of a ticket has to match."""
    url: Annotated[str | None, AfterValidator(_server)] = None
    """Of the Jira site: what stands before ``/rest``, or before ``/browse`` in a browser."""
    email: Annotated[str | None, AfterValidator(_account)] = None
    """With one, the token is an API token of Jira Cloud; else one of Jira Data Center."""
    token_env: Annotated[str | None, AfterValidator(_variable)] = None
    token_file: FilePath | None = None
    timeout: Annotated[Duration, AfterValidator(_short)] = timedelta(seconds=5)
    """For one look as a whole."""

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        taken = {"kind", "pattern"} if self.kind == "pattern" else _OF_JIRA
        for key in sorted(self.model_fields_set - taken):
            raise ValueError(f"kind {self.kind} has no use for {key}; take it out")
        if self.kind == "pattern" and not self.pattern:
            raise ValueError('kind pattern needs a pattern, such as "[A-Z]+-[0-9]+"')
        if self.kind == "jira" and self.url is None:
            raise ValueError("kind jira needs the url of its site")
        if self.kind == "jira" and (self.token_env is None) == (self.token_file is None):
            raise ValueError("say where the token is, by token_env or by token_file")
        return self


_OF_JIRA = TicketSettings.model_fields.keys() - {"pattern"}


class MailSettings(_Strict):
    """Where the mail is given up that tells people what concerns them (SMTP)."""

    host: Annotated[str, AfterValidator(_host)]
    port: Annotated[int | None, Field(ge=1, le=65535)] = None
    """587, or with implicit TLS 465, unless said."""
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    """None only to a relay on this machine."""
    from_address: Annotated[str, AfterValidator(_sender)]
    """Whom it is from. What cannot be delivered later is sent back there."""
    from_name: Annotated[str, AfterValidator(_name)] = "jitcloud"
    username: str | None = None
    password_env: Annotated[str | None, AfterValidator(_variable)] = None
    password_file: FilePath | None = None
    timeout: Annotated[Duration, AfterValidator(_quick)] = timedelta(seconds=10)
    """For connecting; and for the rest of one message."""

    @model_validator(mode="after")
    def _keeps_the_password(self) -> Self:
        passwords = [self.password_env is not None, self.password_file is not None]
        if sum(passwords) != (self.username is not None):
            raise ValueError(
                "a username goes with its password: say where it is, by password_env or"
                " password_file"
            )
        if self.tls == "none" and not is_loopback(self.host):
            raise ValueError('tls "none" is for a relay on this machine; take it out for any other')
        return self


class AwsSettings(_Strict):
    """How the broker reaches AWS. Its own credentials come from the environment, as for any SDK."""

    region: str = "us-east-1"
    profile: str | None = None
    endpoint_url: Annotated[str | None, AfterValidator(_loopback)] = None
    identity_center_url: Annotated[str | None, AfterValidator(_identity_center)] = None
    """Where an emulator answers for Identity Center, its identity store and the organization."""
    external_id: Annotated[str | None, AfterValidator(_external_id)] = None
    """What this deployment shows to every role by which it reaches another account. No secret."""
    settle: Annotated[timedelta, BeforeValidator(_at_once)] = timedelta(seconds=10)
    """How long IAM may take to act on a change: an early end is not believed before.

    0 for an emulator that acts at once.
    """

    @model_validator(mode="after")
    def _takes_its_time(self) -> Self:
        if not self.settle and self.endpoint_url is None:
            raise ValueError(
                "settle: AWS takes seconds to act on a change, and only an emulator acts at once;"
                " take it out, or write at least 1s"
            )
        return self


class ReconcileSettings(_Strict):
    """What comparing the clouds with the record does, where it is scheduled."""

    end_leaked: bool = False
    """Whether what has leaked is ended; else it is only told."""


class ServeSettings(_Strict):
    """What ``jitcloud serve`` does, and for whom."""

    behind_proxy: bool = False
    """Whether a reverse proxy of yours stands before it, speaks TLS and says who calls."""
    metrics: Literal["loopback", "all", "off"] = "loopback"
    """Who may read its metrics."""
    reconcile: Annotated[timedelta | None, BeforeValidator(_interval)] = timedelta(days=1)
    """How often it compares the clouds with the record; None: never."""


class TrialSettings(_Strict):
    """Never in production."""

    unsafe_act_as_anyone: bool = False
    """Whoever can run jitcloud on this machine may act as anybody in the directory."""


class Settings(_Strict):
    """Everything ``jitcloud.toml`` may say. Paths are relative to the file."""

    catalog: FilePath = Path("catalog.toml")
    people: FilePath = Path("people.toml")
    directory: DirectorySettings | None = None
    store: StoreSettings = StoreSettings()
    journal: JournalSettings | None = None
    anchors: AnchorsSettings | None = None
    signing: SigningSettings = SigningSettings()
    policy: PolicySettings = PolicySettings()
    patience: PatienceSettings = PatienceSettings()
    limits: LimitsSettings = LimitsSettings()
    freeze: object = ()
    """The change-freeze calendar; ``freezes_of`` reads it. A mistake there must stop no end."""
    tickets: TicketSettings | None = None
    incidents: TicketSettings | None = None
    mail: MailSettings | None = None
    publish: PublishSettings | None = None
    sign_in: SignInSettings | None = None
    """Who is believed about who is calling, where there is an API."""
    aws: AwsSettings | None = None
    reconcile: ReconcileSettings = ReconcileSettings()
    serve: ServeSettings = ServeSettings()
    trial: TrialSettings = TrialSettings()


def read_settings(file: Path) -> Settings:
    """Read ``jitcloud.toml`` alone. Raises ``Misconfigured`` with all that is wrong in it."""
    wrong: list[str] = []
    settings = parse_table(Settings, read_toml(file), "", wrong)
    if settings is None or wrong:
        raise Misconfigured("\n".join(f"{file.name}{line}" for line in wrong))
    return settings


def read_to_end(file: Path) -> Settings:
    """Read of ``jitcloud.toml`` what ending access needs, though the rest of it is broken.

    Raises ``Misconfigured`` when not even that can be read.
    """
    wrong: list[str] = []
    tables = {key: table for key, table in read_toml(file).items() if key in TO_END}
    settings = parse_table(Settings, tables, "", wrong)
    if settings is None and tables.pop("signing", None) is not None:
        # No end needs a signature; only what others keep is proven by one meanwhile.
        wrong.clear()
        settings = parse_table(Settings, tables, "", wrong)
    if settings is None or wrong:
        raise Misconfigured("\n".join(f"{file.name}{line}" for line in wrong))
    return settings


def read_serve(file: Path) -> ServeSettings:
    """Read of ``jitcloud.toml`` how to serve, whatever else is wrong there. Raises the same."""
    wrong: list[str] = []
    tables = {key: table for key, table in read_toml(file).items() if key == "serve"}
    settings = parse_table(Settings, tables, "", wrong)
    if settings is None or wrong:
        raise Misconfigured("\n".join(f"{file.name}{line}" for line in wrong))
    return settings.serve
