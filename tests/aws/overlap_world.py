"""One permission set in one account of an emulated Identity Center, and stories told about it.

A story is lines such as ``ana asks A 60m``, ``pass 10m``, ``A back`` and ``can``; see ``Story``.
Whether somebody can is asked of the emulator, never of the record. After each line these hold:

* Whoever can, and was not let in by hand, has a request that is not over.
* Whom the record calls active, can.
* What was given by hand while nothing of ours was there is never taken.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from jitcloud.durations import parse_duration
from jitcloud.emulators.identity_center import Fault, IdentityCenter
from jitcloud.errors import JitError
from jitcloud.model import Request, State
from jitcloud.ports import Change, SlotKind, Store
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.aws.identity_center import AccountAssignment
from jitcloud.providers.aws.identity_center_access import IdentityCenterAccess
from jitcloud.providers.aws.identity_center_pace import Pace
from jitcloud.providers.aws.identity_center_places import KIND
from jitcloud.stores.memory import MemoryStore
from tests.faults import Killed
from tests.world import POLICY, Time, World, caller

ACCOUNT = "222233334444"
SESSION = timedelta(hours=1)

CATALOG = """
[[entitlement]]
id = "ops"
title = "Operate"
cloud = "aws"
mechanism = "aws.identity-center"
privilege = "write"
environment = "dev"
owner = "leads"
[entitlement.target]
{target}

