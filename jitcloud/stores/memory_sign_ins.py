"""Sign-ins that are forgotten when the process ends: for tests and for trying things out."""

from __future__ import annotations

import threading
from datetime import datetime

from jitcloud.model import GroupId, PersonId, SignedIn
from jitcloud.stores.sign_in_rules import check_count


class MemorySignIns:
    """Keeps everything in a dictionary. Safe for several threads of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_closed = False
        self._kept: dict[PersonId, SignedIn] = {}

    def put(self, signed_in: SignedIn) -> None:
        with self._lock:
            self._check_open()
            kept = self._kept.get(signed_in.person)
            if kept is None or kept.at <= signed_in.at:
                self._kept[signed_in.person] = signed_in

    def of(self, person: PersonId) -> SignedIn | None:
        with self._lock:
            self._check_open()
            return self._kept.get(person)

    def members(self, group: GroupId, now: datetime) -> tuple[SignedIn, ...]:
        with self._lock:
            self._check_open()
            kept = self._kept.values()
            found = tuple(one for one in kept if group in one.groups and now < one.until)
        check_count(group, len(found))
        return found

    def close(self) -> None:
        with self._lock:
            self._is_closed = True

    def _check_open(self) -> None:
        if self._is_closed:
            raise ValueError("The store is closed.")
