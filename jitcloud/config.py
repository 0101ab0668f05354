"""The composition root: reads ``jitcloud.toml`` and puts the parts together.

The only module that knows every adapter, each imported when its cloud is configured.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NoReturn, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    model_validator,
)

from jitcloud import freezes
from jitcloud.advance import Advance
from jitcloud.audit import keys
from jitcloud.broker import Broker, Patience
from jitcloud.catalog import Catalog
from jitcloud.converge import Converger
from jitcloud.directories.static import StaticDirectory
from jitcloud.durations import parse_duration
from jitcloud.errors import Misconfigured
from jitcloud.facts import Surroundings
from jitcloud.files import parse_table, read_toml
from jitcloud.freezes import Freezes
from jitcloud.judge import LONGEST, Judge
from jitcloud.ledger import Ledger
from jitcloud.model import Credentials, GroupId, RotationId
from jitcloud.policy import Policy
from jitcloud.policy.folder import PolicyFolder
from jitcloud.ports import (
    Clock,
    Directory,
    Mechanism,
    Notifier,
    SlotKind,
    Store,
    Tickets,
    Verifier,
)
from jitcloud.stores.sqlite import SqliteStore
from jitcloud.sweep import Swept, Telling, sweep
from jitcloud.text import did_you_mean, one_line, quoted
from jitcloud.tickets.address import Address, is_loopback

if TYPE_CHECKING:
    import boto3

FILE = "jitcloud.toml"

_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]{0,63}")
_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9a-f:]{2,39}")
_SENDER = re.compile(
    r"(?=.{3,254}$)[\w+-]+(?:\.[\w+-]+)*@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?", re.ASCII
)
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
    host = urlsplit(value or "").hostname
    if value is None or (host is not None and is_loopback(host)):
        return value
    raise ValueError("endpoint_url is for emulators on this machine; leave it out for AWS itself")


def _server(url: str | None) -> str | None:
    if url is not None:
        Address.parse(url)
    return url


def _variable(name: str | None) -> str | None:
    if name is not None and _VARIABLE.fullmatch(name) is None:
        # Not shown: who misreads this key has written the token itself.
        raise ValueError("write the name of a variable, in capitals, such as JIRA_TOKEN")
    return name


def _account(email: str | None) -> str | None:
    if email is not None and _EMAIL.fullmatch(email) is None:
        raise ValueError("write the e-mail of the account that the token is of")
    return email


Duration = Annotated[timedelta, BeforeValidator(_duration)]
FilePath = Annotated[Path, Field(strict=False)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class StoreSettings(_Strict):
    """Where the record is."""

    path: FilePath = Path("jitcloud.db")


class SigningSettings(_Strict):
    """Where the broker's own key is."""

    folder: FilePath = Path("keys")


class PolicySettings(_Strict):
    """The rules, and facts of the world that no directory knows."""

    folder: FilePath = Path("policy")
    freeze: bool = False
    """A change freeze is on everywhere, until this is lifted: rules read ``context.freeze``."""


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
    settle: Duration = timedelta(seconds=10)
    """How long IAM may take to act on a change: an early end is not believed before."""


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
    signing: SigningSettings = SigningSettings()
    policy: PolicySettings = PolicySettings()
    patience: PatienceSettings = PatienceSettings()
    limits: LimitsSettings = LimitsSettings()
    freeze: object = ()
    """The change-freeze calendar; ``freezes_of`` reads it. A mistake there must stop no end."""
    tickets: TicketSettings | None = None
    incidents: TicketSettings | None = None
    mail: MailSettings | None = None
    aws: AwsSettings | None = None
    trial: TrialSettings = TrialSettings()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One organisation's jitcloud, put together."""

    settings: Settings
    folder: Path
    broker: Broker
    advance: Advance
    clock: Clock
    telling: Telling | None = None
    """Who passes on what happened; None where nobody is told."""
    broken: str = ""
    """Why nothing is granted and only ends go on, if that is so."""

    @property
    def ledger(self) -> Ledger:
        """The record."""
        return self.broker.ledger

    @property
    def judge(self) -> Judge:
        """Policy, catalog and people."""
        return self.broker.judge

    def sweep(self) -> Swept:
        """Do whatever is due: lapses, starts, deadlines, retries, messages."""
        return sweep(self.advance, telling=self.telling)

    def close(self) -> None:
        """Let go of the record."""
        self.ledger.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def load(path: Path, clock: Clock) -> Deployment:
    """Read a configuration and put its parts together.

    ``path`` is the file, or the folder it is in. Opens no connection to any cloud.
    Raises ``Misconfigured`` with all that is wrong in the first file that is.
    """
    file = path / FILE if path.is_dir() else path
    folder = file.parent
    settings = read_settings(file)
    signer, verifier = keys.load(folder / settings.signing.folder)
    mechanisms, kinds = clouds(settings, clock)
    directory: Directory = StaticDirectory(folder / settings.people)
    catalog = Catalog.load(folder / settings.catalog, mechanisms)
    _owners_exist(settings.catalog, catalog, directory)
    store: Store = SqliteStore(folder / settings.store.path)
    ledger = Ledger(store, signer, verifier)
    folder_of_rules = PolicyFolder(folder / settings.policy.folder, tuple(catalog), directory)
    judge = Judge(
        folder_of_rules(),
        catalog,
        directory,
        mechanisms,
        look=Surroundings(freezes=freezes_of(settings)),
        ledger=ledger,
        longest=settings.limits.longest,
        renew=folder_of_rules,
    )
    patience = Patience(
        decision=settings.patience.decision, activation=settings.patience.activation
    )
    return Deployment(
        settings=settings,
        folder=folder,
        broker=Broker(ledger, judge, patience),
        advance=Advance(ledger, judge, Converger(store, kinds, clock)),
        clock=clock,
    )


