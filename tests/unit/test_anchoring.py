"""What checkpoints hold of a record that grows, and what writes them."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from jitcloud import anchoring, metrics
from jitcloud.anchoring import Anchoring
from jitcloud.anchors.file import FileAnchors
from jitcloud.audit import checkpoint
from jitcloud.audit.checkpoint import Checkpoint
from jitcloud.audit.log import Log
from jitcloud.checkpointing import AGAIN, Checkpointing
from jitcloud.errors import Conflict, Tampered, Unavailable
from jitcloud.last_checkpoint import CHANNEL
from jitcloud.model import CONTROLS, Mark, Request, RequestId, State
from jitcloud.stores.memory import MemoryStore
from jitcloud.sweep import sweep
from tests.audit_attacks.stage import anchoring as anchoring_of
from tests.audit_attacks.stage import stranger, ulid
from tests.world import World


@pytest.fixture
def writer(world: World, tmp_path: Path) -> Anchoring:
    return anchoring_of(world, tmp_path / "anchors")


def seqs(made: Checkpoint) -> dict[str, int]:
    return {head.request: head.seq for head in made.heads}


def log_of(world: World, writer: Anchoring) -> Log:
    return Log.read("the anchors", writer.anchors.lines(), [world.signer.public])


def test_a_checkpoint_adds_what_has_changed_alone(world: World, writer: Anchoring) -> None:
    first, second = world.ask(), world.ask(what="prod-write")
    world.time.forward(hours=1)
    made = writer.write().checkpoint
    assert seqs(made) == {CONTROLS: 1, first.id: world.now(first).seq, second.id: 2}
    world.time.forward(hours=1)
    assert seqs(writer.write().checkpoint) == {}
    world.approve(second)
    third = world.ask()
    world.time.forward(hours=1)
    made = writer.write().checkpoint
    assert seqs(made) == {second.id: world.now(second).seq, third.id: world.now(third).seq}
    assert made.start == 5
    assert log_of(world, writer).findings == []


def test_what_was_finished_is_not_read_again(world: World, writer: Anchoring) -> None:
    request = world.ask()
    world.time.forward(minutes=40)
    world.sweep_until_quiet()
    assert request.id not in writer.write().checkpoint.reading.open
    world.time.forward(hours=1)
    assert writer.write().checkpoint.reading.open == {CONTROLS: 1}


def test_of_many_new_requests_each_checkpoint_has_some(
    world: World, writer: Anchoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anchoring, "NEW", 3)
    monkeypatch.setattr(anchoring, "PAGE", 2)
    monkeypatch.setattr(anchoring, "READ", 2)
    monkeypatch.setattr(anchoring, "WALKED", 1)
    monkeypatch.setattr(anchoring, "OPEN", 1)
    for number in range(8):
        world.ask(id_=ulid(world, number))
        world.time.forward(seconds=1)
    world.time.forward(hours=1)
    written = list(writer.write_all(world.time() + timedelta(hours=1)))
    assert [each.more for each in written] == [True, True, False]
    log = log_of(world, writer)
    for name in world.store.ids(10):
        assert not log.missing(name, world.store.events(name))
    assert (log.later, [name for name, _ in log.gone()]) == (0, [CONTROLS])


def test_it_gives_up_when_its_time_is_over(
    world: World, writer: Anchoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anchoring, "NEW", 1)
    for number in range(3):
        world.ask(id_=ulid(world, number))
    (only,) = writer.write_all(world.time())
    assert only.more


def test_a_walk_finds_what_is_hidden_from_every_index(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Blind(MemoryStore):
        """An id that was made long before it was recorded, of a request that is finished."""

        hidden: RequestId | None = None

        def ids(
            self, limit: int, after: RequestId | None = None, state: State | None = None
        ) -> tuple[RequestId, ...]:
            found = super().ids(limit, after, state)
            return found if after is None else tuple(x for x in found if x != self.hidden)

    monkeypatch.setattr(anchoring, "WALKED", 100)
    store = Blind()
    world = World(tmp_path, store=store)
    writer = anchoring_of(world, tmp_path / "anchors")
    writer.write()
    world.time.forward(hours=1)
    request = world.ask()
    store.hidden = request.id
    world.time.forward(hours=2)
    world.sweep_until_quiet()
    assert request.id not in seqs(writer.write().checkpoint)
    world.time.forward(days=7)
    made = writer.write().checkpoint
    assert request.id in seqs(made)
    assert made.reading.walked == made.reading.at


def test_a_walk_goes_on_where_the_last_checkpoint_left_it(
    world: World, writer: Anchoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anchoring, "WALKED", 2)
    names = [world.ask(id_=ulid(world, number)).id for number in range(5)]
    readings = []
    for _ in range(5):
        readings.append(writer.write().checkpoint.reading)
        world.time.forward(hours=1)
    assert [each.walk_after for each in readings] == [names[1], names[3], "", "", ""]
    assert [each.walked for each in readings[:3]] == [None, None, readings[0].at]


def test_two_that_write_at_once_do_not_fork(
    world: World, writer: Anchoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.ask()
    sealed = checkpoint.made

    def slow(*args: object) -> Checkpoint:
        monkeypatch.setattr(checkpoint, "made", sealed)
        writer.write()  # another one, meanwhile
        return sealed(*args)  # type: ignore[arg-type] # as it is called

    monkeypatch.setattr(checkpoint, "made", slow)
    with pytest.raises(Conflict):
        writer.write()
    assert log_of(world, writer).findings == []
    assert log_of(world, writer).checkpoints == 1


def test_a_checkpoint_of_a_stranger_is_not_gone_on_from(
    world: World, writer: Anchoring, tmp_path: Path
) -> None:
    anchoring_of(world, tmp_path / "anchors", stranger()).write()
    with pytest.raises(Tampered, match="no key that is trusted"):
        writer.write()
    (finding,) = log_of(world, writer).findings
    assert "no key that is trusted" in finding[1]


def test_after_a_rotation_the_log_goes_on(world: World, writer: Anchoring, tmp_path: Path) -> None:
    writer.write()
    rotated = anchoring_of(world, tmp_path / "anchors", stranger())
    rotated.write()
    keys = [world.signer.public, stranger().public]
    assert Log.read("the anchors", writer.anchors.lines(), keys).findings == []


def test_a_row_that_is_spoilt_keeps_no_other_from_being_anchored(tmp_path: Path) -> None:
    class Spoilt(MemoryStore):
        bad: RequestId | None = None

        def requests(self, names: object) -> tuple[Request, ...]:
            if self.bad is not None and self.bad in names:  # type: ignore[operator] # a sequence
                raise Tampered("it makes no sense.")
            return super().requests(names)  # type: ignore[arg-type] # the same

        def request(self, request: RequestId) -> Request | None:
            if request == self.bad:
                raise Tampered("it makes no sense.")
            return super().request(request)

    store = Spoilt()
    world = World(tmp_path, store=store)
    first, second = world.ask(id_=ulid(world, 1)), world.ask(id_=ulid(world, 2))
    store.bad = first.id
    written = anchoring_of(world, tmp_path / "anchors").write()
    assert set(seqs(written.checkpoint)) == {CONTROLS, second.id}
    assert written.doubts == (f"Request {first.id} cannot be read: it makes no sense.",)


# ── Beside a sweep ───────────────────────────────────────────────────────────────────────────


class SlowAnchors(FileAnchors):
    """Answers only once it is let."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        object.__setattr__(self, "asked", threading.Event())
        object.__setattr__(self, "go_on", threading.Event())

    __slots__ = ("asked", "go_on")
    asked: threading.Event
    go_on: threading.Event

    def last(self) -> bytes | None:
        self.asked.set()
        assert self.go_on.wait(30)
        return super().last()


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[SlowAnchors]:
    found = SlowAnchors(tmp_path / "anchors")
    yield found
    found.go_on.set()


