"""``jitcloud serve`` over a deployment in a folder: as a process, or within the test's own."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jitcloud.clock import utc_now
from jitcloud.emulators.oidc import OidcIssuer
from jitcloud.observing import logs
from jitcloud.ports import Clock
from jitcloud.serving.server import Serving
from tests import deployments
from tests.serving.callers import PATIENCE, Answer, Caller

NOWHERE = "http://127.0.0.1:9"
"""Of a cloud at which nothing answers. Sessions are granted without asking it anything."""

COMMAND = str(Path(sys.executable).parent / "jitcloud")


def make(folder: Path, issuer: OidcIssuer, cloud: str = NOWHERE, serve: str = "") -> Path:
    """Write a deployment in which people sign in at that issuer."""
    deployments.make(
        folder,
        endpoint_url=cloud,
        entitlements={
            name: {"role_arn": f"arn:aws:iam::111122223333:role/{name}"}
            for name in ("dev-read", "prod-read")
        },
    )
    with (folder / "jitcloud.toml").open("a") as file:
        file.write(
            f'\n[[sign_in.issuer]]\nurl = "{issuer.url}"\naudiences = ["{issuer.client_id}"]\n'
            f"\n[serve]\n{serve}\n"
        )
    return folder


@dataclass
class Api(Caller):
    """Calls the API as people do."""

    issuer: OidcIssuer
    tokens: dict[str, str] = field(default_factory=dict)

    def ask(
        self,
        who: str,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        **headers: str,
    ) -> Answer:
        """Call as somebody who has signed in."""
        token = self.tokens.setdefault(who, self.issuer.token(who))
        known = {"Authorization": f"Bearer {token}", **headers}
        if body is not None:
            known["Content-Type"] = "application/json"
        sent = b"" if body is None else json.dumps(body).encode()
        return self.call(method, path, body=sent, headers=known)

    def wrong(self) -> list[str]:
        """What ``/readyz`` says is wrong."""
        told: list[str] = self.call(path="/readyz").json["wrong"]
        return told

    def until(self, is_so: Callable[[], bool]) -> None:
        """Wait for something that the server does by itself."""
        give_up = time.monotonic() + PATIENCE
        while not is_so():
            assert time.monotonic() < give_up
            time.sleep(0.05)

    def until_state(self, who: str, request: str, state: str) -> None:
        """Wait until a request is in a state."""
        self.until(lambda: self.ask(who, "GET", f"/v1/requests/{request}").json["state"] == state)


@dataclass
class Process(Api):
    """One process that serves."""

    process: subprocess.Popen[str] = field(kw_only=True)
    log: Path = field(kw_only=True)

    def lines(self) -> list[dict[str, Any]]:
        """What it has logged so far; each line is JSON."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def stopped(self, by: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop; return its exit code."""
        self.process.send_signal(by)
        return self.process.wait(PATIENCE)


@contextmanager
def process(
    folder: Path, issuer: OidcIssuer, command: Sequence[str] = (COMMAND,)
) -> Iterator[Process]:
    """Run ``jitcloud serve`` on a free port."""
    log = folder.parent / f"{time.monotonic_ns()}.log"
    with (
        log.open("w") as stderr,
        subprocess.Popen(  # noqa: S603 - our own command
            [*command, "serve", "--config", str(folder), "--port", "0", "--json"],
            env={"AWS_ACCESS_KEY_ID": "of-nobody", "AWS_SECRET_ACCESS_KEY": "of-nobody"},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as started,
    ):
        try:
            assert started.stdout is not None
            url = json.loads(started.stdout.readline() or log.read_text())["url"]
            port = int(url.rpartition(":")[2])
            yield Process(port, issuer, process=started, log=log)
        finally:
            if started.poll() is None:
                started.kill()


@dataclass
class Within(Api):
    """A server in a thread of the test."""

    said: io.StringIO = field(kw_only=True)

    def lines(self, event: str = "") -> list[dict[str, Any]]:
        """What was logged so far, of one event or of all."""
        told = [json.loads(line) for line in self.said.getvalue().splitlines()]
        return [line for line in told if event in {"", line["event"]}]


@contextmanager
def within(
    folder: Path, issuer: OidcIssuer, clock: Clock = utc_now, host: str = "127.0.0.1"
) -> Iterator[Within]:
    """Serve in a thread; whatever it began has ended afterwards."""
    listens = threading.Event()
    heard: list[tuple[str, Callable[[], None]]] = []

    def listening(url: str, stop: Callable[[], None]) -> None:
        heard.append((url, stop))
        listens.set()

    serving = Serving(path=folder, host=host, port=0, clock=clock, listening=listening)
    codes: list[int] = []
    before = set(threading.enumerate())
    said = io.StringIO()
    with logs.written(said):
        thread = threading.Thread(target=lambda: codes.append(serving.run()))
        thread.start()
        assert listens.wait(PATIENCE), said.getvalue()
        (url, stop) = heard[0]
        try:
            yield Within(int(url.rpartition(":")[2]), issuer, said=said)
        finally:
            stop()
            thread.join(PATIENCE)
    assert codes == [0]
    assert {each.name for each in set(threading.enumerate()) - before} == set()
