"""The notifiers that ship, held to the contract."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from jitcloud.notifiers.memory import MemoryNotifier
from tests.contract.notifiers import Arrived, NotifierContract, Post
from tests.contract.notifiers.mailbox import Mail, over_smtp, serving


class TestMemoryNotifier(NotifierContract):
    @pytest.fixture
    def post(self) -> Post:
        notifier = MemoryNotifier()
        return Post(
            notifier,
            lambda: [Arrived(n.id, (n.address,), n.subject, n.body) for n in notifier.sent],
        )


class TestSmtpNotifier(NotifierContract):
    @pytest.fixture
    def post(self) -> Iterator[Post]:
        with serving() as mailbox:
            notifier = over_smtp(mailbox.port)
            yield Post(notifier, lambda: [_arrived(mail) for mail in mailbox.taken])


def _arrived(mail: Mail) -> Arrived:
    message: Any = mail.parsed
    assert mail.sender == "jitcloud@example.org"
    for name in ("From", "To", "Subject", "Date", "Message-ID", "References"):
        assert len(message.get_all(name)) == 1
    # Whoever answers all, or looks who else has it, finds nobody but the receiver either.
    assert [address.addr_spec for address in message["To"].addresses] == list(mail.to)
    assert "Cc" not in message
    assert "Bcc" not in message
    text = message.get_content().replace("\r\n", "\n")
    return Arrived(message["Message-ID"], mail.to, message["Subject"], text)
