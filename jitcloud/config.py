"""The composition root: reads ``jitcloud.toml`` and puts the parts together.

The only module that knows every adapter, each imported when its cloud is configured.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Self

from jitcloud import looking
from jitcloud.adapters import (
    anchoring_of,
    anchors_of,
    clouds,
    directory_of,
    freezes_of,
    identities_of,
    journal_of,
    notifier_of,
    people_of,
    public_key_of,
    publishers_of,
    sign_ins_of,
    signer_of,
    store_of,
    tickets_of,
    trusted_keys,
)
from jitcloud.advance import Advance
from jitcloud.asking import Patience
from jitcloud.audit.public_keys import PublicKey, TrustedKeys
from jitcloud.broker import Broker
from jitcloud.catalog import Catalog
from jitcloud.checkpointing import WITHIN, Checkpointing
from jitcloud.converge import Converger
from jitcloud.directories.unreadable import Unreadable
from jitcloud.errors import Misconfigured
from jitcloud.facts import Surroundings
from jitcloud.files import read_toml
from jitcloud.judge import Judge
from jitcloud.ledger import Ledger
from jitcloud.model import Credentials
from jitcloud.outbox import Outbox
from jitcloud.policy import Policy
from jitcloud.policy.folder import PolicyFolder
from jitcloud.ports import Anchors, Clock, Directory, Identities, Store, Verifier
from jitcloud.publish_settings import channels_to_end
from jitcloud.reconcile import Reconciler
from jitcloud.settings import FILE, Settings, read_settings, read_to_end
from jitcloud.sign_ins import SignInBook
from jitcloud.sweep import Swept, Telling, never, sweep
from jitcloud.sweeping import sweep_for
from jitcloud.telling import CHANNEL, Teller
from jitcloud.text import did_you_mean, quoted

if TYPE_CHECKING:
    import boto3

    from jitcloud.anchoring import Anchored


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One organisation's jitcloud, put together."""

    settings: Settings
    folder: Path
    broker: Broker
    advance: Advance
    clock: Clock
    telling: Telling | None = None
    """Who tells people what happened; None where nobody is told."""
    outbox: Outbox | None = None
    """Which passes it on to other programs; None where there are none."""
    book: SignInBook | None = None
    """What tokens have said of people; None where nothing of it is kept."""
    checkpointing: Checkpointing | None = None
    """Who writes checkpoints of the record; None where none are kept, or nothing is signed."""
    advances: bool = True
    """Whether whoever decides here also drives clouds; else others do, woken by the record."""
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

    def identities(self) -> Identities | None:
        """Who verifies who is calling; None where nobody can call. Raises ``Misconfigured``.

        Made anew each time, and made once by whoever takes calls: it remembers keys of issuers.
        """
        directory = self.judge.directory
        return identities_of(self.settings, self.folder, directory, self.clock, self.book)

    def sweep(self) -> Swept:
        """Do whatever is due: lapses, starts, deadlines, retries, messages."""
        return sweep(
            self.advance,
            telling=self.telling,
            outbox=self.outbox,
            anchoring=self.checkpointing,
        )

    def sweep_once(self) -> Swept:
        """Sweep, and wait until what goes on beside it is over, or time has run out."""
        swept = self.sweep()
        if self.outbox is not None:
            swept = replace(swept, troubles=(*swept.troubles, *self.outbox.finish().troubles))
        if self.checkpointing is not None:
            swept = replace(swept, troubles=(*swept.troubles, *self.checkpointing.finish()))
        return swept

    def sweep_for(
        self,
        duration: timedelta,
        *,
        pause: Callable[[float], None],
        stopped: Callable[[], bool] = never,
        tell: Callable[[Swept], None] | None = None,
    ) -> Swept:
        """Go on doing whatever is due, for so long; see ``jitcloud.sweeping``."""
        return sweep_for(
            self.advance,
            duration,
            pause,
            telling=self.telling,
            outbox=self.outbox,
            anchoring=self.checkpointing,
            stopped=stopped,
            tell=tell,
        )

    def checkpoint(self) -> tuple[Anchored, ...]:
        """Write a checkpoint of the record, or several where much is new; return each.

        Raises ``Misconfigured`` where none are kept or nothing is signed, and ``Conflict`` where
        another process has written one meanwhile.
        """
        if self.checkpointing is None:
            raise Misconfigured(
                self.broken
                or f"No checkpoints are kept: say where in {FILE}, by path or bucket in [anchors]."
            )
        return self.checkpointing.write(self.clock() + WITHIN)

    def reconciler(
        self,
        *,
        ends_leaked: bool = False,
        is_dry: bool = False,
        former: Iterable[Path] = (),
        left_out: Collection[str] = (),
    ) -> Reconciler:
        """What compares the clouds with the record; see ``jitcloud.reconcile``.

        ``former`` names catalogs of the past. Raises ``Misconfigured`` where one of them, or
        anything of this deployment, cannot be read: then too little would be looked at.
        """
        if self.broken:
            raise Misconfigured(
                f"Nothing is compared until this is mended; ends go on.\n{self.broken}"
            )
        converger = self.advance.converger
        return Reconciler(
            ledger=self.ledger,
            kinds=converger.kinds,
            mechanisms=self.judge.mechanisms,
            catalog=self.judge.catalog,
            clock=self.clock,
            journal=converger.journal,
            former=tuple(entitlement for path in former for entitlement in Catalog.load(path)),
            ends_leaked=ends_leaked,
            is_dry=is_dry,
            left_out=left_out,
        )

    def close(self) -> None:
        """Let go of the record."""
        if self.outbox is not None:
            self.outbox.close()
        if self.checkpointing is not None:
            self.checkpointing.close()
        self.ledger.store.close()
        if self.book is not None:
            self.book.kept.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def load(
    path: Path, clock: Clock, *, signs: bool = True, ask: looking.Ask | None = None
) -> Deployment:
    """Read a configuration and put its parts together.

    ``path`` is the file, or the folder it is in. Opens no connection to any cloud.
    Who drives clouds does not sign (``signs``), and needs no right to. Who decides and may reach
    no cloud asks another that reads them (``ask``), and leaves it to others to drive them.
    Raises ``Misconfigured`` with all that is wrong in the first file that is.
    """
    file = path / FILE if path.is_dir() else path
    folder = file.parent
    settings = read_settings(file)
    signer, verifier = signer_of(settings, folder, clock, signs=signs)
    mechanisms, kinds = clouds(settings, clock)
    if ask is not None:
        mechanisms = {name: looking.Asked(each, ask) for name, each in mechanisms.items()}
    kept = sign_ins_of(settings, folder)
    book = None if kept is None else SignInBook(kept, verifier, signer)
    by_file = directory_of(settings, folder)
    directory = people_of(by_file, clock, book)
    catalog = Catalog.load(folder / settings.catalog, mechanisms)
    _owners_exist(settings.catalog, catalog, by_file)
    look = _surroundings(settings, folder)
    notifier = notifier_of(settings, folder, clock)
    store = store_of(settings, folder)
    people_hear = () if notifier is None else (CHANNEL,)
    subscriptions = publishers_of(settings, folder, clock)
    anchoring = anchoring_of(settings, folder, store, signer, clock)
    channels = (*people_hear, *(each.channel for each in subscriptions))
    ledger = Ledger(store, signer, verifier, channels)
    folder_of_rules = PolicyFolder(folder / settings.policy.folder, tuple(catalog), by_file)
    judge = Judge(
        folder_of_rules(),
        catalog,
        directory,
        mechanisms,
        look=look,
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
        advance=Advance(
            ledger,
            judge,
            Converger(store, kinds, clock, journal_of(settings, folder), ledger.doubts),
        ),
        clock=clock,
        telling=None if notifier is None else Teller(store, directory, notifier, clock),
        outbox=Outbox(store, subscriptions, clock, people_hear) if channels else None,
        book=book,
        checkpointing=None if anchoring is None else Checkpointing(anchoring),
        advances=ask is None,
    )


