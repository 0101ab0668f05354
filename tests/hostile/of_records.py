"""Parsers of what stands in a record, beside it, and in a file that was exported from it."""

from __future__ import annotations

import base64
import io
import json
import re
import zlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import apsw

from jitcloud import codec
from jitcloud.audit.checkpoint import Head, Reading, believed, made
from jitcloud.audit.export import bounded_lines, export, verify_export
from jitcloud.audit.merkle import Edge
from jitcloud.audit.verify import Finding
from jitcloud.errors import Invalid, Misconfigured, Tampered, Unavailable
from jitcloud.journals import noted
from jitcloud.journals.file import FileJournal
from jitcloud.last_checkpoint import CHANNEL as ANCHORED
from jitcloud.last_checkpoint import last_at
from jitcloud.model import CONTROLS, Digest, Mark, Request, RequestId, Sealed
from jitcloud.publishers.memory import MemoryPublisher
from jitcloud.publishing import Publication, Subscription
from jitcloud.rounds import CHANNEL, Progress, Round, _encoded
from jitcloud.stores.dynamodb import answers, due, items, keys, sign_ins, stream
from jitcloud.stores.dynamodb.store import DynamoStore
from jitcloud.stores.memory import MemoryStore
from jitcloud.stores.sqlite import SqliteStore
from tests.dynamodb_tables import client_of
from tests.factories import a_mark, a_slot, asked, request_id, the_events, the_request
from tests.hostile import mangling
from tests.hostile.anybody import Anybody, answering
from tests.hostile.of_text import folder, in_a_file
from tests.hostile.parser import Parser, is_fit_to_show
from tests.world import World, caller

NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
NAMED = RequestId("01KBCD" + "0" * 20)
_BELIEVED = "what a record says is the record's, and is judged where it is used"


@cache
def lived() -> World:
    """A world in which somebody was let in after a yes, and one's access has ended."""
    world = World(folder("world"))
    for number, (what, minutes) in enumerate([("prod-write", 30), ("dev-read", 10)]):
        name = RequestId(f"{NAMED[:-1]}{number}")
        request = world.broker.request(
            caller("ana"), what, duration=timedelta(minutes=minutes),  # type: ignore[arg-type] # an id
            justification="testing", now=world.time(), id_=name,
        )  # fmt: skip
        world.advance.wake(request.id)
        if what == "prod-write":
            world.approve(request)
        else:
            world.give_back(request)
    world.sweep()
    return world


def granted() -> Request:
    """The one that is let in."""
    return lived().now(RequestId(f"{NAMED[:-1]}0"))


@cache
def _lines() -> tuple[str, ...]:
    world = lived()
    return tuple(export(world.store, [CONTROLS, *world.store.ids(10)]))


@cache
def _sealed() -> tuple[Sealed, ...]:
    return lived().store.events(granted().id)


def _plain(text: str) -> Any:
    return json.loads(text)


def _line(number: int) -> Any:
    """A line of a file, which alone is to be wrong: those around it are as they were."""
    return _plain(_lines()[number])


def _exported(line: str | bytes) -> object:
    """Verify the file with this line in the place of another, and after all."""
    octets = line.encode(errors="surrogatepass") if isinstance(line, str) else line
    verifier = lived().signer.verifier()
    findings: list[Finding] = []
    for place in (1, len(_lines())):
        whole = [each.encode() for each in _lines()]
        whole[place : place + 1] = [octets]
        file = io.BytesIO(b"\n".join(whole))
        findings += verify_export(bounded_lines(file), verifier).findings
    for found in findings:
        is_fit_to_show(found.where)
        is_fit_to_show(found.message)
    return len(findings)


def _anchored(line: bytes) -> object:
    return believed(line, [lived().signer.public])


def _checkpoint() -> bytes:
    reading = Reading(at=NOW, newest=NAMED, open={NAMED: 3}, walk_begun=NOW, walked=NOW)
    heads = [Head(NAMED, 3, Digest("0" * 64))]
    return made("jitcloud.example.com", Edge(), reading, heads, lived().signer).line


def _anchored_at(cursor: str) -> object:
    store = MemoryStore()
    store.put_mark(Mark(channel=ANCHORED, request=CONTROLS, cursor=cursor, version=1))
    return last_at(store)


def _stored(table: str, column: str = "body") -> Callable[[str], object]:
    """Have SQLite hold this in place of what the store wrote, and read it back by the store."""
    read: dict[str, Callable[[SqliteStore], object]] = {
        "requests": lambda store: store.request(request_id(1)),
        "slots": lambda store: store.slot(a_slot(1).key),
        "events": lambda store: tuple(store.events(request_id(1))),
        "marks": lambda store: store.mark("notices", request_id(1)),
    }

    def handed(text: str) -> object:
        path, store = _sqlite()
        connection = apsw.Connection(str(path))
        try:
            connection.execute(f"UPDATE {table} SET {column} = ?", (text,))  # noqa: S608 - ours
        except UnicodeEncodeError:
            return None  # SQLite takes no half of a character
        finally:
            connection.close()
        return read[table](store)

    return handed


