"""Log lines for programs: one line of JSON an event, and in it no word that is not ours.

What an event may say is a closed list (``Facts``), held by the type checker. Of an exception its
type and place are told, never its message, and of what other libraries log only who spoke and
where: such words may quote what a person typed. Everything is escaped to ASCII, so no text can
end a line or steer a terminal.

Written here and not by Powertools' Logger, which takes a fifth of the time that the function
``expire`` may take to start, and writes events and exceptions whole.
"""

from __future__ import annotations

import json
import logging
import math
import sys
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import PurePath
from types import TracebackType
from typing import Final, TextIO, TypedDict, Unpack

from jitcloud.observing import call
from jitcloud.observing.redaction import redacted

LONGEST = 500
"""How many characters of one fact are written."""

FRAMES = 12
"""How many places of a traceback are written, the innermost last."""

CAUSES = 4
"""How many exceptions that led to one are named."""


class Facts(TypedDict, total=False):
    """All that an event may say beside its name, its time and its call."""

    method: str
    route: str
    """Its template, such as ``/v1/requests/<id>``: never the path as it came."""
    status: int
    ms: float
    """How long it took, in milliseconds."""
    bytes: int
    source: str
    """From which address a call came."""
    person: str
    """An id, never an e-mail address."""
    command: str
    request: str
    what: str
    """Which item, by an id that jitcloud gave it."""
    why: str
    """What jitcloud itself says of a trouble."""
    url: str
    """Where we listen."""
    signal: str
    count: int
    woken: int
    troubles: int
    leaked: int
    missing: int
    foreign: int
    seconds: float
    version: str


Told = str | float | bool | None
_OURS: Final = logging.getLogger("jitcloud")
_FACTS: Final = "jitcloud_facts"


def event(
    name: str,
    *,
    level: int = logging.INFO,
    error: BaseException | None = None,
    **facts: Unpack[Facts],
) -> None:
    """Log one event, such as ``http``; with ``error``, also what was raised and where.

    Never raises, and does nothing before ``start``.
    """
    _OURS.log(level, name, exc_info=error, extra={_FACTS: facts})


def start(stream: TextIO, *, level: int = logging.INFO) -> None:
    """Write all logs of this process to this stream from now on, and nothing else anywhere.

    For functions: what the platform set up before is taken out. Servers use ``written``.
    """
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.WARNING))
    _OURS.setLevel(level)
    logging.raiseExceptions = False  # it would write to stderr in a form of its own


@contextmanager
def written(stream: TextIO, *, level: int = logging.INFO) -> Iterator[None]:
    """Write all logs to this stream, and what nobody caught and warnings too, until the end."""
    root = logging.getLogger()
    before = [(each, list(each.handlers), each.level) for each in (root, _OURS)]
    raising = logging.raiseExceptions
    hooks = sys.excepthook, threading.excepthook, warnings.showwarning
    start(stream, level=level)
    sys.excepthook, threading.excepthook = _uncaught, _uncaught_in_thread
    warnings.showwarning = _warned
    try:
        yield
    finally:
        sys.excepthook, threading.excepthook, warnings.showwarning = hooks
        logging.raiseExceptions = raising
        for each, handlers, was in before:
            each.handlers[:] = handlers
            each.setLevel(was)


class JsonLines(logging.Formatter):
    """Writes a record as one line of JSON, in ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line: ``at``, ``level`` and ``event`` first, then what is known."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        told: dict[str, object] = {
            "at": at.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
        }
        facts = getattr(record, _FACTS, None)
        if facts is None:
            told |= _foreign(record)
        else:
            told["event"] = record.msg
        answered = call.current()
        if answered is not None:
            told["trace"] = _bare(answered.trace)
            if answered.person:
                told["person"] = _bare(answered.person)
        told |= {key: _bare(value) for key, value in (facts or {}).items()}
        if record.exc_info and record.exc_info[1] is not None:
            told["error"] = raised(record.exc_info[1])
        return json.dumps(told)


def raised(error: BaseException) -> Mapping[str, object]:
    """Say what was raised, and where: its type and those of its causes, and no message."""
    kinds: list[str] = []
    found: BaseException | None = error
    while found is not None and len(kinds) < CAUSES:
        kinds.append(type(found).__name__)
        found = found.__cause__ or (None if found.__suppress_context__ else found.__context__)
    return {"kind": kinds[0], "causes": kinds[1:], "at": _places(error.__traceback__)}


def _places(traceback: TracebackType | None) -> list[str]:
    places: list[str] = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        places.append(f"{_file(code.co_filename)}:{traceback.tb_lineno} {code.co_name}")
        traceback = traceback.tb_next
    return places[-FRAMES:]


def _file(path: str) -> str:
    return "/".join(PurePath(path).parts[-2:])


def _foreign(record: logging.LogRecord) -> dict[str, object]:
    """Of what others log: who and where. Of uvicorn also what, without what it filled in."""
    told: dict[str, object] = {
        "event": "log",
        "logger": _bare(record.name),
        "place": f"{_file(record.pathname)}:{record.lineno} {record.funcName}",
    }
    if record.name.startswith("uvicorn") and isinstance(record.msg, str):
        told["template"] = _bare(record.msg.strip().splitlines()[0] if record.msg.strip() else "")
    return told


def _bare(value: object) -> Told:
    """A fact as it may be written."""
    match value:
        case bool() | int() | None:
            return value
        case float():
            return round(value, 3) if math.isfinite(value) else None
        case str():
            shown = redacted(value[: 2 * LONGEST])
            return f"{shown[:LONGEST]}…" if len(shown) > LONGEST else shown
        case _:
            return type(value).__name__


def _uncaught(kind: type[BaseException], error: BaseException, _: TracebackType | None) -> None:
    event("defect", level=logging.CRITICAL, error=error, what=kind.__name__)


def _uncaught_in_thread(told: threading.ExceptHookArgs) -> None:
    event("defect", level=logging.CRITICAL, error=told.exc_value, what=told.exc_type.__name__)


def _warned(  # noqa: PLR0913, PLR0917 - as the interpreter calls it
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    del message, file, line  # its words are another library's
    event(
        "warning",
        level=logging.WARNING,
        what=category.__name__,
        why=f"{_file(filename)}:{lineno}",
    )
