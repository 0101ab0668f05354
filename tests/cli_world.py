"""A deployment in a folder, driven through the command line, over clouds in memory."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jitcloud import adapters, config
from jitcloud.audit import keys
from jitcloud.cli.program import Program
from jitcloud.cli.run import run
from jitcloud.library import Jitcloud
from jitcloud.model import (
    Area,
    Credentials,
    Entitlement,
    Guarantee,
    Person,
    Places,
    Plan,
    Request,
    RequestId,
    State,
    Window,
)
from jitcloud.providers.memory import KIND, MemoryAssignments, MemoryCloud, MemoryMechanism
from jitcloud.stores.sqlite import SqliteStore
from tests.world import PEOPLE, Time

CONFIG = """
[trial]
unsafe_act_as_anyone = true
"""

CATALOG = """
[[entitlement]]
id = "dev-read"
title = "Read in development"
cloud = "aws"
mechanism = "memory.session"
privilege = "read"
environment = "dev"
owner = "leads"

[[entitlement]]
id = "prod-write"
title = "Write in production"
cloud = "aws"
mechanism = "memory.session"
privilege = "write"
environment = "prod"
owner = "leads"

[[entitlement]]
id = "prod-role"
title = "A role in production"
cloud = "aws"
mechanism = "memory.assignment"
privilege = "admin"
environment = "prod"
owner = "leads"
target = { role = "admin" }
"""

POLICY = """
@id("dev-self-serve")
permit (principal in Group::"developers", action == Action::"activate",
        resource in Environment::"dev")
when { context.duration <= duration("8h") };

@id("prod-write")
@approval("1 of resource.owner")
permit (principal in Group::"developers", action == Action::"request",
        resource in Environment::"prod")
when { resource.privilege == Privilege::"write" && context.duration <= duration("4h") };

@id("prod-admin")
@approval("2 of leads")
permit (principal in Group::"developers", action == Action::"request",
        resource in Environment::"prod")
when { resource.privilege == Privilege::"admin" && context.duration <= duration("1h") };
"""

GLASS = """
@id("glass")
@review("within 24h by leads")
@notify("leads")
permit (principal in Group::"developers", action == Action::"breakGlass",
        resource in Environment::"prod")
when { context.duration <= duration("1h") };
"""

BRAKES = """
@id("may-stop")
permit (principal in Group::"leads", action == Action::"stop", resource);

@id("may-end")
permit (principal in Group::"leads", action == Action::"end", resource);
"""

HOSTILE = (
    ("", "is empty"),
    (" \u2003", "is empty"),
    ("x" * 1001, "has 1001 characters"),
    ("a\x1b[31mb", "contains U+001B"),
    ("a\nb", "contains U+000A"),
    ("a\u202eb", "contains U+202E"),
    ("a\udcffb", "contains U+DCFF"),
)
"""Texts that are not taken, and why."""

MARKUP = "[red]x[/red] :boom: <b> $(id) '\"`"
"""Text that is taken, and does nothing."""

LONGEST_SESSION = timedelta(hours=6)
LIFETIME = timedelta(minutes=15)
SECRET = "s3cr3t/+="  # noqa: S105 - it opens nothing


class MemorySessions:
    """Hands out sets of credentials that open nothing, each another one."""

    name = "memory.session"
    guarantee = Guarantee.CLOUD
    timeout = timedelta(seconds=10)

    def __init__(self) -> None:
        self.issued = 0
        self.faults: deque[Exception] = deque()

    def check(self, entitlement: Entitlement) -> tuple[str, ...]:
        return ("the target table must be empty",) if entitlement.target else ()

    def parts(self, entitlement: Entitlement, now: datetime) -> tuple[str, ...]:  # noqa: ARG002 - none
        return ()

    def plan(
        self,
        _: Entitlement,
        duration: timedelta,
        now: datetime,  # noqa: ARG002 - as the port has it
        *,
        part: str = "",  # noqa: ARG002 - the same
        person: Person | None = None,  # noqa: ARG002 - the same
    ) -> Plan:
        too_long = duration > LONGEST_SESSION
        return Plan(
            guarantee=self.guarantee,
            early_end="Giving back ends nothing early here.",
            residual=("A set lives on until the deadline.",),
            notes=("A set lives a quarter of an hour.",),
            problems=("The role gives 6h at most; ask for less.",) if too_long else (),
        )

    def places(self, entitlement: Entitlement, person: Person, *, part: str = "") -> Places:  # noqa: ARG002 - none
        return Places()

    def areas(self, entitlement: Entitlement, now: datetime) -> tuple[Area, ...]:  # noqa: ARG002 - none
        return ()

    def lifetime(self, request: Request, window: Window, now: datetime) -> timedelta:  # noqa: ARG002 - always the same
        return LIFETIME

    def issue(
        self,
        request: Request,  # noqa: ARG002 - sets are told apart by their number
        window: Window,
        lifetime: timedelta,
        now: datetime,
    ) -> Credentials:
        if self.faults:
            raise self.faults.popleft()
        self.issued += 1
        return Credentials(
            access_key_id=f"AKIA{self.issued}",
            secret_access_key=SECRET,
            session_token=f"token {self.issued} of 'ana'",
            expires_at=min(now + lifetime, window.deadline),
        )


class MemoryKeyring:
    """A keyring that is lost with the test."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.held.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.held[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        del self.held[service, username]


