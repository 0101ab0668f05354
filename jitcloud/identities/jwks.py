"""The keys that an issuer signs with, as it publishes them: fetched bounded, kept for a while.

OpenID Connect Discovery 1.0, 4 (https://openid.net/specs/openid-connect-discovery-1_0.html),
JSON Web Key (RFC 7517). The idea is that of PyJWT's ``PyJWKClient``; what is added is that a flood
of tokens with made-up keys makes us ask no more often, and that an issuer may be down for a while.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK, PyJWKError
from jwt.algorithms import AllowedPublicKeys
from jwt.exceptions import PyJWTError

from jitcloud.address import Address
from jitcloud.errors import Invalid, Misconfigured, Unauthenticated, Unavailable
from jitcloud.files import MIB
from jitcloud.https import Server
from jitcloud.identities.compact import strict_json
from jitcloud.text import quoted

FRESH = timedelta(minutes=10)
"""For how long keys are used without asking again."""

STALE = timedelta(hours=1)
"""For how long they are used while the issuer cannot be asked."""

BETWEEN = timedelta(seconds=30)
"""How long nothing is asked after a question, whatever keys tokens name."""

RETRY = timedelta(seconds=5)
"""The same, while no keys are known at all."""

WITHIN = timedelta(seconds=3)
"""How long each of the two answers may take."""

MOST_KEYS = 100

_RSA = frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"})
_CURVES = {"P-256": "ES256", "P-384": "ES384", "P-521": "ES512"}
_EDWARDS = frozenset({"Ed25519", "Ed448"})
_BITS = range(2048, 8193)
"""Of an RSA key: shorter ones are broken some day, and longer ones keep us busy."""
_LONGEST_NUMBER = 2000

_OK = 200
_QUERY = re.compile(r"[A-Za-z0-9._~%&=-]{1,500}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One public key, and what it may be used for."""

    id: str | None
    algorithms: frozenset[str]
    public: AllowedPublicKeys = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fetched:
    keys: tuple[Key, ...]
    at: datetime


