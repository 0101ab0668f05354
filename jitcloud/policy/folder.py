"""A folder of rules that is read anew when it has changed, so that an edit counts at once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jitcloud.errors import Misconfigured
from jitcloud.model import Entitlement
from jitcloud.policy.engine import Policy
from jitcloud.ports import Directory
from jitcloud.text import printable

READS = 3
"""How often a folder is read again that changes while it is being read."""

_Stamps = tuple[tuple[str, int, int, int, int], ...]


class PolicyFolder:
    """Returns the policy of a folder as it is now. Raises ``Misconfigured`` while it is broken.

    A change is seen by names, sizes, inodes and times. What was true before the folder broke is
    not answered with: nothing is granted until it is mended.
    """

    def __init__(self, folder: Path, catalog: Sequence[Entitlement], directory: Directory) -> None:
        self._folder = folder
        self._catalog = catalog
        self._directory = directory
        self._read: tuple[_Stamps, Policy] | None = None

    def __call__(self) -> Policy:
        """Return the policy as the folder has it."""
        for _ in range(READS):
            before = self._stamps()
            if self._read is not None and self._read[0] == before:
                return self._read[1]
            policy = Policy.load(self._folder, catalog=self._catalog, directory=self._directory)
            if self._stamps() == before:
                self._read = (before, policy)
                return policy
        message = f"{printable(str(self._folder))} changes while it is read; try again in a moment."
        raise Misconfigured(message)

    def _stamps(self) -> _Stamps:
        try:
            paths = sorted(self._folder.iterdir())
            stats = [(path.name, path.stat()) for path in paths]
        except OSError as exc:
            message = f"{printable(str(self._folder))} is not a policy folder that can be read."
            raise Misconfigured(message) from exc
        return tuple(
            (name, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino)
            for name, stat in stats
        )
