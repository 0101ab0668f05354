"""What one run of the command line was told, and what it can reach."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from jitcloud.cli import say
from jitcloud.clock import utc_now
from jitcloud.errors import Invalid, Misconfigured
from jitcloud.ports import Clock
from jitcloud.system_keyring import Keyring, os_keyring
from jitcloud.text import printable

if TYPE_CHECKING:
    # Loading these takes longer than anything that --help and completion do.
    from jitcloud import library
    from jitcloud.cli.acting import Acting
    from jitcloud.cli.signing import SignIn
    from jitcloud.cli.there import There
    from jitcloud.library import Jitcloud
    from jitcloud.ports import Store, Verifier
    from jitcloud.signing_in.client_settings import ApiSettings
    from jitcloud.signing_in.session import OidcSession

FILE = "jitcloud.toml"

_HERE = ("JITCLOUD_CONFIG", "JITCLOUD_UNSAFE_ACT_AS")
"""Variables that name a deployment of this machine, or whom to act as there."""


def _open(file: Path) -> Jitcloud:
    from jitcloud.library import load  # noqa: PLC0415 - see above

    return load(file)


def _open_to_end(file: Path) -> Jitcloud:
    from jitcloud.library import load_to_end  # noqa: PLC0415 - see above

    return load_to_end(file)


def open_page(url: str) -> None:
    """Show the address of a page, and open it where somebody can see it."""
    from jitcloud.cli.browsing import show  # noqa: PLC0415 - see above

    show(url)


def _open_record(file: Path) -> tuple[Store, Verifier]:
    from jitcloud.config import open_record  # noqa: PLC0415 - see above

    return open_record(file)


@dataclass(slots=True)
class Program:
    """The options that every command takes, and the ways out: tests hand in their own."""

    args: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)
    open_deployment: Callable[[Path], Jitcloud] = _open
    open_to_end: Callable[[Path], Jitcloud] = _open_to_end
    open_record: Callable[[Path], tuple[Store, Verifier]] = _open_record
    keyring: Callable[[], Keyring | None] = os_keyring
    sleep: Callable[[float], None] = time.sleep
    open_page: Callable[[str], None] = open_page
    clock: Clock = utc_now
    """By which an API is spoken to; a deployment here has its own."""
    json: bool = False
    debug: bool = False
    config: Path | None = None
    unsafe_act_as: str | None = None
    api: str | None = None

    # ── Where ────────────────────────────────────────────────────────────────────────────────

    @property
    def remote(self) -> ApiSettings | None:
        """The API that commands talk to; None where they work on this machine.

        An option counts before the environment, and that before the file of the person. Raises
        ``Invalid`` where two that count alike contradict each other, and ``Misconfigured``.
        """
        for api, here in (
            (
                ("--api", self.api),
                (("--config", self.config), ("--unsafe-act-as", self.unsafe_act_as)),
            ),
            (
                ("JITCLOUD_API", self.environment.get("JITCLOUD_API")),
                tuple((name, self.environment.get(name)) for name in _HERE),
            ),
        ):
            named = [name for name, value in here if value]
            if api[1] and named:
                raise Invalid(
                    f"{api[0]} works by an API, and {named[0]} on this machine; leave one of them"
                    " out."
                )
            if named:
                return None
            if api[1]:
                break
        from jitcloud.signing_in.client_settings import read_client_settings  # noqa: PLC0415 - see above

        return read_client_settings(self.environment, {"url": self.api})

    @property
    def is_nobody(self) -> bool:
        """Whether commands work on this machine, and nobody has said whom they act as."""
        return self.remote is None and self.handle is None

    @property
    def file(self) -> Path:
        """The configuration: as said, else as the environment says, else in this folder."""
        return self.config or Path(self.environment.get("JITCLOUD_CONFIG") or FILE)

    @property
    def handle(self) -> str | None:
        """Whom to act as: as said, else as the environment says."""
        return self.unsafe_act_as or self.environment.get("JITCLOUD_UNSAFE_ACT_AS") or None

    # ── On this machine ──────────────────────────────────────────────────────────────────────

    @contextmanager
    def opened(self) -> Iterator[Jitcloud]:
        """Open the deployment, and close it afterwards."""
        self._stays_here()
        with self.open_deployment(self.file) as jitcloud:
            yield jitcloud

    @contextmanager
    def opened_to_end(self) -> Iterator[Jitcloud]:
        """Open the deployment to end access: a mistake in its files must not keep any alive."""
        self._stays_here()
        with self.open_to_end(self.file) as jitcloud:
            if jitcloud.deployment.broken:
                say.aside("jitcloud: only ends go on until this is mended:")
                say.aside(jitcloud.deployment.broken)
            yield jitcloud

    def _stays_here(self) -> None:
        """Say so where somebody means an API: whoever operates a deployment does so where it is."""
        if self.api is not None:
            raise Invalid(
                "This works on a deployment of this machine alone; leave --api out, and name its"
                " jitcloud.toml with --config."
            )
        found = self.file / FILE if self.file.is_dir() else self.file
        if found.exists():
            return
        settings = self.remote
        if settings is not None:
            raise Misconfigured(
                f"This works on a deployment of this machine alone, and {printable(str(found))} is"
                f" not there; leave it to whoever operates {settings.url}, or name a jitcloud.toml"
                " with --config."
            )

    @contextmanager
    def operating(self, *, to_end: bool = False) -> Iterator[library.Acting]:
        """Open the deployment of this machine as the person who speaks."""
        if self.handle is None:
            raise Invalid(
                "Say who you are: on one machine that is --unsafe-act-as with an id or e-mail of"
                " the directory, or JITCLOUD_UNSAFE_ACT_AS."
            )
        with self.opened_to_end() if to_end else self.opened() as jitcloud:
            yield jitcloud.acting_as(self.handle)

    # ── Wherever it is ───────────────────────────────────────────────────────────────────────

    @contextmanager
    def acting(self, *, to_end: bool = False) -> Iterator[Acting]:
        """Reach the deployment as the person who speaks, here or by its API."""
        settings = self.remote
        if settings is not None:
            yield self.there(settings)
            return
        from jitcloud.cli.here import Here  # noqa: PLC0415 - see above
        from jitcloud.cli.kept import Kept  # noqa: PLC0415 - see above

        with self.operating(to_end=to_end) as acting:
            deployment = acting.deployment
            record = deployment.folder / deployment.settings.store.path
            yield Here(deployment.judge, acting, Kept(self.keyring(), str(record.resolve())))

    def there(self, settings: ApiSettings, session: OidcSession | None = None) -> There:
        """Return what speaks to an API, by a session if there is one. Asks nobody yet."""
        from jitcloud.cli import there  # noqa: PLC0415 - see above
        from jitcloud.remote.calls import Calls  # noqa: PLC0415 - see above
        from jitcloud.remote.remote import Remote  # noqa: PLC0415 - see above

        signed = self.signed(settings)
        if session is not None:
            signed.session = session
        return there.There(
            remote=Remote(Calls(settings.url, signed.presented, self.sleep, signed.signing())),
            bind=signed.bound,
            clock=self.clock,
            sleep=self.sleep,
            keyring=self.keyring(),
        )

    def signed(self, settings: ApiSettings) -> SignIn:
        """Return somebody's sign-in at an API. Asks nobody yet."""
        from jitcloud.cli.signing import SignIn  # noqa: PLC0415 - see above

        return SignIn(settings, self)

    @contextmanager
    def record(self) -> Iterator[tuple[Store, Verifier]]:
        """Open the record alone: no policy, no cloud, no signing key."""
        self._stays_here()
        store, verifier = self.open_record(self.file)
        try:
            yield store, verifier
        finally:
            store.close()


def program_of(context: typer.Context) -> Program:
    """Return what this run was told."""
    found = context.find_object(Program)
    assert found is not None  # noqa: S101 - run() hands one in
    return found
