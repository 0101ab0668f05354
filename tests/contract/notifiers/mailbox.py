"""A real mail server on this machine, which keeps what it takes and refuses what it is told to."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import default
from threading import Thread
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from jitcloud.notifiers.connection import MailServer, Tls
from jitcloud.notifiers.smtp import SmtpNotifier
from tests.factories import NOW

PASSWORD = "open-sesame"  # noqa: S105 - made up


@dataclass(frozen=True)
class Mail:
    sender: str
    to: tuple[str, ...]
    raw: bytes

    @property
    def parsed(self) -> EmailMessage:
        message = message_from_bytes(self.raw, policy=default)
        assert isinstance(message, EmailMessage)
        return message


@dataclass
class Mailbox:
    """What a server took, and what it answers."""

    port: int = 0
    taken: list[Mail] = field(default_factory=list)
    answers: dict[str, str] = field(default_factory=dict)
    """What it says to a command, or to an address, instead of yes."""
    logins: list[tuple[str, str]] = field(default_factory=list)
    secured: list[bool] = field(default_factory=list)
    """Of each message, whether it came over TLS."""

    async def handle_MAIL(  # noqa: N802 - its name there
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(  # noqa: N802 - its name there
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        answer = self.answers.get("RCPT") or self.answers.get(address, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(  # noqa: N802 - its name there
        self, server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        answer = self.answers.get("DATA", "250 OK")
        if answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            mail = Mail(str(envelope.mail_from), tuple(envelope.rcpt_tos), envelope.content)
            self.taken.append(mail)
            assert server.transport is not None
            self.secured.append(server.transport.get_extra_info("ssl_object") is not None)
        return answer

    def authenticate(
        self, _server: SMTP, _session: Session, _envelope: Envelope, _way: str, found: object
    ) -> AuthResult:
        assert isinstance(found, LoginPassword)
        self.logins.append((found.login.decode(), found.password.decode()))
        is_good = self.logins[-1] == ("jitcloud", PASSWORD)
        return AuthResult(success=is_good, handled=False)


def over_smtp(port: int, *, tls: Tls = "none", within: float = 10, **how: Any) -> SmtpNotifier:
    """Make a notifier that gives mail up at a port of this machine."""
    server = MailServer(host="127.0.0.1", port=port, tls=tls, timeout=timedelta(seconds=within))
    sender = Address("jitcloud", "jitcloud", "example.org")
    return SmtpNotifier(server=server, sender=sender, clock=lambda: NOW, **how)


@contextmanager
def serving(
    *, tls: ssl.SSLContext | None = None, implicit: bool = False, **how: Any
) -> Iterator[Mailbox]:
    """Run a server for as long as the block lasts; ``how`` goes to the server itself."""
    mailbox = Mailbox()
    loop = asyncio.new_event_loop()
    if tls is not None and not implicit:
        how = {"tls_context": tls, "require_starttls": True, **how}

    def made() -> SMTP:
        return SMTP(
            mailbox,
            hostname="mail.test",
            loop=loop,
            enable_SMTPUTF8=True,
            authenticator=mailbox.authenticate,
            **how,
        )

    server = loop.run_until_complete(
        loop.create_server(made, "127.0.0.1", 0, ssl=tls if implicit else None)
    )
    mailbox.port = server.sockets[0].getsockname()[1]
    thread = Thread(target=loop.run_forever)
    thread.start()
    try:
        yield mailbox
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        server.close()
        loop.run_until_complete(_ended())
        loop.close()


async def _ended() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
