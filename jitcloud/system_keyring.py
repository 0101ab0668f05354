"""The keyring of the operating system, as far as a set of credentials may be kept in it.

Only those of the operating systems are used: other backends may write to a plain file.
"""

from __future__ import annotations

from typing import Protocol

_OF_THE_SYSTEM = (
    "keyring.backends.SecretService",
    "keyring.backends.kwallet",
    "keyring.backends.libsecret",
    "keyring.backends.macOS",
)


class Keyring(Protocol):
    """What is used of a keyring backend. Any call may raise anything."""

    def get_password(self, service: str, username: str) -> str | None:
        """Return what is kept, if anything."""
        ...

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep something."""
        ...

    def delete_password(self, service: str, username: str) -> None:
        """Forget it. Raises when there is nothing."""
        ...


def os_keyring() -> Keyring | None:
    """Return the keyring of this system, or None where there is none that is safe to use."""
    try:
        from keyring import get_keyring  # noqa: PLC0415 - it looks for backends for a while

        backend = get_keyring()
        # Several at once come as a chain, the best first.
        candidates = getattr(backend, "backends", None) or [backend]
        return next((one for one in candidates if is_of_the_system(one)), None)
    except Exception:  # noqa: BLE001 - backends raise what they like; without one all still works
        return None


def is_of_the_system(backend: object) -> bool:
    """Whether a backend is the operating system's own."""
    module = type(backend).__module__
    return any(module == ours or module.startswith(f"{ours}.") for ours in _OF_THE_SYSTEM)
