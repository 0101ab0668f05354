"""Where a secret is: a variable or a file. It is read when it is needed, and never kept."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from jitcloud.errors import Misconfigured
from jitcloud.files import read_text
from jitcloud.text import printable

_LARGEST = 4096
# Whatever else stood in a header could end it and begin another.
_TOKEN = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """Names the place, and holds nothing of what is there."""

    variable: str = ""
    """Of the environment; counts unless there is a file."""
    file: Path | None = None

    def read(self) -> str:
        """Return what is there now. Raises ``Misconfigured``, without any of it."""
        if self.file is not None:
            found = read_text(self.file, limit=_LARGEST)
        else:
            found = os.environ.get(self.variable, "")
        found = found.strip()
        if not found:
            raise Misconfigured(f"There is no secret in {self}; put it there.")
        if len(found) > _LARGEST or _TOKEN.fullmatch(found) is None:
            message = (
                f"What is in {self} is not one secret; put it there alone, without any space,"
                " line end or letter that is not ASCII within it."
            )
            raise Misconfigured(message)
        return found

    def __str__(self) -> str:
        """The place, as messages name it."""
        if self.file is not None:
            return f"the file {printable(self.file.name)}"
        return f"the variable {printable(self.variable)}"