[[entitlement]]
id = "ops-too"
title = "Operate, by another name"
cloud = "aws"
mechanism = "aws.identity-center"
privilege = "write"
environment = "dev"
owner = "leads"
[entitlement.target]
{target}
"""

FINISHED_WITHIN = timedelta(hours=4)
"""More than the longest story still takes, once nothing goes wrong any more."""


@dataclass
class Dies:
    """Lets the process die at one step of all that it takes; counts them."""

    at: int | None = None
    steps: list[str] = field(default_factory=list)

    def __call__(self, step: str) -> None:
        self.steps.append(step)
        if len(self.steps) == self.at:
            raise Killed


class FlakyStore:
    """A store whose process dies before or after the commit that is named."""

    def __init__(self, store: Store, dies: Dies) -> None:
        self._store, self._dies = store, dies

    def commit(self, change: Change) -> None:
        self._dies("before a commit")
        self._store.commit(change)
        self._dies("after a commit")

    def __getattr__(self, name: str) -> object:
        return getattr(self._store, name)


class FlakyKind:
    """A slot kind whose process dies before or after the call that is named."""

    def __init__(self, kind: SlotKind, dies: Dies) -> None:
        self._kind, self._dies = kind, dies

    def __getattr__(self, name: str) -> object:
        found = getattr(self._kind, name)
        if name not in {"see", "put", "remove", "follow"}:
            return found

        def call(*args: object, **named: object) -> object:
            self._dies(f"before {name}")
            answer = found(*args, **named)
            self._dies(f"after {name}")
            return answer

        return call


@dataclass
class Story:
    """One of them, as it is told."""

    folder: Path
    center: IdentityCenter
    clients: Clients
    time: Time
    exclusive: bool = True
    dies: Dies = field(default_factory=Dies)
    asked: dict[str, Request] = field(default_factory=dict)
    by_hand: set[str] = field(default_factory=set)
    """Who must have it whatever we do: who was given it while nothing of ours was there."""
    strict: bool = True
    """Whether what is said of the moment must hold; where a process dies, only the end does."""

    def __post_init__(self) -> None:
        center = self.center
        center.organization.add_account(ACCOUNT, "prod")
        self.permission_set = center.permission_sets.add("Operators", session=SESSION)
        self.users = {name: center.store.add_user(name) for name in ("ana", "ben")}
        target = "\n".join(
            [
                f'instance_arn = "{center.instance_arn}"',
                f'identity_store_id = "{center.store.id}"',
                'region = "us-east-1"',
                f'permission_set_arn = "{self.permission_set}"',
                f'account = "{ACCOUNT}"',
                f"exclusive = {str(self.exclusive).lower()}",
            ]
        )
        pace = Pace()
        self.kind = AccountAssignment(self.clients, pace=pace)
        access = IdentityCenterAccess(self.clients, pace=pace)
        self.store = MemoryStore()
        self.world = World(
            self.folder,
            time=self.time,
            store=FlakyStore(self.store, self.dies),  # type: ignore[arg-type] # by delegation
            policy_text=POLICY.partition('@id("prod-write")')[0],
            catalog_text=CATALOG.format(target=target),
            mechanisms={KIND: access},
            kinds_={KIND: FlakyKind(self.kind, self.dies)},  # type: ignore[dict-item] # the same
        )

    def tell(self, text: str) -> None:
        """All of it; then let everything come to its end, and see that it has."""
        for number, line in enumerate(text.strip().splitlines(), start=1):
            said = line.split("#")[0].strip()
            if said:
                self._line(said, f"line {number}, {said!r}")
        self._to_the_end()

    # ── Lines ────────────────────────────────────────────────────────────────────────────────

    def _line(self, said: str, where: str) -> None:
        for pattern, act in self._lines:
            found = re.fullmatch(pattern, said)
            if found is not None:
                act(*found.groups())
                self._check(where)
                return
        raise ValueError(f"{where} means nothing")

    @property
    def _lines(self) -> Sequence[tuple[str, Callable[..., None]]]:
        return (
            (r"(\w+) asks (\w+) (\w+)( too)?", self._ask),
            (r"(\w+) (back|revoked)", self._end),
            (r"extend (\w+) (\w+)", self._extend),
            (r"pass (\w+)", self.on),
            (r"(\w+) is (\w+)", self._is),
            (r"(?:(\w+) )?(can|cannot)", self._can_or_not),
            (r"hand (gives|takes)(?: (\w+))?", self._hand),
            (r"takes (\w+)", self._takes),
            (r"lag (\w+)", self._lag),
            (r"fault (\w+)(?: on (\w+))?(?: after (\w+))?", self._fault),
            (r"release", self._release),
        )

    def _ask(self, person: str, name: str, duration: str, too: str | None) -> None:
        what, minutes = "ops-too" if too else "ops", parse_duration(duration) / timedelta(minutes=1)
        self._driven(lambda: self._asked(name, self.world.ask(person, what, minutes=minutes)))
        if name not in self.asked:  # it died with the ask under way: the person asks once more
            taken = {request.id for request in self.asked.values()}
            known = self.store.by_person(self.world.directory.person(person).id, 100).requests
            found = [request for request in known if request.id not in taken]
            self._asked(name, (found or [self.world.ask(person, what, minutes=minutes)])[0])

    def _asked(self, name: str, request: Request) -> None:
        self.asked[name] = request

    def _end(self, name: str, how: str) -> None:
        request = self.asked[name]

        def act() -> None:
            if self.now(name).state in {State.PENDING, State.SCHEDULED}:
                # It died before anybody was let in: they take it back.
                self.world.broker.withdraw(caller(request.person), request.id, self.time())
            elif how == "back":
                self.world.give_back(request, request.person)
            else:
                self.world.broker.revoke(caller("ben"), request.id, self.time(), "enough")
                self.world.advance.wake(request.id)

        self._driven(act)
        if self.now(name).state in {State.ACTIVE, State.ACTIVATING}:
            self._driven(act)

    def _extend(self, name: str, duration: str) -> None:
        minutes = parse_duration(duration) / timedelta(minutes=1)
        request = self.asked[name]
        self._driven(lambda: self.world.extend(request, minutes, request.person))

    def _is(self, name: str, state: str) -> None:
        if self.strict:
            assert self.now(name).state == state, f"{name} is {self.now(name).state}"

    def _can_or_not(self, person: str | None, can: str) -> None:
        if self.strict:
            assert self.can(person or "ana") == (can == "can"), f"{person or 'ana'} {can}: wrong"

    def _hand(self, does: str, person: str | None) -> None:
        user = self.users[person or "ana"]
        if does == "gives":
            if not self._is_ours(person or "ana"):
                self.by_hand.add(person or "ana")
            self.center.assign_by_hand(user, self.permission_set, ACCOUNT)
        else:
            self.by_hand.discard(person or "ana")
            self.center.unassign_by_hand(user, self.permission_set, ACCOUNT)

    def _takes(self, duration: str) -> None:
        self.center.behaviour.takes = parse_duration(duration)

    def _lag(self, duration: str) -> None:
        self.center.behaviour.lag = parse_duration(duration)

    def _fault(self, name: str, operation: str | None, after: str | None) -> None:
        late = parse_duration(after or "1m")
        self.center.faults.append(Fault[name], on=operation, after=late)

    def _release(self) -> None:
        self.center.release()

    # ── Time ─────────────────────────────────────────────────────────────────────────────────

    def on(self, duration: str) -> None:
        """Let time pass; whatever is due has its turn."""
        until = self.time() + parse_duration(duration)
        for _ in range(5_000):
            due = self.store.due(until, 1)
            if not due:
                break
            self.time.now = max(self.time(), due[0].wake_at)
            self._driven(self.world.sweep)
        else:
            raise AssertionError("it never comes to rest")
        self.time.now = until

    def _driven(self, act: Callable[[], object]) -> None:
        try:
            act()
        except Killed:
            pass  # the next process goes on from the record
        except JitError:
            if self.strict:
                raise

    def _to_the_end(self) -> None:
        self.dies.at = None
        self.center.faults.clear()
        self.center.release()
        self.on(f"{FINISHED_WITHIN // timedelta(hours=1)}h")
        left = {name: self.now(name).state for name in self.asked if not self._is_over(name)}
        assert not left, f"never over: {left}"
        for person in self.users:
            assert self.can(person) == (person in self.by_hand), f"{person} in the end"
        assert self.store.due(self.time() + timedelta(days=9), 10) == ()
        self.world.verify_all()

    # ── What is true ─────────────────────────────────────────────────────────────────────────

    def can(self, person: str) -> bool:
        return self.users[person] in self.center.who_can(self.permission_set, ACCOUNT)

    def now(self, name: str) -> Request:
        found = self.store.request(self.asked[name].id)
        assert found is not None
        return found

    def _is_over(self, name: str) -> bool:
        return self.now(name).state.is_finished

    def _is_ours(self, person: str) -> bool:
        """Whether something of ours is in somebody's place, or may be by now."""
        user = self.users[person]
        return any(
            slot.standing is False
            for slot in self.store.all_slots(100)
            if slot.where["principal_id"] == user
        )

    def _check(self, where: str) -> None:
        for person in self.users:
            mine = [r for n, r in self.asked.items() if r.person == person]
            states = {self.store.request(r.id).state for r in mine}  # type: ignore[union-attr] # just asked
            if person in self.by_hand:
                assert self.can(person), f"{where}: what {person} had by hand is gone"
            elif self.can(person):
                at_work = {State.ACTIVATING, State.ACTIVE, State.ENDING}
                assert states & at_work, f"{where}: {person} has access and no request"