class IssuerKeys:
    """The keys of one issuer. Safe for several threads; asks for nothing before it is needed."""

    def __init__(self, issuer: str) -> None:
        """Take the issuer's URL, as ``iss`` has it. Raises ``Invalid``."""
        self._issuer = issuer
        self._who = f"The issuer {quoted(issuer, limit=200)}"
        self._address = Address.parse(issuer)
        self._asking = threading.Lock()
        self._fetched: _Fetched | None = None
        self._asked_at: datetime | None = None
        self._trouble = ""

    def fitting(self, key_id: str | None, algorithm: str, now: datetime) -> tuple[Key, ...]:
        """Return the keys by which a token may be signed, hardly ever more than one.

        Raises ``Unauthenticated`` where there is none, and ``Unavailable`` while that cannot be
        told.
        """
        found = _fitting(self._keys(now, anew=False), key_id, algorithm)
        if not found:
            found = _fitting(self._keys(now, anew=True), key_id, algorithm)
        if not found:
            raise Unauthenticated(
                f"{self._who} publishes no key that fits this token; sign in again."
            )
        return found

    def _keys(self, now: datetime, *, anew: bool) -> tuple[Key, ...]:
        # Whoever has keys at hand need not wait for another's question.
        must_wait = anew or self._usable(now) is None
        if self._is_wanted(now, anew=anew) and self._asking.acquire(blocking=must_wait):
            try:
                if self._is_wanted(now, anew=anew):
                    self._ask(now)
            finally:
                self._asking.release()
        usable = self._usable(now)
        if usable is None:
            raise Unavailable(self._trouble)
        return usable.keys

    def _usable(self, now: datetime) -> _Fetched | None:
        fetched = self._fetched
        return fetched if fetched is not None and abs(now - fetched.at) <= STALE else None

    def _is_wanted(self, now: datetime, *, anew: bool) -> bool:
        usable, asked_at = self._usable(now), self._asked_at
        if usable is not None and not anew and abs(now - usable.at) <= FRESH:
            return False
        pause = RETRY if usable is None else BETWEEN
        return asked_at is None or abs(now - asked_at) >= pause

    def _ask(self, now: datetime) -> None:
        try:
            self._fetched = _Fetched(keys=self._published(), at=now)
        except Misconfigured as exc:
            self._trouble = str(exc)
        finally:
            self._asked_at = now  # not before: whoever needs the answer waits for it

    def _published(self) -> tuple[Key, ...]:
        described = self._got(self._address, "/.well-known/openid-configuration")
        if described.get("issuer") != self._issuer:
            raise Unavailable(
                f"{self._who} says that it is another issuer; write its url in [sign_in] as it says"
                " it itself."
            )
        where, _, query = str(described.get("jwks_uri")).partition("?")
        try:
            address = Address.parse(where)
        except Invalid:
            raise self._unreadable() from None
        is_safe = address.is_secure or not self._address.is_secure
        if not is_safe or (query and _QUERY.fullmatch(query) is None):
            raise self._unreadable()
        listed = self._got(address, f"?{query}" if query else "").get("keys")
        if not isinstance(listed, list) or len(listed) > MOST_KEYS:
            raise self._unreadable()
        keys = tuple(key for each in listed if (key := _read(each)) is not None)
        if not keys:
            raise self._unreadable()
        return keys

    def _got(self, address: Address, path: str) -> Mapping[str, Any]:
        server = Server(self._who, address, timeout=WITHIN, limit=MIB)
        answer = server.get(path, {"Accept": "application/json"})
        if answer.status != _OK:
            raise Unavailable(
                f"{self._who} answers with HTTP status {answer.status} when asked for its keys; try"
                " again later, and check its url if that lasts."
            )
        try:
            found = strict_json(answer.body)
        except ValueError:
            raise self._unreadable() from None
        if not isinstance(found, dict):
            raise self._unreadable()
        return found

    def _unreadable(self) -> Unavailable:
        return Unavailable(
            f"{self._who} publishes its keys in no form that can be used; check its url, and have"
            " it mended."
        )


def _fitting(keys: tuple[Key, ...], key_id: str | None, algorithm: str) -> tuple[Key, ...]:
    able = tuple(key for key in keys if algorithm in key.algorithms)
    if key_id is not None:
        return tuple(key for key in able if key.id == key_id)
    # Without a name it has to be the only one (OpenID Connect Core 1.0, 10.1).
    return able if len(able) == 1 else ()


def _read(listed: object) -> Key | None:
    """Read one key; None for whatever does not verify signatures, or is not understood."""
    if not isinstance(listed, dict) or "d" in listed or "k" in listed:
        return None
    key_id, operations = listed.get("kid"), listed.get("key_ops", ["verify"])
    algorithms = _algorithms(listed)
    numbers = (listed.get(name, "") for name in ("n", "e", "x", "y"))
    if (
        not algorithms
        or listed.get("use", "sig") != "sig"
        or not (isinstance(operations, list) and "verify" in operations)
        or not (key_id is None or isinstance(key_id, str))
        or any(not isinstance(each, str) or len(each) > _LONGEST_NUMBER for each in numbers)
    ):
        return None
    try:
        public = PyJWK.from_dict(listed, algorithm=min(algorithms)).key
    except (PyJWTError, PyJWKError, ValueError, TypeError):
        return None
    if isinstance(public, RSAPublicKey) and public.key_size not in _BITS:
        return None
    return Key(id=key_id, algorithms=algorithms, public=public)


def _algorithms(listed: Mapping[str, Any]) -> frozenset[str]:
    curve = listed.get("crv")
    match listed.get("kty"):
        case "RSA":
            able = _RSA
        case "EC" if isinstance(curve, str) and curve in _CURVES:
            able = frozenset({_CURVES[curve]})
        case "OKP" if isinstance(curve, str) and curve in _EDWARDS:
            able = frozenset({"EdDSA"})
        case _:
            able = frozenset()
    only = listed.get("alg")
    return able if only is None else able.intersection({only} if isinstance(only, str) else ())