def _surroundings(settings: Settings, folder: Path) -> Surroundings:
    tickets, incidents = settings.tickets, settings.incidents
    return Surroundings(
        freezes=freezes_of(settings),
        tickets=None if tickets is None else tickets_of(tickets, folder),
        incidents=None if incidents is None else tickets_of(incidents, folder),
    )


def load_to_end(
    path: Path, clock: Clock, *, signs: bool = True, ask: looking.Ask | None = None
) -> Deployment:
    """Put together at least what ends access, whatever else is wrong.

    Ending asks neither policy, nor catalog, nor directory, nor any key: a mistake in their
    files must not keep access alive. ``broken`` says what is wrong, if anything is.
    Raises ``Misconfigured`` when not even the record can be read, or what ``jitcloud.toml`` says
    of it and of the clouds.
    """
    try:
        return load(path, clock, signs=signs, ask=ask)
    except Misconfigured as exc:
        broken = str(exc)
    file = path / FILE if path.is_dir() else path
    settings = read_to_end(file)
    mechanisms, kinds = clouds(settings, clock)
    store = store_of(settings, file.parent)
    try:
        verifier = trusted_keys(settings, file.parent)
    except Misconfigured:
        verifier = TrustedKeys(())
    # What ends meanwhile is told once everything is mended.
    tables = read_toml(file)
    people_hear = (CHANNEL,) if "mail" in tables else ()
    channels = (*people_hear, *channels_to_end(tables.get("publish")))
    ledger = Ledger(store, None, verifier, channels)
    catalog, directory = Catalog({}), Unreadable(broken)
    judge = Judge(Policy.nothing(), catalog, directory, mechanisms, renew=directory.policy)
    return Deployment(
        settings=settings,
        folder=file.parent,
        broker=Broker(ledger, judge),
        advance=Advance(ledger, judge, Converger(store, kinds, clock, doubts=ledger.doubts)),
        clock=clock,
        advances=ask is None,
        broken=broken,
    )


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