@dataclass(frozen=True, slots=True)
class Said:
    """What one command said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def error(self) -> Any:
        return json.loads(self.err.splitlines()[-1])["error"]


def nothing(_: float) -> None:
    pass


@dataclass
class CliWorld:
    """Runs commands in this process. Each opens the folder anew, as a process of its own would."""

    folder: Path
    capsys: pytest.CaptureFixture[str]
    monkeypatch: pytest.MonkeyPatch
    time: Time = field(default_factory=Time)
    sessions: MemorySessions = field(default_factory=MemorySessions)
    keyring: MemoryKeyring | None = field(default_factory=MemoryKeyring)
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": "/usr/bin:/bin"})
    sleep: Callable[[float], None] = nothing

    def __post_init__(self) -> None:
        self.cloud = MemoryCloud(self.time)
        self.write("jitcloud.toml", CONFIG)
        self.write("people.toml", PEOPLE)
        self.write("catalog.toml", CATALOG)
        self.write("policy/rules.cedar", POLICY)
        keys.create(self.folder / "keys")
        mechanisms = {self.sessions.name: self.sessions, KIND: MemoryMechanism()}
        kinds = {KIND: MemoryAssignments(self.cloud)}
        # No configuration can name a cloud in memory; everything else of it is real.
        for module in (config, adapters):
            self.monkeypatch.setattr(module, "clouds", lambda *_: (mechanisms, kinds))
        self.monkeypatch.setattr("jitcloud.cli.auditing.utc_now", self.time)

    def write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    def jit(self, *args: str, by: str | None = None) -> Said:
        """Run ``jitcloud args`` as somebody; return what it said."""
        acting = () if by is None else ("--unsafe-act-as", by)
        program = Program(
            environment=self.environment,
            open_deployment=self.opener,
            open_to_end=lambda file: Jitcloud(config.load_to_end(file, self.time)),
            keyring=lambda: self.keyring,
            sleep=self.sleep,
        )
        self.capsys.readouterr()
        code = run(["--config", str(self.folder), *acting, *args], program)
        out, err = self.capsys.readouterr()
        return Said(int(code), out, err)

    def opener(self, file: Path) -> Jitcloud:
        """Open a deployment at the time of this world."""
        return Jitcloud(config.load(file, self.time))

    # ── Shortcuts ────────────────────────────────────────────────────────────────────────────

    def ask(self, what: str = "dev-read", *more: str, by: str = "ana") -> str:
        """Ask; return the request's id."""
        because = ("--for", "30m", "--because", "testing")
        said = self.jit("request", what, *because, "--json", *more, by=by)
        name: str = said.json["id"]
        return name

    def permit(self, *rules: str) -> None:
        """Add rules to the policy."""
        self.write("policy/rules.cedar", POLICY + "".join(rules))

    def extend(self, name: str, *more: str, time: str = "30m") -> str:
        """Ask as Ana for more time; return the extension's id."""
        because = ("--for", time, "--because", "not done yet", "--json")
        extension: str = self.jit("extend", name, *because, *more, by="ana").json["id"]
        return extension

    def broken(self, *more: str, by: str = "ana") -> str:
        """Break the glass for writing in production; return the request's id."""
        return self.ask("prod-write", "--break-glass", "--incident", "INC-9", *more, by=by)

    def granted(self) -> str:
        """Let Ana write in production; return the request's id."""
        name = self.ask("prod-write")
        assert self.jit("approve", name, by="ben").code == 0
        return name

    def now(self, name: str) -> Request:
        with self.store() as store:
            found = store.request(RequestId(name))
        assert found is not None
        return found

    def state(self, name: str) -> State:
        return self.now(name).state

    def recorded(self) -> tuple[int, list[str]]:
        """How many requests there are, and what happened to the deployment as a whole."""
        with self.store() as store:
            events = store.control_events()
            return len(store.ids(1000)), [line.event.what.type for line in events]

    def trail(self, name: str) -> list[str]:
        """What happened to a request."""
        with self.store() as store:
            return [line.event.what.type for line in store.events(RequestId(name))]

    def now_waiting(self) -> str:
        """The one request that waits for votes."""
        with self.store() as store:
            (request,) = store.by_state(State.PENDING, 2).requests
        return request.id

    def approve_elsewhere(self, name: str) -> None:
        """Let Ben say yes from another process, while a command runs here."""
        with self.opener(self.folder) as jitcloud:
            jitcloud.acting_as("ben").approve(name)

    def store(self) -> Opened:
        return Opened(self.folder / "jitcloud.db")


@dataclass
class Opened:
    """The record, open for a moment."""

    path: Path

    def __enter__(self) -> SqliteStore:
        self.opened = SqliteStore(self.path)
        return self.opened

    def __exit__(self, *_: object) -> None:
        self.opened.close()
