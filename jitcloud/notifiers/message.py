"""A notice as an e-mail (RFC 5322). Nothing in it can begin another header, or name another."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, SMTPUTF8

from jitcloud.errors import Refused
from jitcloud.model import Notice
from jitcloud.text import is_unsafe, quoted

# RFC 5321, 4.1.2, less what is quoted there, and with the letters of RFC 6531.
_ATOM = r"[^\s\x00-\x20\x7f()<>\[\]:;@\\,.\"]+"
_ADDRESS = re.compile(rf"(?=.{{3,254}}$){_ATOM}(?:\.{_ATOM})*@[^\W_](?:[\w.-]*[^\W_])?")

_LONGEST_NAME = 60


def is_address(text: str) -> bool:
    """Whether this is one e-mail address, and nothing beside it."""
    return text.isprintable() and _ADDRESS.fullmatch(text) is not None


def written(notice: Notice, sender: Address, now: datetime) -> EmailMessage:
    """Put a notice into an e-mail of this date. Raises ``Refused`` where it names no address."""
    if not is_address(notice.address):
        said = f"{quoted(notice.address)} is no e-mail address; correct it in the directory."
        raise Refused(said)
    about = f"<{_word(notice.request)}@{sender.domain}>"
    message = EmailMessage(policy=SMTP if notice.address.isascii() else SMTPUTF8)
    message["From"] = Address(plain(sender.display_name), sender.username, sender.domain)
    message["To"] = Address(plain(notice.name), *notice.address.split("@"))
    message["Subject"] = _one_line(notice.subject)
    message["Date"] = now
    # The same for the same notice, so that a mailbox can show it once.
    message["Message-ID"] = f"<{_word(notice.id)}@{sender.domain}>"
    # All that concerns one request stands together, under a message that nobody ever sent.
    message["In-Reply-To"] = about
    message["References"] = about
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: no answers of machines, please
    # Quoted-printable keeps each line as it is: long ones, and those that begin with a dot.
    text = notice.body.encode(errors="backslashreplace").decode()
    message.set_content(text, cte="quoted-printable")
    return message


def plain(name: str) -> str:
    """Leave of a name what means nothing in a header, quoted or encoded or folded."""
    kept = "".join(char if char.isalnum() or char in "-'" else " " for char in name)
    return " ".join(kept.split())[:_LONGEST_NAME]


def _one_line(text: str) -> str:
    """Escape what ends a line or reorders it, and break up what reads as an encoded word.

    What is set as a header is decoded first (RFC 2047), and a line end may be hidden in there.
    """
    shown = (c.encode("unicode_escape").decode() if is_unsafe(c) else c for c in text)
    return "".join(shown).replace("=?", "= ?")


def _word(id_: str) -> str:
    """Name something in a message id (RFC 5322, 3.6.4), whatever it is called."""
    return hashlib.sha256(id_.encode(errors="backslashreplace")).hexdigest()[:32]