def load_to_end(path: Path, clock: Clock) -> Deployment:
    """Put together at least what ends access, whatever else is wrong.

    Ending asks neither policy, nor catalog, nor directory, nor any key: a mistake in their
    files must not keep access alive. ``broken`` says what is wrong, if anything is.
    Raises ``Misconfigured`` when not even ``jitcloud.toml`` or the record can be read.
    """
    try:
        return load(path, clock)
    except Misconfigured as exc:
        broken = str(exc)
    file = path / FILE if path.is_dir() else path
    settings = read_settings(file)
    mechanisms, kinds = clouds(settings, clock)
    store: Store = SqliteStore(file.parent / settings.store.path)
    try:
        verifier = keys.Ed25519Verifier(keys.public_keys(file.parent / settings.signing.folder))
    except Misconfigured:
        verifier = keys.Ed25519Verifier(())
    ledger = Ledger(store, None, verifier)
    catalog, directory = Catalog({}), Unreadable(broken)
    judge = Judge(Policy.nothing(), catalog, directory, mechanisms, renew=directory.policy)
    return Deployment(
        settings=settings,
        folder=file.parent,
        broker=Broker(ledger, judge),
        advance=Advance(ledger, judge, Converger(store, kinds, clock)),
        clock=clock,
        broken=broken,
    )


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Stands in for a directory while the configuration is broken: nobody can be looked up."""

    why: str

    def person(self, handle: str) -> NoReturn:  # noqa: ARG002 - whoever it is
        """Raise ``Misconfigured``."""
        raise Misconfigured(f"Nothing is granted until this is mended; ends go on. {self.why}")

    def policy(self) -> NoReturn:
        """Raise ``Misconfigured``."""
        self.person("")

    def members(self, group: GroupId) -> NoReturn:
        """Raise ``Misconfigured``."""
        self.person(group)

    def on_call(self, rotation: RotationId) -> NoReturn:
        """Raise ``Misconfigured``."""
        self.person(rotation)

    def groups(self) -> None:
        """Nobody knows."""

    def rotations(self) -> None:
        """Nobody knows."""


def _owners_exist(file: Path, catalog: Catalog, directory: Directory) -> None:
    known = directory.groups()
    if known is None:
        return
    wrong = [
        f"{file.name}: entitlement {quoted(entitlement.id)}: owner: the directory has no group "
        f"{quoted(entitlement.owner)}; add it there, or name another."
        f"{did_you_mean(entitlement.owner, known)}"
        for entitlement in catalog
        if entitlement.owner not in known
    ]
    if wrong:
        raise Misconfigured("\n".join(wrong))


def read_settings(file: Path) -> Settings:
    """Read ``jitcloud.toml`` alone. Raises ``Misconfigured`` with all that is wrong in it."""
    wrong: list[str] = []
    settings = parse_table(Settings, read_toml(file), "", wrong)
    if settings is None or wrong:
        raise Misconfigured("\n".join(f"{file.name}{line}" for line in wrong))
    return settings


def directory_of(settings: Settings, folder: Path) -> Directory:
    """Who knows who is who, as the configuration in this folder says.

    A file is read at once, and a program asked nothing yet. Raises ``Misconfigured``.
    """
    if settings.directory is None:
        return StaticDirectory(folder / settings.people)
    if "people" in settings.model_fields_set:
        raise Misconfigured(
            f"{FILE}: both people and [directory] say who is who; take one of them out."
        )
    from jitcloud.directories.command import CommandDirectory  # noqa: PLC0415 - most need none
    from jitcloud.programs import OperatorProgram, passed_on  # noqa: PLC0415 - the same

    program = OperatorProgram(
        command=settings.directory.command,
        folder=folder,
        timeout=settings.directory.timeout,
        environment=passed_on(os.environ, settings.directory.environment),
    )
    return CommandDirectory(program)


def tickets_of(settings: TicketSettings, folder: Path) -> Tickets:
    """Who knows tickets, or incidents; asks nothing yet. Raises ``Misconfigured``."""
    if settings.kind == "pattern":
        from jitcloud.tickets.pattern import PatternTickets  # noqa: PLC0415 - most need none

        return PatternTickets(settings.pattern or "")
    from jitcloud.tickets.jira import JiraTickets  # noqa: PLC0415 - the same
    from jitcloud.tickets.secret import Secret  # noqa: PLC0415 - the same

    file = None if settings.token_file is None else folder / settings.token_file
    return JiraTickets(
        settings.url or "",
        Secret(variable=settings.token_env or "", file=file),
        email=settings.email or "",
        timeout=settings.timeout,
    )


def notifier_of(settings: Settings, folder: Path, clock: Clock) -> Notifier | None:
    """Who tells people what concerns them, if anybody does; connects to nothing yet."""
    mail = settings.mail
    if mail is None:
        return None
    from email.headerregistry import Address as MailAddress  # noqa: PLC0415 - most need none

    from jitcloud.notifiers.connection import MailServer  # noqa: PLC0415 - the same
    from jitcloud.notifiers.smtp import Login, SmtpNotifier  # noqa: PLC0415 - the same
    from jitcloud.tickets.secret import Secret  # noqa: PLC0415 - the same

    port = mail.port or (465 if mail.tls == "implicit" else 587)
    login = None
    if mail.username is not None:
        file = None if mail.password_file is None else folder / mail.password_file
        password = Secret(variable=mail.password_env or "", file=file)
        login = Login(username=mail.username, password=password.read)
    return SmtpNotifier(
        server=MailServer(host=mail.host, port=port, tls=mail.tls, timeout=mail.timeout),
        sender=MailAddress(mail.from_name, addr_spec=mail.from_address),
        clock=clock,
        login=login,
    )


def freezes_of(settings: Settings) -> Freezes:
    """Return the change-freeze calendar. Raises ``Misconfigured`` with all that is wrong in it."""
    wrong: list[str] = []
    calendar = freezes.read(settings.freeze, wrong)
    if wrong:
        raise Misconfigured("\n".join(f"{FILE}: {line}" for line in wrong))
    if settings.policy.freeze:
        return Freezes((freezes.PERMANENT, *calendar.freezes))
    return calendar


def clouds(settings: Settings, clock: Clock) -> tuple[dict[str, Mechanism], dict[str, SlotKind]]:
    """The mechanisms and slot kinds of every cloud that is configured."""
    mechanisms: dict[str, Mechanism] = {}
    kinds: dict[str, SlotKind] = {}
    if settings.aws is not None:
        # Loading an SDK takes longer than everything else here: only who uses a cloud pays for it.
        try:
            from jitcloud.providers.aws.clients import Clients  # noqa: PLC0415
            from jitcloud.providers.aws.deny_document import DenyDocument  # noqa: PLC0415
            from jitcloud.providers.aws.sts_session import StsSession  # noqa: PLC0415
        except ModuleNotFoundError as exc:
            raise Misconfigured("AWS needs its SDK: pip install 'jitcloud[aws]'.") from exc
        reach = Clients(
            clock=clock,
            region=settings.aws.region,
            profile=settings.aws.profile,
            endpoint_url=settings.aws.endpoint_url,
        )
        document = DenyDocument(reach, settle=settings.aws.settle)
        mechanisms[StsSession.name] = StsSession(reach)
        kinds[document.name] = document
    return mechanisms, kinds


def open_record(file: Path) -> tuple[Store, Verifier]:
    """Open the record alone, to verify or export it: no policy, no cloud, no private key."""
    settings = read_settings(file / FILE if file.is_dir() else file)
    folder = file if file.is_dir() else file.parent
    verifier = keys.Ed25519Verifier(keys.public_keys(folder / settings.signing.folder))
    return SqliteStore(folder / settings.store.path), verifier


def boto3_session(
    settings: Settings, issue: Callable[[], Credentials], deadline: datetime
) -> boto3.Session:
    """Make a boto3 session that asks ``issue`` for credentials, and anew as they run out."""
    from jitcloud.providers.aws.session import refreshing_session  # noqa: PLC0415 - loads the SDK

    region = None if settings.aws is None else settings.aws.region
    return refreshing_session(issue, deadline, region)
