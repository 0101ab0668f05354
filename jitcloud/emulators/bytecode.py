"""Compiles code before it is deployed, so that a function need not each time that it starts."""

from __future__ import annotations

import importlib.util
import py_compile
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path


def compiled(files: Iterable[tuple[str, bytes]]) -> Iterator[tuple[str, bytes]]:
    """Yield the files, and beside each Python source what this interpreter makes of it.

    It is never compared with the source again, for the two are deployed together (PEP 552,
    unchecked hashes). Raises ``py_compile.PyCompileError`` for what is no Python.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, made = Path(folder) / "source.py", Path(folder) / "made.pyc"
        for name, content in files:
            yield name, content
            if name.endswith(".py"):
                source.write_bytes(content)
                py_compile.compile(
                    str(source),
                    str(made),
                    dfile=name,
                    doraise=True,
                    invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
                )
                yield importlib.util.cache_from_source(name), made.read_bytes()
