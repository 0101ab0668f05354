"""A deployment behind a real server, and people whose commands talk to it, or work beside it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from jitcloud import config
from jitcloud.cli.program import Program
from jitcloud.cli.run import run
from jitcloud.emulators.oidc import OidcIssuer
from jitcloud.serving.answering import Answering, resolver
from tests.cli_world import BRAKES, CATALOG, GLASS, POLICY, CliWorld, MemoryKeyring, Said
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
class RemoteWorld(CliWorld):
    """``there`` runs a command by the API, ``jit`` the same one on the deployment's machine."""

    issuer: OidcIssuer = field(default_factory=OidcIssuer)
    keyrings: dict[str, MemoryKeyring] = field(default_factory=dict)
    url: str = ""
    server: Running | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        furnish(self)
        self.browser = Browser()

    def settle(self, url: str) -> None:
        """Write what a person's client.toml says."""
        self.url = url
        folder = self.folder / "home" / "jitcloud"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "client.toml").write_text(
            f'[api]\nurl = "{url}"\nsign_in = "oidc"\nissuer = "{self.issuer.url}"\n'
            f'client_id = "{self.issuer.client_id}"\n'
        )

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
        program = Program(
            environment={
                "PATH": "/usr/bin:/bin",
                "HOME": str(self.folder / "home"),
                "XDG_CONFIG_HOME": str(self.folder / "home"),
                **environment,
            },
            keyring=lambda: self.keyrings.setdefault(by, MemoryKeyring()),
            sleep=self.sleep,
            open_page=self.browser,
            clock=self.time,
        )
        self.capsys.readouterr()
        code = run(list(args), program)
        out, err = self.capsys.readouterr()
        return Said(int(code), out, err)

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
    world.issuer = OidcIssuer(clock=world.time).start()
    for name in ("ana", "ben", "caro"):
        world.issuer.add(name)
    return world