@cache
def _sqlite() -> tuple[Path, SqliteStore]:
    path = folder("sqlite") / "jitcloud.db"
    store = SqliteStore(path)
    store.commit(replace(asked(1), slots=(a_slot(1),)))
    store.put_mark(a_mark(1))
    return path, store


def _read_all(item: Any) -> object:
    """Read an item of the table as each of what it could be."""
    found: list[object] = []
    for read in (
        items.to_request,
        items.to_slot,
        items.to_controls,
        items.to_mark,
        lambda item: tuple(items.to_events([item])),
        lambda item: items.to_number(item, "seq"),
        lambda item: items.to_digest(item, "head"),
    ):
        try:
            found.append(read(_item(item)))
        except Tampered as exc:
            is_fit_to_show(str(exc))
    due.read(_item(item))
    sign_ins._read(_item(item))  # noqa: SLF001 - what a row of it is read by
    found += stream.wakes({"dynamodb": {"NewImage": item}}, NOW)
    return found


def _item(item: Any) -> Any:
    """Attributes as the SDK returns them: bytes are bytes, and each has one type."""
    if not isinstance(item, dict):
        return {}
    return {
        name: {"B": base64.b64decode(value["B"])} if _is_packed(value) else value
        for name, value in item.items()
        if isinstance(value, dict)
    }


def _is_packed(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("B"), str) and value["B"].isalnum()


def _unpacked(octets: bytes) -> object:
    return items.to_slot({"body": {"B": octets}})


def _table(server: Anybody) -> object:
    store = DynamoStore("t", client=lambda: client_of(server.url), pause=lambda _: None)
    return store.request(request_id(1))


def _kept(item: Any) -> object:
    return answers._read(_item(item))  # noqa: SLF001 - what an item of it is read by


def _journal(path: Path) -> object:
    return list(FileJournal(path).places())


def _noted(said: bytes) -> object:
    return noted.place(json.loads(said))


def _round(text: str) -> object:
    store = MemoryStore()
    store.put_mark(Mark(channel=CHANNEL, request=CONTROLS, cursor=text, version=1))
    progress = Progress.read(store, is_kept=True)
    found = progress.unfinished("t", NOW, NOW - timedelta(days=1))
    if found is not None:
        found.enter("b").plus(found.here, 1).leave().second()
    return found


def _heard(cursor: str) -> object:
    change = asked(1)
    store = MemoryStore()
    store.commit(change)
    mark = Mark(
        channel="publish-memory", request=request_id(1), cursor=cursor, wake_at=NOW, version=1
    )
    store.put_mark(mark)
    publication = Publication(
        store, Subscription(publisher=MemoryPublisher("publish-memory")), lambda: NOW
    )
    said = publication.wake(request_id(1))
    is_fit_to_show(said)
    return None


ROUND = Round(begun_at=NOW, terms="t", passed="a", area="b", after="p", troubled=("a",))
SLOT = a_slot(1, wake_at=NOW)
REQUEST = the_request(asked(1))
ITEMS: tuple[Any, ...] = (
    items.snapshot(asked(1).moves[0], "c"),
    items.slot(SLOT, "c"),
    items.mark(a_mark(1, wake_at=NOW), "c"),
    items.events(keys.request(request_id(1)), the_events(asked(1)), "c"),
)
KEPT = {
    "said": {"S": "0" * 64},
    "since": {"N": "1796115600000000"},
    "number": {"N": "1"},
    "leased": {"N": "1796115600000000"},
    "kept": {"N": "1796115600000000"},
    "answer": {"S": "{}"},
}
PLACE = _plain(noted.text(SLOT, NOW))


def _written(write: Callable[[Any], str | None]) -> Callable[[Any], str | None]:
    """What can be read may hold a number that cannot be recorded: then that is said."""

    def written(value: Any) -> str | None:
        try:
            return write(value)
        except Invalid as exc:
            is_fit_to_show(str(exc))
            return None

    return written


def _no_numbers(text: str) -> tuple[tuple[str, str], ...]:
    """The same with numbers that are none in its tables."""
    how = "pydantic reads it as a number: it then stands in a target, or in a place"
    return tuple(
        (given, how)
        for number in ("NaN", "-Infinity", "1e999")
        if (given := re.sub(r'("(?:target|where)":{)', rf'\1"a":{number},', text)) != text
    )


def _snapshot(
    name: str, text: str, read: Callable[[str], object], write: Callable[[Any], str | None]
) -> Parser:
    return Parser(
        name=name,
        read=read,
        valid=(_plain(text),),
        mangled=mangling.JSON_TEXT,
        raises=(Tampered,),
        written=_written(write),
        no_zone=_BELIEVED,
        longer=_BELIEVED,
        found=_no_numbers(text),
    )


