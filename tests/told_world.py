"""A small organisation whose people are told what concerns them, and a mail server for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from jitcloud.errors import Unavailable
from jitcloud.model import Mark, Notice, Request
from jitcloud.notifiers.memory import MemoryNotifier
from jitcloud.ports import Notifier
from jitcloud.telling import Teller
from tests.faults import Killed
from tests.world import World

PEOPLE = """
person = [
  { id = "ana", name = "Ana", emails = ["ana@example.com"] },
  { id = "ben", name = "Ben", emails = ["ben@example.com"] },
  { id = "caro", name = "Caro", emails = ["caro@example.com"] },
  { id = "dan", name = "Dan", emails = ["dan@example.com"] },
]
[groups]
developers.members = ["ana", "ben", "caro", "dan"]
leads.members = ["ben", "caro", "dan"]
"""


@dataclass
class Post(MemoryNotifier):
    """Takes messages, unless a test says otherwise."""

    answer: Callable[[Notice], None] = lambda _notice: None
    """Called before a message is taken; may raise."""

    def __post_init__(self) -> None:
        super().__init__()

    def send(self, notice: Notice) -> None:
        self.answer(notice)
        super().send(notice)

    def told(self) -> list[str]:
        """Who was told, and in which event; and nobody of it twice, unless a test looks."""
        return [notice.id.partition(".")[2] for notice in self.sent]


@dataclass
class Told(World):
    """The small organisation, whose people are told."""

    people_text: str = PEOPLE
    post: Post = field(default_factory=Post)

    def put_together(self) -> None:
        super().put_together()
        self.ledger = replace(self.ledger, channels=("notices",))
        self.broker = replace(self.broker, ledger=self.ledger)
        self.advance = replace(self.advance, ledger=self.ledger)
        self.teller = self.a_teller()

    def a_teller(self, notifier: Notifier | None = None) -> Teller:
        """Make one as another process would."""
        return Teller(self.store, self.directory, notifier or self.post, self.time)

    def mark(self, request: Request) -> Mark:
        mark = self.store.mark("notices", request.id)
        assert mark is not None
        return mark

    def tell(self, *requests: Request) -> list[str]:
        """Wake what is due; return what could not be told."""
        return [self.teller.wake(request.id) for request in requests]


def fine(_notice: Notice) -> None:
    pass


def dies(_notice: Notice) -> None:
    raise Killed


def down(_notice: Notice) -> None:
    raise Unavailable("The mail server is down.")


def only(person: str, error: Exception) -> Callable[[Notice], None]:
    def answer(notice: Notice) -> None:
        if notice.to == person:
            raise error

    return answer
