"""Where a ticket system answers: over TLS, or on this machine."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Self
from urllib.parse import urlsplit

from jitcloud.errors import Invalid

# What urlsplit would take out silently (tabs, line ends) or read in its own way is not let near it.
_FORM = re.compile(r"https?://[!-~]{1,500}")
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?")

_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """The beginning of every URL of one server."""

    host: str
    port: int
    path: str
    """Without a slash at its end."""
    is_secure: bool

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read one. Raises ``Invalid``, which never repeats it: it might hold a password."""
        if _FORM.fullmatch(url) is None:
            raise Invalid("this is not an address; write one such as https://example.atlassian.net")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
            is_ip = ":" in host and bool(ip_address(host))
        except ValueError:
            raise Invalid("the host or the port of this address is none; correct it") from None
        if set("@?#%") & set(url):
            raise Invalid(
                "take user name, password, ?, # and % out of it; the token stands elsewhere"
            )
        if port == 0 or not (is_ip or _HOST.fullmatch(host)) or not _PATH.fullmatch(parts.path):
            raise Invalid("the host, port or path of this address is none; correct it")
        if parts.scheme != "https" and not is_loopback(host):
            raise Invalid(
                "write https://, or the token could be read on its way; http:// is for an emulator"
                " on this machine"
            )
        return cls(
            host=host,
            port=port or _PORTS[parts.scheme],
            path=parts.path.rstrip("/"),
            is_secure=parts.scheme == "https",
        )

    def __str__(self) -> str:
        """The host, as messages name it, and the port where it is not the usual one."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = self.port == _PORTS["https" if self.is_secure else "http"]
        return host if usual else f"{host}:{self.port}"


def is_loopback(host: str) -> bool:
    """Whether this is a name or a number of this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
