"""The publishers that ship, held to the contract; ``test_aws_publishers`` has those on AWS."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jitcloud.publishers.memory import MemoryPublisher
from tests.contract.publishers import Inbox, PublisherContract
from tests.contract.publishers.hook import a_webhook, receiving


class TestMemoryPublisher(PublisherContract):
    @pytest.fixture
    def inbox(self) -> Inbox:
        publisher = MemoryPublisher("publish-test")
        with_texts = MemoryPublisher("publish-test", texts=True, sent=publisher.sent)
        return Inbox(publisher, with_texts, lambda _: publisher.sent)


class TestWebhookPublisher(PublisherContract):
    @pytest.fixture
    def inbox(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
        with receiving() as hook:
            publisher, with_texts = (
                a_webhook(hook.url, monkeypatch, texts=texts) for texts in (False, True)
            )
            yield Inbox(publisher, with_texts, lambda _: [post.body.decode() for post in hook.got])
