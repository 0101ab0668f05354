"""The composition root: reads ``jitcloud.toml`` and puts the parts together.

The only module that knows every adapter, each imported when its cloud is configured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from jitcloud.advance import Advance
from jitcloud.audit import keys
from jitcloud.broker import Broker, Patience
from jitcloud.catalog import Catalog
from jitcloud.converge import Converger
from jitcloud.directories.static import StaticDirectory
from jitcloud.durations import parse_duration
from jitcloud.errors import Misconfigured
from jitcloud.files import parse_table, read_toml
from jitcloud.judge import Judge
from jitcloud.ledger import Ledger
from jitcloud.model import Credentials, GroupId, RotationId
from jitcloud.policy import Policy, World
from jitcloud.ports import Clock, Directory, Mechanism, SlotKind, Store, Verifier
from jitcloud.stores.sqlite import SqliteStore
from jitcloud.text import did_you_mean, quoted

if TYPE_CHECKING:
    import boto3

FILE = "jitcloud.toml"


def _duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _loopback(value: str | None) -> str | None:
    """Refuse anything but an emulator: credentials must never go to an address in a file."""
    host = urlsplit(value or "").hostname
    if value is None or (host is not None and (host == "localhost" or _is_loopback(host))):
        return value
    raise ValueError("endpoint_url is for emulators on this machine; leave it out for AWS itself")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


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
    """A change freeze is on: rules read it as ``context.freeze``."""


class PatienceSettings(_Strict):
    """How long things may wait before they lapse."""

    decision: Duration = Patience().decision
    activation: Duration = Patience().activation


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
    store: StoreSettings = StoreSettings()
    signing: SigningSettings = SigningSettings()
    policy: PolicySettings = PolicySettings()
    patience: PatienceSettings = PatienceSettings()
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
    policy = Policy.load(folder / settings.policy.folder, catalog=catalog, directory=directory)
    store: Store = SqliteStore(folder / settings.store.path)
    ledger = Ledger(store, signer, verifier)
    world = World(freeze=settings.policy.freeze)
    judge = Judge(policy, catalog, directory, mechanisms, lambda: world)
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
    judge = Judge(Policy.nothing(), catalog, directory, mechanisms)
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
