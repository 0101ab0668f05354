"""What a world's processes log: kept, to be searched for what must not be in it."""

from __future__ import annotations

import logging

OURS = logging.getLogger("jitcloud")


class Listener(logging.Handler):
    """Keeps what is logged, word for word, with whatever is told beside the message."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__(logging.DEBUG)
        self._lines, self._level = lines, OURS.level

    def __enter__(self) -> None:
        self._level = OURS.level
        OURS.addHandler(self)
        OURS.setLevel(logging.DEBUG)

    def __exit__(self, *_: object) -> None:
        OURS.removeHandler(self)
        OURS.setLevel(self._level)

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one line."""
        self._lines.append(f"{record.getMessage()} {vars(record)}")
