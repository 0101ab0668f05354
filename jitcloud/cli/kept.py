"""Keeps the current set of a grant's credentials in the system's keyring, until it is no use.

botocore asks a ``credential_process`` again before nearly every call once a set has less than a
quarter of an hour left, so a short grant would mint a set a call. Without a keyring that is what
happens, and all still works. Nothing is ever written to a file.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from jitcloud import lifecycle
from jitcloud.instants import iso
from jitcloud.model import Credentials, Request, RequestId, State
from jitcloud.system_keyring import Keyring

SERVICE = "jitcloud"

RENEW = timedelta(seconds=60)
"""A set with less left is renewed, if a new one would last longer."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What the keyring holds for one record; two records on one machine do not mix."""

    keyring: Keyring | None
    record: str
    """Where it is: a path of this machine, or the URL of an API and who one is there."""

    def take(self, request: Request, now: datetime) -> Credentials | None:
        """Return the set that is kept for a grant, if it is still of use.

        ``request`` must be one's own and come verified from the record: a set outlives neither an
        early end nor a record that does not hold. Whatever is of no use is forgotten.
        """
        if request.state is State.ACTIVE and now < lifecycle.deadline(request):
            found = self._read(request.id)
            if found is not None and _is_fresh(found, lifecycle.deadline(request), now):
                return found
        self.forget(request.id)
        return None

    def keep(self, request: RequestId, credentials: Credentials) -> None:
        """Keep a set in place of the one before. Without a keyring nothing is kept."""
        if self.keyring is None:
            return
        try:
            self.keyring.set_password(SERVICE, self._name(request), _written(credentials))
        except Exception:  # noqa: BLE001 - backends raise what they like; a set is minted again
            return

    def forget(self, request: RequestId) -> None:
        """Let go of what is kept, if anything is."""
        if self.keyring is None:
            return
        try:
            if self.keyring.get_password(SERVICE, self._name(request)) is not None:
                self.keyring.delete_password(SERVICE, self._name(request))
        except Exception:  # noqa: BLE001 - as above; it is never handed out without the record's yes
            return

    def _read(self, request: RequestId) -> Credentials | None:
        if self.keyring is None:
            return None
        try:
            text = self.keyring.get_password(SERVICE, self._name(request))
            return None if text is None else _read(text)
        except Exception:  # noqa: BLE001 - as above; and what is kept may be anything
            return None

    def _name(self, request: RequestId) -> str:
        where = hashlib.sha256(self.record.encode(errors="surrogateescape"))
        return f"{request}@{where.hexdigest()[:16]}"


def _is_fresh(credentials: Credentials, deadline: datetime, now: datetime) -> bool:
    left = credentials.expires_at - now
    return left > timedelta(0) and (left >= RENEW or credentials.expires_at >= deadline)


def _written(credentials: Credentials) -> str:
    return json.dumps(
        {
            "access_key_id": credentials.access_key_id,
            "secret_access_key": credentials.secret_access_key,
            "session_token": credentials.session_token,
            "expires_at": iso(credentials.expires_at),
        }
    )


def _read(text: str) -> Credentials:
    table = json.loads(text)
    expires_at = datetime.fromisoformat(table["expires_at"])
    if expires_at.tzinfo is None:
        raise ValueError("an instant without its zone")
    return Credentials(
        access_key_id=str(table["access_key_id"]),
        secret_access_key=str(table["secret_access_key"]),
        session_token=str(table["session_token"]),
        expires_at=expires_at.astimezone(UTC),
    )
