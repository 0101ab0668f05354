"""A deployment behind a real server, and people whose commands talk to it, or work beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from jitcloud import config
from jitcloud.cli.program import Program
from jitcloud.cli.run import run
from jitcloud.clock import utc_now
from jitcloud.emulators.oidc import OidcIssuer
from jitcloud.ports import Clock
from jitcloud.serving.answering import Answering, resolver
from tests.cli_world import BRAKES, CATALOG, GLASS, POLICY, CliWorld, MemoryKeyring, Said, nothing
from tests.serving.served import Running, running
from tests.signing_in import Browser

BOUND = """
[[entitlement]]
id = "prod-bound"
title = "Write in production, said twice"
cloud = "aws"
mechanism = "memory.session"
privilege = "write"
environment = "prod"
owner = "leads"
bound_votes = true
"""


class _Fixed:
    """What answers is put together once; serving itself renews it."""

    def __init__(self, answering: Answering) -> None:
        self.answering = answering


@dataclass
class AtHome:
    """Runs commands in this process as people do on machines of their own."""

    folder: Path
    capsys: pytest.CaptureFixture[str]
    keyring: Callable[[], MemoryKeyring]
    sleep: Callable[[float], None] = nothing
    open_page: Callable[[str], None] = field(default_factory=Browser)
    clock: Clock = utc_now
    keyrings: dict[str, MemoryKeyring] = field(default_factory=dict)
    url: str = ""

    @property
    def file(self) -> Path:
        return self.folder / "jitcloud" / "client.toml"

    def settle(self, url: str, issuer: str, client_id: str) -> None:
        """Write what client.toml says of an API and an issuer."""
        self.write(url, f'sign_in = "oidc"\nissuer = "{issuer}"\nclient_id = "{client_id}"\n')

    def write(self, url: str, more: str) -> None:
        """Write what it says of an API, and more."""
        self.url = url
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(f'[api]\nurl = "{url}"\n{more}')

    def jit(self, *args: str, by: str = "ana", **environment: str) -> Said:
        """Run ``jitcloud args`` with what is in somebody's keyring."""
        home = {"HOME": str(self.folder), "XDG_CONFIG_HOME": str(self.folder)}
        program = Program(
            environment={"PATH": "/usr/bin:/bin", **home, **environment},
            keyring=lambda: self.keyrings.setdefault(by, self.keyring()),
            sleep=self.sleep,
            open_page=self.open_page,
            clock=self.clock,
        )
        self.capsys.readouterr()
        code = run(list(args), program)
        out, err = self.capsys.readouterr()
        return Said(int(code), out, err)


@dataclass
class RemoteWorld(CliWorld):
    """``there`` runs a command by the API, ``jit`` the same one on the deployment's machine."""

    issuer: OidcIssuer = field(default_factory=OidcIssuer)
    server: Running | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        furnish(self)
        self.browser = Browser()
        self.home = AtHome(self.folder / "home", self.capsys, MemoryKeyring)

    def settle(self, url: str) -> None:
        """Write what a person's client.toml says."""
        self.home.settle(url, self.issuer.url, self.issuer.client_id)

    @contextmanager
    def served(self) -> Iterator[Running]:
        """Serve the deployment, and have everybody's commands talk to it."""
        said = f'\n[[sign_in.issuer]]\nurl = "{self.issuer.url}"\n'
        self.write(
            "jitcloud.toml",
            f"{(self.folder / 'jitcloud.toml').read_text()}{said}"
            f'audiences = ["{self.issuer.client_id}"]\n',
        )
        with config.load(self.folder, self.time) as deployment:
            answering = Answering(deployment)
            assert answering.broken == ""
            with running(resolver(_Fixed(answering))) as server:  # type: ignore[arg-type] # as its comment says
                self.server = server
                self.settle(f"http://127.0.0.1:{server.port}")
                yield server

    def there(self, *args: str, by: str | None = "ana", token: str | None = None) -> Said:
        """Run ``jitcloud args`` by the API, as somebody who shows a token of theirs."""
        if token is None and by is not None:
            token = self.issuer.token(by)
        return self.at_home(*args, by=by or "nobody", JITCLOUD_TOKEN=token or "")

    def at_home(self, *args: str, by: str = "ana", **environment: str) -> Said:
        """Run it with what is in somebody's keyring."""
        self.home.sleep, self.home.open_page, self.home.clock = self.sleep, self.browser, self.time
        return self.home.jit(*args, by=by, **environment)

    def asked_there(self, what: str = "dev-read", *more: str, by: str = "ana") -> Any:
        """Ask by the API; return the request as JSON."""
        because = ("--for", "30m", "--because", "testing", "--json")
        return self.there("request", what, *because, *more, by=by).json


def furnish(world: CliWorld) -> None:
    """Write the files that a deployment of these tests has."""
    world.write("policy/rules.cedar", POLICY + GLASS + BRAKES)
    world.write("catalog.toml", CATALOG + BOUND)


def world_in(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> RemoteWorld:
    """Make one; its issuer is started, and has to be stopped."""
    world = RemoteWorld(folder, capsys, monkeypatch)
    world.issuer = OidcIssuer(clock=world.time, algorithm="ES256").start()
    for name in ("ana", "ben", "caro"):
        world.issuer.add(name)
    return world