def test_an_end_does_not_wait_for_anchors_that_do_not_answer(
    world: World, writer: Anchoring, slow: SlowAnchors
) -> None:
    request = world.ask()
    beside = Checkpointing(replace(writer, anchors=slow))
    world.time.forward(minutes=1)
    sweep(world.advance, anchoring=beside)
    assert slow.asked.wait(30)
    world.time.forward(minutes=40)
    for _ in range(10):
        sweep(world.advance, anchoring=beside)
        world.time.forward(seconds=10)
    assert world.now(request).state is State.ENDED
    slow.go_on.set()
    assert beside.finish() == ()
    assert log_of(world, writer).checkpoints == 1


def test_a_failure_is_told_once_and_tried_again_later(
    world: World, writer: Anchoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_: FileAnchors) -> bytes | None:
        raise Unavailable("The bucket is gone.")

    beside = Checkpointing(writer)
    with monkeypatch.context() as patch:
        patch.setattr(FileAnchors, "last", fails)
        beside.start()
        assert beside.finish() == ((CHANNEL, "The bucket is gone."),)
        assert beside.troubles() == ()
    beside.start()
    assert beside.finish() == ()
    assert log_of(world, writer).checkpoints == 0
    world.time.forward(seconds=AGAIN.total_seconds())
    beside.start()
    beside.finish()
    assert log_of(world, writer).checkpoints == 1


def test_when_one_is_due_is_not_believed_of_the_future(world: World, writer: Anchoring) -> None:
    assert writer.is_due()
    writer.write()
    assert not writer.is_due()
    for cursor in ("2030-01-01T00:00:00Z", "nonsense", "2026-12-01T09:00:00"):
        mark = world.store.mark(CHANNEL, CONTROLS)
        assert mark is not None
        world.store.put_mark(replace(mark, cursor=cursor, version=mark.version + 1))
        assert writer.is_due()


