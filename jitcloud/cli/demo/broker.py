"""The broker's process as the demo sees it: started, asked, killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Self

from jitcloud import codec
from jitcloud.cli.demo.timeline import Unexpected
from jitcloud.errors import JitError
from jitcloud.model import Credentials, Request

_STOPS_WITHIN = 5.0
_SERVE = "import sys; from jitcloud.cli.demo.serve import serve; serve(sys.argv[1])"

LOG = "broker.log"


class Said(JitError):
    """The broker said no: its own sentence, and which kind of no that is."""

    def __init__(self, kind: str, sentence: str) -> None:
        """Take over both from the broker's process."""
        super().__init__(sentence)
        self.kind = kind


class BrokerProcess:
    """A broker in a process of its own. It alone has the broker's cloud credentials."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        """Remember what it needs. Starts nothing yet."""
        self._folder = folder
        self._environment = {**os.environ, **environment}
        self._process: subprocess.Popen[str] | None = None
        self.issued: list[Credentials] = []
        """Every set that it handed out: for looking whether it kept any of them."""

    def start(self) -> Self:
        """Start it and wait until it is ready."""
        with (self._folder / LOG).open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and text
                [sys.executable, "-c", _SERVE, str(self._folder)],
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        self._hear()
        return self

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._running().pid

    def kill(self) -> int:
        """Kill it with SIGKILL, which it cannot prepare for; return what ended it."""
        process = self._running()
        os.kill(process.pid, signal.SIGKILL)
        ended = process.wait()
        self._let_go()
        return ended

    def stop(self) -> None:
        """End it by letting go of its input. Idempotent."""
        if self._process is None:
            return
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(_STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._let_go()

    # ── What people ask of it. Each raises ``Said`` where the broker says no. ────────────────

    def request(self, who: str, entitlement: str, duration: str, because: str) -> Request:
        """Ask for access."""
        return self._moved(
            {"as": who, "do": "request"},
            {"entitlement": entitlement, "duration": duration, "because": because},
        )

    def approve(self, who: str, request: Request) -> Request:
        """Say yes."""
        return self._moved({"as": who, "do": "approve", "id": request.id})

    def give_back(self, who: str, request: Request) -> Request:
        """End one's own access early."""
        return self._moved({"as": who, "do": "give-back", "id": request.id})

    def revoke(self, who: str, request: Request, because: str) -> Request:
        """End somebody's access."""
        return self._moved({"as": who, "do": "revoke", "id": request.id, "because": because})

    def hasten(self, who: str, request: Request) -> Request:
        """Take the request as far as it can go now; return it as it then stands."""
        return self._moved({"as": who, "do": "hasten", "id": request.id})

    def credentials(self, who: str, request: Request) -> Credentials:
        """Have a set of credentials minted."""
        told = self._ask({"as": who, "do": "credentials", "id": request.id})["credentials"]
        assert isinstance(told, dict)  # noqa: S101 - ``serve`` writes it so
        made = Credentials(**{**told, "expires_at": datetime.fromisoformat(told["expires_at"])})
        self.issued.append(made)
        return made

    def _moved(self, command: Mapping[str, str], more: Mapping[str, str] | None = None) -> Request:
        return codec.decode_request(str(self._ask({**command, **(more or {})})["request"]))

    def _ask(self, command: Mapping[str, str]) -> Mapping[str, object]:
        process = self._running()
        assert process.stdin is not None  # noqa: S101 - a pipe, by ``start``
        try:
            process.stdin.write(json.dumps(command) + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            pass  # it is gone; why, shows when its answer is read
        answer = self._hear()
        if "error" in answer:
            raise Said(str(answer["error"]), str(answer["message"]))
        return answer

    def _hear(self) -> Mapping[str, object]:
        process = self._running()
        assert process.stdout is not None  # noqa: S101 - a pipe, by ``start``
        line = process.stdout.readline()
        if not line:
            words = (self._folder / LOG).read_text(errors="replace").split("\n")
            said = next((text for text in reversed(words) if text.strip()), "nothing")
            raise Unexpected("The broker", expected="an answer", got=said)
        answer: Mapping[str, object] = json.loads(line)
        return answer

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None:
            raise Unexpected("The broker", expected="to be running", got="none")
        return self._process

    def _let_go(self) -> None:
        process, self._process = self._process, None
        for pipe in () if process is None else (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
