"""Writes trails as JSON Lines, and verifies such a file far from the record it came from.

A line is ``{"event": …, "hash": …, "signature": …}``. The event is in its canonical form
(RFC 8785), which any JSON reader can restore, so a file survives being reformatted.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO

import rfc8785

from jitcloud import codec, controls, lifecycle
from jitcloud.audit import chain, unsigned
from jitcloud.audit.verify import Finding, Report, against, damage, gone
from jitcloud.errors import Tampered
from jitcloud.model import CONTROLS, Digest, Prolonged, Request, RequestId, Sealed
from jitcloud.ports import Store, Verifier

if TYPE_CHECKING:  # as in verify
    from jitcloud.audit.log import Log

LONGEST = 8 * 1024 * 1024
"""Of a line, in bytes: several times what any event can have."""

UNSEEN = (
    "Requests that were left out whole, and events cut from the end of a trail.",
    "Whether the record, and the clouds, say the same as this file.",
    (
        "The unsigned events after a request's last signed one (activation, issue, end), if whoever"
        " had the file wrote them anew: they are chained, and only what was decided is signed."
    ),
    "What somebody signed who has the signing key.",
)
"""What no verification of an export can see."""

_KEYS = {"event", "hash", "signature"}


def export(store: Store, ids: Iterable[RequestId]) -> Iterator[str]:
    """Yield a line for each event of these requests, as it is stored: nothing is checked.

    ``CONTROLS`` among them stands for the deployment's own trail.
    """
    for name in ids:
        trail = store.control_events() if name == CONTROLS else store.events(name)
        yield from map(line_of, trail)


def line_of(sealed: Sealed) -> str:
    """Write one event, its text byte for byte."""
    signature = codec.encode_signature(sealed.signature) or "null"
    return f'{{"event":{sealed.text},"hash":{json.dumps(sealed.hash)},"signature":{signature}}}'


def bounded_lines(file: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a file; of one that is too long, only enough to tell."""
    while line := file.readline(LONGEST + 1):
        rest = line
        while len(rest) > LONGEST and not rest.endswith(b"\n"):
            rest = file.readline(LONGEST + 1)
        yield line


def verify_export(
    lines: Iterable[bytes], verifier: Verifier, log: Log | None = None, *, is_whole: bool = True
) -> Report:
    """Verify an export without the record: hashes, signatures, order, and the rules of a life.

    With a ``log`` of checkpoints also that all is in it that was there at each of them; if not
    ``is_whole``, of those requests alone that are in it.
    """
    reading = _Reading(verifier, log, is_whole)
    for number, line in enumerate(lines, start=1):
        if line.strip():
            reading.take(number, line)
    return reading.close()


@dataclass(slots=True)
class _Reading:
    """An export on its way through: one request's trail is held at a time."""

    verifier: Verifier
    log: Log | None
    is_whole: bool
    trail: list[Sealed] = field(default_factory=list)
    closed: set[RequestId] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)
    prolonged: list[tuple[Request, Sealed, Prolonged]] = field(default_factory=list)
    extensions: dict[RequestId, Request] = field(default_factory=dict)
    events: int = 0
    signed: int = 0

    def take(self, number: int, line: bytes) -> None:
        try:
            sealed = _sealed(line)
        except Tampered as exc:
            self.findings.append(Finding(where=f"line {number}", message=str(exc)))
            return
        if self.trail and self.trail[-1].event.request != sealed.event.request:
            self._finish()
        self.trail.append(sealed)
        self.events += 1
        self.signed += sealed.signature is not None

    def close(self) -> Report:
        self._finish()
        for request, line, what in self.prolonged:
            self._prove(request, line, what)
        if self.log is not None:
            self.findings += [*damage(self.log), *(gone(self.log) if self.is_whole else ())]
        return Report(
            requests=len(self.closed - {CONTROLS}),
            events=self.events,
            signed=self.signed,
            findings=tuple(self.findings),
            unseen=self._unseen(),
        )

    def _unseen(self) -> tuple[str, ...]:
        if self.log is None:
            return UNSEEN
        left_out = () if self.is_whole else ("Requests that were left out whole.",)
        return (*left_out, *self.log.unseen(), UNSEEN[1])

    def _finish(self) -> None:
        if not self.trail:
            return
        trail, self.trail = self.trail, []
        name = trail[0].event.request
        if name in self.closed:
            message = "Its events do not stand together: some came earlier in the file."
            self.findings.append(Finding(where=name, message=message))
        if self.log is not None:
            self.findings += against(self.log, name, trail)
        self.closed.add(name)
        try:
            if name == CONTROLS:
                chain.verify_controls(controls.refold(trail), trail, self.verifier)
            else:
                self._believe(chain.verify(lifecycle.refold(trail), trail, self.verifier), trail)
        except Tampered as exc:
            self.findings.append(Finding(where=name, message=str(exc)))

    def _believe(self, request: Request, trail: Iterable[Sealed]) -> None:
        if request.ask.extends is not None:
            self.extensions[request.id] = request
        self.prolonged += (
            (request, line, line.event.what)
            for line in trail
            if isinstance(line.event.what, Prolonged)
        )

    def _prove(self, request: Request, line: Sealed, what: Prolonged) -> None:
        """Hold a later deadline to the extension it names, wherever that stands in the file."""
        child = self.extensions.get(what.by)
        try:
            if child is None:
                unsigned.disbelieve(
                    request.id, line, f"extension {what.by} is not in this file, or does not hold"
                )
            unsigned.check_prolonged(request, line, child, what.window)
        except Tampered as exc:
            self.findings.append(Finding(where=request.id, message=str(exc)))


def _sealed(line: bytes) -> Sealed:
    """Read one line. Raises ``Tampered`` with what is wrong with it."""
    if len(line) > LONGEST:
        raise Tampered(f"This line is longer than {LONGEST} bytes: no event is.")
    try:
        table = json.loads(line, object_pairs_hook=_once, parse_constant=_no_constant)
        if not isinstance(table, dict) or set(table) != _KEYS:
            raise Tampered("This line is not an event of an export.")
        text = rfc8785.dumps(table["event"]).decode()
        signature = table["signature"]
        signed = None if signature is None else json.dumps(signature)
    except (ValueError, RecursionError) as exc:
        raise Tampered("This line is not JSON as an export writes it.") from exc
    if not isinstance(table["hash"], str):
        raise Tampered("This line is not an event of an export.")
    return Sealed(
        event=codec.decode_event(text),
        text=text,
        signature=codec.decode_signature(signed),
        hash=Digest(table["hash"]),
    )


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    # Two readers could each believe another one of two equal keys.
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError("a key stands here twice")
    return table


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