def test_a_mark_that_somebody_has_spoilt_holds_nothing_up(tmp_path: Path) -> None:
    class Spoilt(MemoryStore):
        def mark(self, channel: str, request: RequestId) -> Mark | None:
            raise Tampered(f"The mark of {channel} at {request} cannot be read.")

    world = World(tmp_path, store=Spoilt())
    beside = Checkpointing(anchoring_of(world, tmp_path / "anchors"))
    beside.start()
    assert beside.finish() == ()
    assert beside.signed == 1
    assert metrics.snapshot(world.store, world.time()).since_checkpoint is None


def test_a_mark_that_somebody_else_moved_is_left(
    world: World, writer: Anchoring, monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken(_: MemoryStore, __: Mark) -> None:
        raise Conflict

    monkeypatch.setattr(MemoryStore, "put_mark", taken)
    writer.write()
    assert log_of(world, writer).checkpoints == 1


# ── Edits of the log itself ──────────────────────────────────────────────────────────────────


def edits(lines: list[bytes], other: list[bytes]) -> dict[str, tuple[list[bytes], str]]:
    one, two, three = lines
    return {
        "one is taken away": ([one, three], "leaves are missing"),
        "the first is taken away": ([two, three], "leaves are missing"),
        "two are swapped": ([one, three, two], "leaves are missing"),
        "one of another history": ([one, other[1], three], "two histories|not continue|missing"),
        "one more that begins where another does": (
            [one, two, other[1], three],
            "begins at leaf 1 once more",
        ),
    }


def test_edits_of_the_log_are_found(world: World, writer: Anchoring, tmp_path: Path) -> None:
    fork = anchoring_of(world, tmp_path / "fork")
    lines = []
    for number in range(3):
        writer.write()
        if number == 0:
            last = writer.anchors.last()
            assert last is not None
            fork.anchors.append(0, last, world.time())
        world.ask(id_=ulid(world, number))
        world.time.forward(hours=1)
    fork.write()
    lines = [line for _, line in writer.anchors.lines()]
    other = [line for _, line in fork.anchors.lines()]
    for name, (edited, why) in edits(lines, other).items():
        log = Log.read("it", [(name, line) for line in edited], [world.signer.public])
        assert any(re.search(why, found) for _, found in log.findings), name
    twice = [("x", line) for line in (lines[0], lines[0], *lines[1:])]
    assert Log.read("it", twice, [world.signer.public]).findings == []


def test_a_checkpoint_of_another_history_does_not_continue_one(
    world: World, writer: Anchoring, tmp_path: Path
) -> None:
    other = anchoring_of(world, tmp_path / "other")
    for each in (writer, other):
        for _ in range(2):
            each.write()
            world.time.forward(hours=1)
    (one, _), (_, two) = ([line for _, line in each.anchors.lines()] for each in (writer, other))
    (finding,) = Log.read("it", [("1", one), ("2", two)], [world.signer.public]).findings
    assert "does not continue the one before it" in finding[1]


def test_a_checkpoint_has_one_spelling(world: World, writer: Anchoring) -> None:
    line = writer.write().checkpoint.line
    for other in (
        json.dumps(json.loads(line)).encode(),
        line.replace(b"{", b'{"start":0,', 1),
        line.replace(b'"start":0', b'"start":0.0'),
        b" " + line,
    ):
        assert json.loads(other) == json.loads(line)
        with pytest.raises(Tampered, match="no checkpoint as it is kept"):
            checkpoint.believed(other, [world.signer.public])


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"[" * 3000,
        b"\xff",
        b'{"checkpoint":"","leaves":[],"roots":[],"start":0}',
        b'{"checkpoint":"","leaves":[[]],"roots":["x"],"start":1}',
        b'{"checkpoint":"\\ud800","leaves":[{}],"roots":[],"start":0}',
        b'{"checkpoint":"","leaves":[{}],"roots":[],"start":-1}',
        b"x" * (checkpoint.LONGEST + 1),
    ],
)
def test_what_is_no_checkpoint_is_a_finding_and_no_crash(world: World, line: bytes) -> None:
    log = Log.read("it", [("1", line)], [world.signer.public])
    assert len(log.findings) == 1
    assert (log.at, log.checkpoints) == (None, 0)


def test_leaves_are_only_believed_as_they_were_signed(world: World, writer: Anchoring) -> None:
    request = world.ask()
    made = writer.write().checkpoint
    (head,) = (each for each in made.heads if each.request == request.id)
    forged = replace(made, heads=tuple(replace_seq(each, head.request) for each in made.heads))
    with pytest.raises(Tampered, match="not those that were signed"):
        checkpoint.believed(forged.line, [world.signer.public])


def replace_seq(head: checkpoint.Head, name: RequestId) -> checkpoint.Head:
    return head._replace(seq=1) if head.request == name else head
