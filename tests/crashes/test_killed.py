"""The broker is killed (SIGKILL) before each step of a lifetime, by each mechanism on each store.

How many steps there are, the first run says, which nothing kills. After each death another process
does nothing but sweep; then nobody is in who should not be, in truth, and the record says so too.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

import jitcloud
from jitcloud.audit import chain
from jitcloud.audit.public_keys import TrustedKeys, public_keys
from jitcloud.model import Credentials, Request
from jitcloud.ports import Store
from tests import deployments
from tests.aws.iam_world import catalog
from tests.crashes import lives
from tests.crashes.registry import MECHANISMS, STORES, Mechanism, Place, StoreKind, Surroundings
from tests.processes import PROCESSES

FEW, MANY = 3, 32
"""In how many places a lifetime is killed in `make test`: that of a session in a file before about
every other step, the others in a few; each before all of them in the end."""

SWEEPS = (3, 4, 5, 30, 31, 32, 100, 101)
"""At which minutes from its death a broker sweeps that does so again.

First what the dead one had claimed is free again; then what was let in only now is over, and what
a cloud still does in its own time is asked after; last, sessions have run out that nothing ends.
"""

COMBINATIONS = [
    pytest.param(mechanism, store, id=f"{mechanism.name} on {store.name}")
    for mechanism in MECHANISMS
    for store in STORES
]

QUICK = [
    COMBINATIONS[number * len(STORES) + number % len(STORES)] for number in range(len(MECHANISMS))
]
"""Each mechanism once, on the stores in turn; all of them take a while."""


@dataclass
class Life:
    """One lifetime in a deployment of its own."""

    folder: Path
    place: Place
    key: str
    handed_out: list[Credentials] = field(default_factory=list)
    steps: tuple[str, ...] = ()
    """Which it took; nothing where it was killed."""

    def run(self, at: int, takes: int) -> None:
        mine, theirs = PROCESSES.Pipe(duplex=False)
        process = PROCESSES.Process(
            target=lives.live, args=(self.folder, self.key, at, takes, theirs)
        )
        process.start()
        theirs.close()
        self._listen(mine)
        process.join(60)
        assert process.exitcode == (0 if at == 0 else -9), f"before step {at}: {process.exitcode}"

    def _listen(self, mine: Connection) -> None:
        for _ in range(10):
            try:
                first, *rest = mine.recv()
            except EOFError:
                return
            if first == "steps":
                self.steps = tuple(rest)
                return
            secret, token = rest
            self.handed_out.append(
                Credentials(
                    access_key_id=first,
                    secret_access_key=secret,
                    session_token=token,
                    expires_at=datetime.now(UTC),
                )
            )
        raise AssertionError(self.handed_out)

    @contextmanager
    def store(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", self.key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        with jitcloud.load(self.folder) as jit:
            yield jit.deployment.ledger.store

    def its_end_is_on_record(self, store: Store) -> None:
        """P2: nobody is in whose end is not recorded, nor handed out what is not recorded."""
        requests = _requests(store)
        if self.place.who():
            assert any(request.window for request in requests), self.folder
        if self.handed_out:
            (request,) = requests
            assert request.issued >= len(self.handed_out)
            assert request.window is not None

    def is_over(self, store: Store) -> None:
        assert self.place.who() == [], self.folder
        for request in _requests(store):
            place = request.places.grant
            slot = None if place is None else store.slot(place.key)
            assert request.state.is_finished, (self.folder, request.state, slot)
            trusted = TrustedKeys(public_keys(self.folder / "keys"))
            chain.verify(request, store.events(request.id), trusted)
        assert store.due(datetime.now(UTC) + timedelta(days=365), 10) == (), self.folder


def _begun(folder: Path, here: Surroundings, mechanism: Mechanism, store: StoreKind) -> Life:
    place = mechanism.place(here)
    deployments.make(folder, endpoint_url=here.aws.endpoint_url, entitlements={})
    (folder / "catalog.toml").write_text(
        catalog(mechanism.name, dev_read=place.target, prod_read=place.target)
    )
    settings = folder / "jitcloud.toml"
    center = f'[aws]\nidentity_center_url = "{here.center.url}"'
    whole = settings.read_text().replace("[aws]", center)
    settings.write_text(f"{whole}\n[store]\n{store.settings(here)}\n")
    return Life(folder, place, here.aws.account)


def _enumerated(  # noqa: PLR0913, PLR0917 - the fixtures of the tests below
    folder: Path,
    here: Surroundings,
    mechanism: Mechanism,
    store: StoreKind,
    monkeypatch: pytest.MonkeyPatch,
    few: int | None,
) -> None:
    whole = _begun(folder / "0", here, mechanism, store)
    whole.run(0, mechanism.takes)
    steps = len(whole.steps)
    _is_a_lifetime(whole)
    lives_ = [whole]
    for at in _chosen(steps, few, mechanism, store):
        life = _begun(folder / str(at), here, mechanism, store)
        life.run(at, mechanism.takes)
        with life.store(monkeypatch) as record:
            life.its_end_is_on_record(record)
        lives_.append(life)
    assert len(lives_) == 1 + (steps if few is None else min(few, steps))
    _no_session_is_alive(here, lives_, mechanism)
    _recover(lives_)
    for life in lives_:
        with life.store(monkeypatch) as record:
            life.is_over(record)


def _chosen(
    steps: int, few: int | None, mechanism: Mechanism, store: StoreKind
) -> range | list[int]:
    """Before which steps to kill: all, or a few, other ones for each mechanism and store."""
    if few is None or few >= steps:
        return range(1, steps + 1)
    first = 1 + MECHANISMS.index(mechanism) * len(STORES) + STORES.index(store)
    return [1 + (first + number * steps // few) % steps for number in range(few)]


def _is_a_lifetime(whole: Life) -> None:
    """What was recorded is the whole of one: commits, and changes of a cloud."""
    names = [name.partition(".")[2] for name in whole.steps]
    assert names.count("commit") >= 5, whole.steps
    assert names.count("send") >= 5, whole.steps


def _recover(lives_: list[Life]) -> None:
    folders = [life.folder for life in lives_]
    process = PROCESSES.Process(target=lives.recover, args=(folders, lives_[0].key, *SWEEPS))
    process.start()
    process.join(60 + 10 * len(folders))
    assert process.exitcode == 0, folders


def _no_session_is_alive(here: Surroundings, lives_: list[Life], mechanism: Mechanism) -> None:
    """P3: where a cloud keeps the deadline, past it nobody is in, though no broker has lived since.

    Those that a killed broker has handed out, and those that the whole lifetime has given back.
    """
    handed_out = [(life, made) for life in lives_ for made in life.handed_out]
    assert bool(handed_out) == bool(mechanism.takes)
    if not handed_out:
        return
    deadline = datetime.now(UTC) + lives.WINDOW
    while datetime.now(UTC) < deadline:
        time.sleep(0.1)
    alive = [life.folder for life, made in handed_out if here.aws.can_read(made, life.place.bucket)]
    assert alive == [], f"{len(alive)} sessions outlive their deadline"


def _requests(store: Store) -> list[Request]:
    found = [store.request(name) for name in store.ids(10)]
    return [request for request in found if request is not None]


@pytest.mark.parametrize(("mechanism", "store"), QUICK)
def test_killed_before_some_steps_nobody_is_in_past_the_end(
    surroundings: Surroundings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mechanism: Mechanism,
    store: StoreKind,
) -> None:
    is_first = (mechanism, store) == (MECHANISMS[0], STORES[0])
    few = MANY if is_first else FEW
    _enumerated(tmp_path, surroundings, mechanism, store, monkeypatch, few)


@pytest.mark.long
@pytest.mark.parametrize(("mechanism", "store"), COMBINATIONS)
def test_nor_when_it_is_killed_before_any(
    surroundings: Surroundings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    mechanism: Mechanism,
    store: StoreKind,
) -> None:
    _enumerated(tmp_path, surroundings, mechanism, store, monkeypatch, None)