def open_record(file: Path) -> tuple[Store, Verifier]:
    """Open the record alone, to verify or export it: no policy, no cloud, no private key."""
    settings = read_settings(file / FILE if file.is_dir() else file)
    folder = file if file.is_dir() else file.parent
    return store_of(settings, folder), trusted_keys(settings, folder)


def open_anchors(file: Path) -> tuple[Anchors | None, tuple[PublicKey, ...]]:
    """Return where checkpoints are kept, if anywhere, and whose signatures count.

    Raises ``Misconfigured``.
    """
    settings = read_settings(file / FILE if file.is_dir() else file)
    folder = file if file.is_dir() else file.parent
    return anchors_of(settings, folder), trusted_keys(settings, folder).known


def public_key(file: Path, clock: Clock) -> tuple[PublicKey, Path]:
    """Return the public half of the key that signs now, and the folder for such.

    Raises ``Misconfigured``, and ``Unavailable`` while KMS cannot be asked.
    """
    settings = read_settings(file / FILE if file.is_dir() else file)
    folder = file if file.is_dir() else file.parent
    return public_key_of(settings, folder, clock), folder / settings.signing.folder


def boto3_session(
    settings: Settings, issue: Callable[[], Credentials], deadline: datetime
) -> boto3.Session:
    """Make a boto3 session that asks ``issue`` for credentials, and anew as they run out."""
    from jitcloud.providers.aws.session import refreshing_session  # noqa: PLC0415 - loads the SDK

    region = None if settings.aws is None else settings.aws.region
    return refreshing_session(issue, deadline, region)
