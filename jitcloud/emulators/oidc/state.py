"""What an issuer knows and does, without HTTP."""

from __future__ import annotations

import secrets
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from jitcloud.emulators.oidc.browser import Codes, Replayed
from jitcloud.emulators.oidc.device import GRANT, Devices
from jitcloud.emulators.oidc.faults import Fault
from jitcloud.emulators.oidc.keys import Algorithm, SigningKey
from jitcloud.emulators.oidc.refreshing import RefreshTokens
from jitcloud.emulators.oidc.refusal import Refusal
from jitcloud.emulators.oidc.sign_in import SignIn
from jitcloud.emulators.oidc.users import User

DEVICE_CODE_LASTS = timedelta(minutes=10)


class Issuer:
    """Keys, accounts, and the sign-ins that are under way; thread-safe."""

    def __init__(
        self,
        *,
        client_id: str,
        algorithm: Algorithm,
        clock: Callable[[], datetime],
        lifetime: timedelta,
        interval: timedelta,
    ) -> None:
        """See ``OidcIssuer``, which says what each of these is."""
        self.client_id = client_id
        self.url = ""
        self.users: dict[str, User] = {}
        self.browser: str | None = None
        """Whoever is at the browser; "" says no there; with None a page asks who it is."""
        self.faults: deque[Fault] = deque()
        """One an answer, whatever is asked next; ``fail`` queues them for one path."""
        self.asked: list[str] = []
        """The path of each request, as it came, without its query."""
        self.discovery_says: dict[str, object] = {}
        """Members of the discovery document, in place of the right ones; None takes one away."""
        self.devices_say: dict[str, object] = {}
        """Members of what a device is told to show, in place of the right ones."""
        self.tokens_say: dict[str, object] = {}
        """Claims of the ID tokens that the token endpoint gives, in place of the right ones."""
        self.answers_say: dict[str, object] = {}
        """Members of what the token endpoint answers, in place of the right ones."""
        self.redirects_say: dict[str, str | None] = {}
        """Parameters that the browser is sent back with, in place of the right ones."""
        self.clock = clock
        self._lifetime = lifetime
        self._lock = threading.RLock()
        self._faults_at: dict[str, deque[Fault]] = {}
        self._keys = [SigningKey.make(algorithm)]
        self._devices = Devices(interval, DEVICE_CODE_LASTS)
        self._codes = Codes()
        self._refresh = RefreshTokens()

    # ── Keys and tokens ──────────────────────────────────────────────────────────────────────

    @property
    def key(self) -> SigningKey:
        """The key that signs now."""
        with self._lock:
            return self._keys[-1]

    def rotate(self, *, keep_old: bool = True, algorithm: Algorithm | None = None) -> str:
        """Sign with a new key from now on; return its id.

        With ``keep_old`` the earlier ones stay published, as tokens that they signed are still
        about; without, those tokens are void for whoever looks.
        """
        with self._lock:
            new = SigningKey.make(algorithm or self._keys[-1].algorithm)
            self._keys = [*(self._keys if keep_old else ()), new]
            return new.id

    def public_jwks(self) -> dict[str, object]:
        """What is published at ``jwks_uri`` (RFC 7517)."""
        with self._lock:
            return {"keys": [key.public() for key in self._keys]}

    def token(self, sub: str, /, **claims: object) -> str:
        """Sign an ID token for an account, or for one that nobody has added, as if just signed in.

        Claims come in place of the usual ones; None takes one away, and a ``datetime`` is written
        as seconds since 1970.
        """
        return self.key.signed(self.claims(sub, **claims))

    def claims(self, sub: str, /, **claims: object) -> dict[str, object]:
        """What ``token`` would sign."""
        with self._lock:
            user = self.users.get(sub, User(sub))
        now = int(self.clock().timestamp())
        every = {
            "iss": self.url,
            "aud": self.client_id,
            "iat": now,
            "exp": now + int(self._lifetime.total_seconds()),
            "auth_time": now,
            "jti": secrets.token_hex(16),
            **user.said(),
            **claims,
        }
        return {
            name: int(said.timestamp()) if isinstance(said, datetime) else said
            for name, said in every.items()
            if said is not None
        }

    # ── Faults ───────────────────────────────────────────────────────────────────────────────

    def fail(self, path: str, *faults: Fault) -> None:
        """Let the next answers at a path, such as ``/token`` or ``/jwks``, go wrong."""
        with self._lock:
            self._faults_at.setdefault(path, deque()).extend(faults)

    def next_fault(self, path: str) -> Fault | None:
        """Take what goes wrong with the next answer at this path, if anything."""
        with self._lock:
            queue = self._faults_at.get(path) or self.faults
            return queue.popleft() if queue else None

    # ── Accounts ─────────────────────────────────────────────────────────────────────────────

    def add(self, sub: str, *, groups: Sequence[str] = (), **more: object) -> User:
        """Add an account, or put another in its place; ``more`` are claims, such as ``email``."""
        user = User(sub, groups=tuple(groups), claims=more)
        with self._lock:
            self.users[sub] = user
        return user

    def remove(self, sub: str) -> None:
        """Take an account away: its refresh tokens are void, its ID tokens last until they end."""
        with self._lock:
            self.users.pop(sub, None)
            self._refresh.revoke_all(sub)

    # ── The device flow ──────────────────────────────────────────────────────────────────────

    def device(self, form: Mapping[str, str]) -> dict[str, object]:
        """Begin one (RFC 8628, 3.1). Raises ``Refusal``."""
        self._check_client(form)
        scope = frozenset(form.get("scope", "").split())
        with self._lock:
            said = self._devices.ask(scope, self.clock(), f"{self.url}/device")
        return _present({**said, **self.devices_say})

    def waiting(self) -> list[str]:
        """The user codes that nobody has answered yet, the oldest first."""
        with self._lock:
            return self._devices.waiting()

    def approve(self, user_code: str, sub: str) -> None:
        """Sign somebody in for a device. Raises ``KeyError`` for a code that nobody was given."""
        with self._lock:
            self._devices.answer(user_code, SignIn(sub=sub, at=self.clock()))

    def deny(self, user_code: str) -> None:
        """Say no to a device. Raises ``KeyError`` for a code that nobody was given."""
        with self._lock:
            self._devices.answer(user_code, None)

    # ── The authorization code flow ──────────────────────────────────────────────────────────

    def authorize(self, sub: str, query: Mapping[str, str]) -> dict[str, str]:
        """Sign somebody in at the browser: what it is sent back with. Raises ``Refusal``."""
        with self._lock:
            return {"code": self._codes.give(sub, query, self.clock())}

    # ── The token endpoint ───────────────────────────────────────────────────────────────────

    def exchange(self, form: Mapping[str, str]) -> dict[str, object]:
        """Answer at the token endpoint (OpenID Connect Core, 3.1.3). Raises ``Refusal``."""
        self._check_client(form)
        with self._lock:
            now, family = self.clock(), secrets.token_hex(8)
            match form.get("grant_type"):
                case "authorization_code":
                    try:
                        sign_in, scope = self._codes.take(form, family, now)
                    except Replayed as exc:
                        self._refresh.revoke_family(exc.family)
                        raise
                case "refresh_token":
                    return self._renewed(form.get("refresh_token", ""))
                case grant if grant == GRANT:
                    sign_in, scope = self._devices.polled(form.get("device_code", ""), now)
                case _:
                    raise Refusal("unsupported_grant_type", "There is no such grant.")
            return self._handed_out(family, sign_in, scope)

    def _renewed(self, token: str) -> dict[str, object]:
        family, sign_in, scope = self._refresh.take(token)
        # No nonce: this is not an answer to the request that named one (Core, 12.2).
        return self._handed_out(
            family, replace(sign_in, nonce=None), scope, again=self._refresh.rotates
        )

    def revoke(self, form: Mapping[str, str]) -> None:
        """Void a refresh token (RFC 7009); one that is not known is void already."""
        self._check_client(form)
        with self._lock:
            self._refresh.revoke(form.get("token", ""))

    @property
    def rotates_refresh_tokens(self) -> bool:
        """Whether each use of a refresh token hands out another, and voids the one before."""
        return self._refresh.rotates

    @rotates_refresh_tokens.setter
    def rotates_refresh_tokens(self, rotates: bool) -> None:
        self._refresh.rotates = rotates

    def _handed_out(
        self, family: str, sign_in: SignIn, scope: frozenset[str], *, again: bool = True
    ) -> dict[str, object]:
        claims = {"auth_time": sign_in.at, "nonce": sign_in.nonce, **self.tokens_say}
        said: dict[str, object] = {
            "access_token": secrets.token_urlsafe(24),
            "token_type": "Bearer",
            "expires_in": int(self._lifetime.total_seconds()),
            "scope": " ".join(sorted(scope)),
            "id_token": self.token(sign_in.sub, **claims),
        }
        if again and "offline_access" in scope:
            said["refresh_token"] = self._refresh.give(family, sign_in, scope)
        return _present({**said, **self.answers_say})

    def _check_client(self, form: Mapping[str, str]) -> None:
        if form.get("client_id") != self.client_id:
            raise Refusal("invalid_client", "There is no such client.", status=401)


def _present(said: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in said.items() if value is not None}
