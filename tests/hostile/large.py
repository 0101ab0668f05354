"""Hands parsers what is absurdly large, in a process that is killed if it takes too much for it."""

from __future__ import annotations

import resource
import signal
import sys
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from tests.hostile import mangling
from tests.hostile.mangling import LARGE, Mangled
from tests.hostile.parser import Parser
from tests.hostile.parsers import PARSERS

MEMORY = 768 * 1024 * 1024
"""Bytes beyond what the process has when it begins. Of an inflated body 64 MiB may be kept."""

CPU = 20
"""Seconds that one reading may take of a processor: what is bounded takes one at the most."""

BOMB = 1024 * 1024 * 1024
"""Bytes that a body of the table says it has."""

_MADE: dict[Mangled, Callable[[str], Any]] = {
    mangling.TEXT: str,
    mangling.OCTETS: str.encode,
    mangling.JSON_TEXT: str,
    mangling.JSON_BYTES: str.encode,
    mangling.TOML: str.encode,
}


def bomb() -> bytes:
    """A megabyte that inflates to a thousand of them."""
    packing = zlib.compressobj(1)
    chunk = bytes(16 * 1024 * 1024)
    packed = b"".join(packing.compress(chunk) for _ in range(BOMB // len(chunk)))
    return packed + packing.flush()


def large(parser: Parser) -> Iterator[Any]:
    made = _MADE.get(parser.mangled)
    if made is not None:
        yield from (made(each(parser.most)) for each in LARGE)
    if parser.name == "a packed body of DynamoDB":
        yield bomb()


def main() -> None:
    """Hand over all of it; say on the way whose turn it is, for whoever finds this one killed."""
    mapped, used = _mapped()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + MEMORY, resource.RLIM_INFINITY))
    assert used < MEMORY * 2
    for parser in PARSERS:
        if parser.handed_over:
            continue
        sys.stdout.write(f"{parser.name}\n")
        sys.stdout.flush()
        for given in large(parser):
            signal.setitimer(signal.ITIMER_PROF, CPU)
            parser.holds(given)
            signal.setitimer(signal.ITIMER_PROF, 0)


def _mapped() -> tuple[int, int]:
    """How many bytes this process has, and how many of them in memory.

    The most that it ever had would not do: a process begins with what its parent had.
    """
    with open("/proc/self/statm", "rb") as statm:  # noqa: PTH123 - a file of the kernel's
        mapped, used, *_ = statm.read().split()
    return int(mapped) * resource.getpagesize(), int(used) * resource.getpagesize()


if __name__ == "__main__":
    main()
