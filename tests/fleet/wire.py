"""A network between functions and AWS that can be cut, and mended again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Self

_CHUNK = 64 * 1024


class Wire:
    """Passes on whatever is sent to ``url``; while it is cut, nothing, and it says so to nobody.

    ``with Wire() as wire:`` runs it; ``wire.to(url)`` says where it leads.
    """

    def __init__(self) -> None:
        self.url = ""
        self._target = ("127.0.0.1", 0)
        self._loop = asyncio.new_event_loop()
        self._whole = asyncio.Event()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._serve(), self._loop).result(10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def to(self, url: str) -> None:
        """Lead to another address from now on."""
        host, _, port = url.removeprefix("http://").partition(":")
        self._target = host, int(port)
        self._loop.call_soon_threadsafe(self._whole.set)

    @contextmanager
    def cut(self) -> Iterator[None]:
        """Pass nothing on for the time of a block; what was sent meanwhile is lost."""
        self._loop.call_soon_threadsafe(self._whole.clear)
        try:
            yield
        finally:
            self._loop.call_soon_threadsafe(self._whole.set)

    async def _serve(self) -> None:
        self._server = await asyncio.start_server(self._pass_on, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _end(self) -> None:
        assert self._server is not None
        self._server.close()
        mine = asyncio.current_task()
        others = [task for task in asyncio.all_tasks() if task is not mine]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    async def _pass_on(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        ways = [back]
        try:
            await self._whole.wait()
            far, there = await asyncio.open_connection(*self._target)
            ways.append(there)
            both = [asyncio.ensure_future(self._pump(*way)) for way in ((near, there), (far, back))]
            _, left = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            for each in left:
                each.cancel()
            await asyncio.gather(*both, return_exceptions=True)
        except OSError:
            pass  # whoever it was has hung up
        finally:
            for way in ways:
                with suppress(OSError, RuntimeError):
                    way.close()

    async def _pump(self, begin: asyncio.StreamReader, end: asyncio.StreamWriter) -> None:
        while data := await begin.read(_CHUNK):
            if not self._whole.is_set():
                await self._whole.wait()  # it was lost, so the two no longer understand each other
                return
            end.write(data)
            await end.drain()
