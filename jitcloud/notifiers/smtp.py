"""Tells people by e-mail, through a mail server (SMTP, RFC 5321; submission, RFC 6409)."""

from __future__ import annotations

import smtplib
from collections.abc import Callable
from dataclasses import dataclass, field
from email.headerregistry import Address
from email.message import EmailMessage

from jitcloud.errors import Misconfigured, Refused, Unavailable
from jitcloud.model import Notice
from jitcloud.notifiers.connection import MailServer, shown
from jitcloud.notifiers.message import written
from jitcloud.ports import Clock
from jitcloud.text import quoted

_PERMANENT = range(500, 600)

_OF_THE_ACCOUNT = frozenset({530, 534, 535, 538})
"""What is not said of one message, but of who is logged in: RFC 4954, 6."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """An account on a mail server. Its password is read when it is needed, and never kept."""

    username: str
    password: Callable[[], str] = field(repr=False)
    """Returns it. May raise ``Misconfigured``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmtpNotifier:
    """Sends each message over a connection of its own. Its repr shows no secret."""

    server: MailServer
    sender: Address
    clock: Clock
    """Dates what is sent."""
    login: Login | None = None

    def send(self, notice: Notice) -> None:
        message = written(notice, self.sender, self.clock())
        password = self._password()
        with self.server.greeted() as session:
            if self.login is not None:
                self._log_in(session, self.login.username, password)
            self._give_up(session, notice, message)

    def _give_up(self, session: smtplib.SMTP, notice: Notice, message: EmailMessage) -> None:
        sender = self.sender.addr_spec
        beyond_ascii = () if notice.address.isascii() else ("SMTPUTF8", "BODY=8BITMIME")
        try:
            # Not send_message, which writes ">From" where a line begins with "From".
            session.sendmail(sender, [notice.address], message.as_bytes(), beyond_ascii)
        except smtplib.SMTPRecipientsRefused as exc:
            code, said = next(iter(exc.recipients.values()))
            raise self._not_taken(notice, code, said) from exc
        except smtplib.SMTPDataError as exc:
            raise self._not_taken(notice, exc.smtp_code, exc.smtp_error) from exc
        except smtplib.SMTPSenderRefused as exc:
            why = (
                f"{self.server} takes no mail from {quoted(sender)}"
                f" ({shown(exc.smtp_code, exc.smtp_error)}); correct from_address or username of"
                " [mail]."
            )
            raise Unavailable(why) from exc
        except smtplib.SMTPNotSupportedError as exc:
            why = (
                f"{self.server} takes no address beyond ASCII, such as {quoted(notice.address)};"
                " name another in the directory."
            )
            raise Refused(why) from exc

    def _password(self) -> str:
        if self.login is None:
            return ""
        try:
            password = self.login.password()
        except Misconfigured as exc:
            raise Unavailable(str(exc)) from exc
        if not (self.login.username + password).isascii():
            # smtplib would raise an error with the password in it.
            raise Unavailable("User name and password of [mail] must be ASCII; choose others.")
        return password

    def _log_in(self, session: smtplib.SMTP, username: str, password: str) -> None:
        # What the server says to this is shown nowhere: it might repeat what it was sent.
        try:
            session.login(username, password)
        except smtplib.SMTPServerDisconnected:
            raise
        except smtplib.SMTPAuthenticationError as exc:
            message = (
                f"{self.server} does not accept the user name and password of [mail]"
                f" ({exc.smtp_code}); correct them."
            )
            raise Unavailable(message) from None
        except (smtplib.SMTPException, ValueError):
            message = (
                f"{self.server} knows no way to log in that is known here; check port, tls and"
                " username of [mail]."
            )
            raise Unavailable(message) from None

    def _not_taken(self, notice: Notice, code: int, said: bytes | str) -> Refused | Unavailable:
        what = f"{self.server} takes no message to {quoted(notice.address)}"
        if code in _PERMANENT and code not in _OF_THE_ACCOUNT:
            return Refused(f"{what} ({shown(code, said)}); check it in the directory.")
        return Unavailable(f"{what} now ({shown(code, said)}); it is tried again.")