def _sqlite_row(table: str, text: str, column: str = "body") -> Parser:
    return Parser(
        name=f"a row of {table} in SQLite",
        read=_stored(table, column),
        valid=(_plain(text),),
        mangled=mangling.JSON_TEXT,
        raises=(Tampered,),
        no_zone=_BELIEVED,
        longer=_BELIEVED,
    )


def _of(lines: Iterable[int]) -> tuple[Any, ...]:
    return tuple(_line(number) for number in lines)


PARSERS = (
    _snapshot(
        "a snapshot", codec.encode_request(granted()), codec.decode_request, codec.encode_request
    ),
    _snapshot("a slot", codec.encode_slot(SLOT), codec.decode_slot, codec.encode_slot),
    _snapshot(
        "what holds for the deployment",
        codec.encode_controls(lived().store.controls()),  # type: ignore[arg-type] # there are some
        codec.decode_controls,
        codec.encode_controls,
    ),
    _snapshot("a mark", codec.encode_mark(a_mark(1)), codec.decode_mark, codec.encode_mark),
    _snapshot("an event", _sealed()[0].text, codec.decode_event, codec.encode_event),
    _snapshot(
        "a signature",
        '{"key":"ed25519:0","value":"c2lnbmVk"}',
        codec.decode_signature,
        codec.encode_signature,
    ),
    _sqlite_row("requests", codec.encode_request(REQUEST)),
    _sqlite_row("slots", codec.encode_slot(SLOT)),
    _sqlite_row("events", the_events(asked(1))[0].text, "text"),
    _sqlite_row("marks", codec.encode_mark(a_mark(1))),
    Parser(
        name="a line of an export",
        read=_exported,
        valid=_of(range(len(_lines()))),
        mangled=mangling.JSON_BYTES,
        most=8 * 1024 * 1024,
    ),
    Parser(
        name="a checkpoint",
        read=_anchored,
        valid=(_checkpoint(),),
        mangled=mangling.OCTETS,
        raises=(Tampered,),
        written=lambda found: found.line,
    ),
    Parser(
        name="since when checkpoints are written",
        read=_anchored_at,
        valid=("2026-12-01T08:00:00+00:00",),
        mangled=mangling.TEXT,
    ),
    Parser(
        name="an item of DynamoDB",
        read=_read_all,
        valid=ITEMS,
        mangled=mangling.TABLE,
        no_zone=_BELIEVED,
        longer=_BELIEVED,
    ),
    Parser(
        name="a packed body of DynamoDB",
        read=_unpacked,
        valid=(zlib.compress(codec.encode_slot(SLOT).encode()),),
        mangled=mangling.OCTETS,
        raises=(Tampered,),
        no_zone=_BELIEVED,
        longer=_BELIEVED,
    ),
    Parser(
        name="what DynamoDB answers",
        read=answering(_table),
        valid=({"Item": items.snapshot(asked(1).moves[0], "c")},),
        mangled=mangling.JSON_BYTES,
        raises=(Tampered, Unavailable, Misconfigured),
        found=((b'{"a":"\xff"}', "no UTF-8: UnicodeDecodeError"),),
        no_zone=_BELIEVED,
        longer=_BELIEVED,
    ),
    Parser(
        name="an answer kept in DynamoDB",
        read=_kept,
        valid=(KEPT,),
        mangled=mangling.TABLE,
        raises=(Tampered,),
        found=(
            ({**KEPT, "number": {"S": "1"}}, "a number that is a text"),
            ({**KEPT, "since": {"N": "NaN"}}, "an instant that is none"),
            ({}, "nothing"),
        ),
    ),
    Parser(
        name="a journal",
        read=in_a_file("journal", _journal),
        valid=(PLACE, {**PLACE, "empty": True}),
        mangled=mangling.JSON_BYTES,
        found=(
            (json.dumps({**PLACE, "key": "\ud800"}), "half of a character: UnicodeEncodeError"),
            (json.dumps({**PLACE, "at": "2026-12-01T09:00:00"}), "read by the machine's own zone"),
            ('{"at": ' + "[" * 60_000, "RecursionError"),
        ),
        raises=(Unavailable,),
    ),
    Parser(
        name="how far a comparison has come",
        read=_round,
        valid=(_plain(_encoded(ROUND, NOW)),),
        mangled=mangling.JSON_TEXT,
        found=(
            (_encoded(ROUND, NOW.replace(tzinfo=None)), "an instant without its zone: TypeError"),
            (_encoded(ROUND, NOW).replace('"leaked": 0', '"leaked": null'), "TypeError when added"),
            ('{"touched_at": ' + "[" * 100_000, "RecursionError"),
        ),
    ),
    Parser(
        name="since when events are passed on",
        read=_heard,
        valid=("2026-12-01T08:00:00+00:00",),
        mangled=mangling.TEXT,
        raises=(Tampered,),
    ),
)
