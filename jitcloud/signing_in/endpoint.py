"""URLs that tokens may be sent to: over TLS, or on this machine."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Self
from urllib.parse import urlsplit

from jitcloud.address import Address, is_loopback
from jitcloud.errors import Invalid

# What urlsplit would take out silently (tabs, line ends) or read in its own way is not let near it.
_FORM = re.compile(r"https?://[!-\[\]-~]{1,1000}")
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")

_PORTS = {"https": 443, "http": 80}


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One URL. Unlike an ``Address`` it is not of our choosing, and may have a query."""

    url: str
    """As it was written."""
    address: Address
    """Where it leads, without its path."""
    target: str
    """Path and query, as a request names them."""

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read one. Raises ``Invalid``, which never repeats it: it might hold a password."""
        if _FORM.fullmatch(url) is None:
            raise Invalid("this is not an address; write one such as https://login.example.com")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
            is_ip = ":" in host and bool(ip_address(host))
        except ValueError:
            raise Invalid("the host or the port of this address is none; correct it") from None
        if "@" in parts.netloc or "#" in url:
            raise Invalid("take user name, password and # out of this address")
        if port == 0 or not (is_ip or _HOST.fullmatch(host)):
            raise Invalid("the host or the port of this address is none; correct it")
        if parts.scheme != "https" and not is_loopback(host):
            raise Invalid(
                "write https://, or tokens could be read on their way; http:// is for this"
                " machine alone"
            )
        return cls(
            url=url,
            address=Address(
                host=host,
                port=port or _PORTS[parts.scheme],
                path="",
                is_secure=parts.scheme == "https",
            ),
            target=(parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
        )

    def __str__(self) -> str:
        """The host, as messages name it, and the port where it is not the usual one."""
        return str(self.address)
