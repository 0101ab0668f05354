"""What tokens said counts for a while without them, and only if the broker has signed it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from jitcloud import sign_ins
from jitcloud.audit.keys import Ed25519Signer
from jitcloud.directories.signed_in import AnyGroup, SignedInDirectory, Strangers
from jitcloud.directories.static import StaticDirectory
from jitcloud.errors import NotFound
from jitcloud.model import GroupId, PersonId, RotationId, SignedIn
from jitcloud.ports import Directory
from jitcloud.sign_ins import SignInBook
from jitcloud.stores.memory_sign_ins import MemorySignIns
from tests.contract.directories import ids
from tests.contract.sign_ins import ANA, HOUR, LEADS, SECOND, SRE, said
from tests.world import PEOPLE, START, Time

NOW = START


def signer(letter: bytes = b"k") -> Ed25519Signer:
    return Ed25519Signer(Ed25519PrivateKey.from_private_bytes(letter * 32))


def told(person: str = "ana", *groups: str, at: timedelta = timedelta()) -> SignedIn:
    one = said(person, *groups)
    return replace(one, at=START + at, until=START + at + 12 * HOUR, signature=None)


@pytest.fixture
def kept() -> MemorySignIns:
    return MemorySignIns()


@pytest.fixture
def book(kept: MemorySignIns) -> SignInBook:
    return SignInBook(kept, signer().verifier(), signer())


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def beside(tmp_path: Path, book: SignInBook, time: Time) -> Directory:
    """Beside people.toml, in which Ana is a developer, and Ben and Caro lead."""
    (tmp_path / "people.toml").write_text(PEOPLE + '[rotations]\npager = { on_call = ["ben"] }\n')
    people = StaticDirectory(tmp_path / "people.toml")
    return SignedInDirectory(book, time, AnyGroup(people))


@pytest.fixture
def alone(book: SignInBook, time: Time) -> Directory:
    return SignedInDirectory(book, time, Strangers())


# ── What is written ──────────────────────────────────────────────────────────────────────────


class Counting(MemorySignIns):
    def __init__(self) -> None:
        super().__init__()
        self.written = 0

    def put(self, signed_in: SignedIn) -> None:
        self.written += 1
        super().put(signed_in)


@pytest.mark.parametrize(
    ("then", "written"),
    [
        (told("ana", "sre"), 1),
        (told("ana", "sre", at=HOUR), 1),
        (told("ana", "sre", at=HOUR + SECOND), 2),
        (told("ana", "sre", "leads", at=SECOND), 2),
        (told("ana", at=SECOND), 2),
        (replace(told("ana", "sre", at=SECOND), name="Ana Lima"), 2),
        (replace(told("ana", "sre", at=SECOND), emails=()), 2),
        (told("ana", "sre", "leads", at=-SECOND), 1),
        (told("ana", at=-2 * HOUR), 1),
        (told("ben", "sre"), 2),
    ],
    ids=[
        "the same",
        "the same an hour later",
        "the same after more than an hour",
        "one group more",
        "none any more",
        "another name",
        "another e-mail",
        "an older token with a group more",
        "a much older one",
        "somebody else",
    ],
)
def test_only_what_is_new_is_written(then: SignedIn, written: int) -> None:
    kept = Counting()
    book = SignInBook(kept, signer().verifier(), signer())
    book.note(told("ana", "sre"))
    book.note(then)
    assert kept.written == written
    if written == 1:
        assert book.groups(ANA, NOW) == {SRE}


def test_who_cannot_sign_writes_nothing(kept: MemorySignIns) -> None:
    SignInBook(kept, signer().verifier()).note(told("ana", "sre"))
    assert kept.of(ANA) is None


def test_who_cannot_sign_believes_who_could(kept: MemorySignIns, book: SignInBook) -> None:
    book.note(told("ana", "sre"))
    assert SignInBook(kept, signer().verifier()).groups(ANA, NOW) == {SRE}


# ── What is believed ─────────────────────────────────────────────────────────────────────────

FORGED: dict[str, Callable[[SignedIn], SignedIn]] = {
    "no signature": lambda one: replace(one, signature=None),
    "another group": lambda one: replace(one, groups=(*one.groups, GroupId("sre-leads"))),
    "for longer": lambda one: replace(one, until=one.until + SECOND),
    "later": lambda one: replace(one, at=one.at + SECOND),
    "another name": lambda one: replace(one, name="Mallory"),
    "another key": lambda one: replace(one, signature=signer(b"m").sign(sign_ins._message(one))),  # noqa: SLF001 - what an attacker would sign
    "signed as something else": lambda one: replace(
        one,
        signature=signer().sign(sign_ins.encode(replace(one, signature=None)).encode()),
    ),
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED.keys())
def test_what_the_broker_has_not_signed_puts_nobody_in_a_group(
    kept: MemorySignIns,
    book: SignInBook,
    beside: Directory,
    alone: Directory,
    forge: Callable[[SignedIn], SignedIn],
) -> None:
    book.note(told("ana", "sre"))
    assert beside.members(SRE) == ids("ana")
    signed = kept.of(ANA)
    assert signed is not None
    kept.put(forge(signed))
    assert beside.person("ana").groups == {"developers"}
    assert beside.members(SRE) == frozenset()
    with pytest.raises(NotFound):
        alone.person("ana")
    # The next token sets that right.
    book.note(told("ana", "sre", at=2 * SECOND))
    assert beside.members(SRE) == ids("ana")


def test_one_person_s_groups_are_nobody_else_s(kept: MemorySignIns, book: SignInBook) -> None:
    book.note(told("ben", "sre"))
    signed = kept.of(PersonId("ben"))
    assert signed is not None
    kept._kept[ANA] = signed  # noqa: SLF001 - as whoever can write the record would
    assert book.groups(ANA, NOW) == frozenset()


# ── Beside another directory ─────────────────────────────────────────────────────────────────


def test_groups_of_the_token_are_added_to_those_of_the_directory(
    book: SignInBook, beside: Directory
) -> None:
    before = beside.person("ana@example.com")
    book.note(told("ana", "sre", "developers"))
    assert beside.person("ANA@example.com") == replace(before, groups=before.groups | {SRE})
    assert beside.members(SRE) == ids("ana")
    assert beside.members(GroupId("developers")) == ids("ana", "ben", "caro")
    book.note(told("ben", "developers"))
    assert beside.members(LEADS) == ids("ben", "caro")


def test_they_count_until_their_time_is_up(book: SignInBook, beside: Directory, time: Time) -> None:
    book.note(told("ana", "sre"))
    time.forward(hours=12, microseconds=-1)
    assert SRE in beside.person("ana").groups
    assert beside.members(SRE) == ids("ana")
    time.forward(microseconds=1)
    assert beside.person("ana").groups == {"developers"}
    assert beside.members(SRE) == frozenset()


def test_a_later_token_without_the_group_ends_that_at_once(
    book: SignInBook, beside: Directory
) -> None:
    book.note(told("ana", "sre"))
    book.note(told("ana", at=SECOND))
    assert beside.person("ana").groups == {"developers"}
    assert beside.members(SRE) == frozenset()


def test_whom_the_directory_does_not_know_no_token_brings_back(
    book: SignInBook, beside: Directory
) -> None:
    book.note(told("zoe", "leads"))
    with pytest.raises(NotFound, match="Nobody in the directory"):
        beside.person("zoe")


def test_the_rest_is_as_the_directory_has_it(beside: Directory) -> None:
    assert beside.on_call(RotationId("pager")) == ids("ben")
    assert beside.on_call(RotationId("none")) is None
    assert beside.rotations() == frozenset({RotationId("pager")})
    assert beside.groups() is None


# ── Alone ────────────────────────────────────────────────────────────────────────────────────


def test_alone_it_knows_whoever_has_signed_in_by_id(
    book: SignInBook, alone: Directory, time: Time
) -> None:
    book.note(told("ana", "sre"))
    ana = alone.person("ana")
    assert (ana.id, ana.name, ana.emails) == ("ana", "Ana", ("ana@example.org",))
    assert ana.groups == {SRE}
    assert (ana.rotations, ana.manager, ana.disabled) == (frozenset(), None, False)
    for handle in ("ben", "ANA", "ana@example.org", ""):
        with pytest.raises(NotFound, match="has signed in as"):
            alone.person(handle)
    time.forward(days=400)
    assert alone.person("ana") == replace(ana, groups=frozenset())


def test_without_the_record_any_group_may_be(tmp_path: Path, beside: Directory) -> None:
    assert beside.on_call(RotationId("pager")) == ids("ben")
    directory = AnyGroup(StaticDirectory(tmp_path / "people.toml"))
    assert directory.person("ana").groups == {"developers"}
    assert directory.members(LEADS) == ids("ben", "caro")
    assert directory.members(SRE) == frozenset()
    assert directory.on_call(RotationId("pager")) == ids("ben")
    assert directory.rotations() == frozenset({RotationId("pager")})


@pytest.mark.parametrize("is_alone", [True, False])
def test_alone_it_knows_no_rotations_and_lists_no_groups(
    alone: Directory, *, is_alone: bool
) -> None:
    directory: Directory = alone if is_alone else Strangers()
    assert directory.on_call(RotationId("pager")) is None
    assert directory.rotations() == frozenset()
    assert directory.groups() is None
    assert directory.members(SRE) == frozenset()
    with pytest.raises(NotFound, match=r'has signed in as "\\x1b'):
        directory.person("\x1b[31m")
