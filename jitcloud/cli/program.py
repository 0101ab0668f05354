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
from jitcloud.cli.kept import Kept
from jitcloud.cli.system_keyring import Keyring, os_keyring
from jitcloud.errors import Invalid

if TYPE_CHECKING:
    # Loading these takes longer than anything that --help and completion do.
    from jitcloud.config import Deployment
    from jitcloud.library import Acting, Jitcloud
    from jitcloud.ports import Store, Verifier

FILE = "jitcloud.toml"


def _open(file: Path) -> Jitcloud:
    from jitcloud.library import load  # noqa: PLC0415 - see above

    return load(file)


def _open_to_end(file: Path) -> Jitcloud:
    from jitcloud.library import load_to_end  # noqa: PLC0415 - see above

    return load_to_end(file)


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
    json: bool = False
    debug: bool = False
    config: Path | None = None
    unsafe_act_as: str | None = None

    @property
    def file(self) -> Path:
        """The configuration: as said, else as the environment says, else in this folder."""
        return self.config or Path(self.environment.get("JITCLOUD_CONFIG") or FILE)

    @property
    def handle(self) -> str | None:
        """Whom to act as: as said, else as the environment says."""
        return self.unsafe_act_as or self.environment.get("JITCLOUD_UNSAFE_ACT_AS") or None

    @contextmanager
    def opened(self) -> Iterator[Jitcloud]:
        """Open the deployment, and close it afterwards."""
        with self.open_deployment(self.file) as jitcloud:
            yield jitcloud

    @contextmanager
    def opened_to_end(self) -> Iterator[Jitcloud]:
        """Open the deployment to end access: a mistake in its files must not keep any alive."""
        with self.open_to_end(self.file) as jitcloud:
            if jitcloud.deployment.broken:
                say.aside("jitcloud: only ends go on until this is mended:")
                say.aside(jitcloud.deployment.broken)
            yield jitcloud

    @contextmanager
    def acting(self, *, to_end: bool = False) -> Iterator[Acting]:
        """Open the deployment as the person who speaks."""
        if self.handle is None:
            raise Invalid(
                "Say who you are: on one machine that is --unsafe-act-as with an id or e-mail of"
                " the directory, or JITCLOUD_UNSAFE_ACT_AS."
            )
        with self.opened_to_end() if to_end else self.opened() as jitcloud:
            yield jitcloud.acting_as(self.handle)

    def kept(self, deployment: Deployment) -> Kept:
        """What the system's keyring holds for this record."""
        return Kept(self.keyring(), deployment.folder / deployment.settings.store.path)

    @contextmanager
    def record(self) -> Iterator[tuple[Store, Verifier]]:
        """Open the record alone: no policy, no cloud, no signing key."""
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
