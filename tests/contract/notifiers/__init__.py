"""What every notifier must do. To try one of yours, derive from the class here, as test_notifiers.

What it takes is delivered unharmed, to whom it is for and to nobody else, whatever is in it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from jitcloud.errors import Refused, Unavailable
from jitcloud.model import Notice, PersonId, RequestId
from jitcloud.ports import Notifier


@dataclass(frozen=True)
class Arrived:
    """A message as its receiver has it."""

    id: str
    """By which a receiver knows a message that comes twice."""
    to: tuple[str, ...]
    """To whose mailboxes it went."""
    subject: str
    body: str


@dataclass(frozen=True)
class Post:
    """A notifier, and what has arrived of what it was given."""

    notifier: Notifier
    arrived: Callable[[], list[Arrived]]


NOTICE = Notice(
    id="01J00000000000000000000001.2.u-ben",
    to=PersonId("u-ben"),
    address="ben@example.com",
    name="Ben",
    request=RequestId("01J00000000000000000000001"),
    subject="Ana (u-ana) asks for prod-write: yes or no?",
    body="You are asked for a yes or a no.\n",
)

BODIES = [
    pytest.param("Zoë Łódź 東京 مرحبا 👩‍🚒 “quoted” \U0010fffd\n", id="scripts"),
    pytest.param("x" * 5000 + "\n" + "東" * 2000 + "\n", id="long-lines"),
    pytest.param(".\n..\n. dots\n\n.\nafter\n", id="dots-at-line-starts"),
    pytest.param("From here\n>From there\n-- \nsigned\n", id="mailbox-separators"),
    pytest.param("RCPT TO:<eve@example.com>\nQUIT\nDATA\n", id="commands"),
    pytest.param("trailing  \n\ttabs\t\n=3D =20 =\n100 % é\n", id="blanks-and-equals-signs"),
    pytest.param("\n\nblank first\n\n\n", id="blank-lines"),
    pytest.param("one word\n" * 5000, id="many-lines"),
]

SUBJECTS = [
    "Zoë Łódź 東京 مرحبا 👩‍🚒 asks for prod-write: yes or no?",
    "a long one " * 12,
    'colons: commas, <angles> and "quotes"; x@y.example',
]

INJECTIONS = [
    "x\r\nBcc: eve@example.com",
    "x\nBcc: eve@example.com",
    "x\r\n\r\nanother body",
    "x\r\n.\r\nMAIL FROM:<eve@example.com>\r\nRCPT TO:<eve@example.com>\r\nDATA\r\n",
    "x\u2028Bcc: eve@example.com\u2029\x0b\x0c\x85Bcc: eve@example.com",
    "x\x00\x1b[2J\ud800\u202e",
    '"Ben, eve@example.com" <eve@example.com>, ',
    "Łukasz, Eve <eve@example.com>" * 8,
    "=?utf-8?q?Ben_=3Ceve=40example=2Ecom=3E=2C?=",
    "=?utf-8?q?x=0D=0ABcc:_eve=40example=2Ecom?= =?utf-8?b?eA0KQmNjOiBldmVAZXhhbXBsZS5jb20=?=",
    "",
]

ADDRESSES = [
    "ben@example.com\r\nRCPT TO:<eve@example.com>",
    "ben@example.com>\r\nRCPT TO:<eve@example.com",
    "ben@example.com, eve@example.com",
    "ben@example.com eve@example.com",
    "Eve <eve@example.com>",
    "<eve@example.com>",
    "eve@example.com,ben",
    "ben@example.com;eve@example.com",
    "ben@[127.0.0.1]",
    '"ben eve"@example.com',
    "(eve@example.com)ben@example.com",
    "ben",
    "@example.com",
    "ben@",
    "",
    "b\u202een@example.com",
    "\ud800@example.com",
    "b" * 300 + "@example.com",
]


class NotifierContract(ABC):
    @pytest.fixture
    @abstractmethod
    def post(self) -> Post: ...

    def test_a_message_arrives_where_it_is_for_and_only_there(self, post: Post) -> None:
        post.notifier.send(NOTICE)
        (message,) = post.arrived()
        assert message.to == (NOTICE.address,)
        assert (message.subject, message.body) == (NOTICE.subject, NOTICE.body)

    @pytest.mark.parametrize("body", BODIES)
    def test_text_arrives_unharmed(self, post: Post, body: str) -> None:
        post.notifier.send(replace(NOTICE, body=body))
        assert [message.body for message in post.arrived()] == [body]

    @pytest.mark.parametrize("subject", SUBJECTS)
    def test_a_subject_arrives_unharmed(self, post: Post, subject: str) -> None:
        post.notifier.send(replace(NOTICE, subject=subject))
        assert [message.subject for message in post.arrived()] == [subject]

    def test_the_same_message_twice_can_be_recognised(self, post: Post) -> None:
        other = replace(NOTICE, id="01J00000000000000000000001.3.u-ben")
        for notice in (NOTICE, other, NOTICE):
            post.notifier.send(notice)
        first, second, third = (message.id for message in post.arrived())
        assert first == third
        assert first != second

    @pytest.mark.parametrize("hostile", INJECTIONS)
    @pytest.mark.parametrize("field", ["subject", "name", "to", "id", "request", "body"])
    def test_nothing_in_a_message_makes_it_go_elsewhere(
        self, post: Post, field: str, hostile: str
    ) -> None:
        try:
            post.notifier.send(replace(NOTICE, **{field: hostile}))  # type: ignore[arg-type] # text
        except (Refused, Unavailable):
            return
        assert [message.to for message in post.arrived()] == [(NOTICE.address,)]

    @pytest.mark.parametrize("hostile", ADDRESSES)
    def test_an_address_is_one_mailbox_or_nothing(self, post: Post, hostile: str) -> None:
        try:
            post.notifier.send(replace(NOTICE, address=hostile))
        except (Refused, Unavailable):
            assert post.arrived() == []
        else:
            assert [message.to for message in post.arrived()] == [(hostile,)]
