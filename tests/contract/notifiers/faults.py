"""Servers that say what no mail server should: over a real socket, a script each."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BufferedRWPair
from threading import Event, Thread

Script = Callable[[socket.socket, Event], None]
"""What is done with a connection; the event is set when the test is over."""

FEW = 300
"""After so many steps a script is done, and all is well: a test of a bound that is broken fails."""


@contextmanager
def speaking(script: Script) -> Iterator[int]:
    """Run a server for as long as the block lasts; yield its port."""
    over = Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = Thread(target=_serve, args=(listening, script, over))
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            over.set()
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            thread.join()


def _serve(listening: socket.socket, script: Script, over: Event) -> None:
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        with connection, suppress(OSError):
            connection.settimeout(30)
            script(connection, over)


def hangs(_connection: socket.socket, over: Event) -> None:
    over.wait(30)


def drops(_connection: socket.socket, _over: Event) -> None:
    pass


def greets_with_html(connection: socket.socket, over: Event) -> None:
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n<html><h1>No</h1></html>\r\n")
    over.wait(30)


def is_closed(connection: socket.socket, over: Event) -> None:
    connection.sendall(b"554 5.3.2 No mail is taken here\r\n")
    over.wait(30)


def drips_a_greeting(connection: socket.socket, over: Event) -> None:
    """Say a byte at a time, and never all of it: each read succeeds, and none is the last."""
    connection.sendall(b"220 ")
    _drip(connection, over)
    _take(connection)


def drips_an_answer(connection: socket.socket, over: Event) -> None:
    connection.sendall(b"220 mail.test\r\n")
    connection.recv(1000)
    connection.sendall(b"250 ")
    _drip(connection, over)
    _take(connection)


def _drip(connection: socket.socket, over: Event) -> None:
    for _ in range(FEW):
        if over.wait(0.01):
            return
        connection.sendall(b"x")
    connection.sendall(b"\r\n")


def _take(connection: socket.socket) -> None:
    with connection.makefile("rwb") as file:
        _converse(file, {b"DATA": b"354 go on"}, lambda _line: b"250 OK")


def never_ends_an_answer(connection: socket.socket, _over: Event) -> None:
    connection.sendall(b"220 mail.test\r\n")
    connection.recv(1000)
    for _ in range(FEW):
        connection.sendall(b"250-" + b"x" * 4000 + b"\r\n")
    connection.sendall(b"250 OK\r\n")
    _take(connection)


def knows_no_greeting(connection: socket.socket, _over: Event) -> None:
    answering({}, lambda _line: b"502 5.5.1 What")(connection, _over)


def takes_and_drops(connection: socket.socket, over: Event) -> None:
    """Take the whole message, and hang up without a word about it."""
    answering({b"DATA": b"354 go on", b".": b""})(connection, over)


def takes_and_is_rude(connection: socket.socket, over: Event) -> None:
    """Take the whole message, say so, and hang up without a farewell."""
    answering({b"DATA": b"354 go on", b".": b"250 taken", b"QUIT": b""})(connection, over)


def answering(
    answers: dict[bytes, bytes], other: Callable[[bytes], bytes] = lambda _line: b"250 OK"
) -> Script:
    """Make a server that says this to lines that begin so; to nothing said it hangs up."""

    def script(connection: socket.socket, _over: Event) -> None:
        with connection.makefile("rwb") as file:
            file.write(b"220 mail.test\r\n")
            file.flush()
            _converse(file, answers, other)

    return script


def _converse(
    file: BufferedRWPair, answers: dict[bytes, bytes], other: Callable[[bytes], bytes]
) -> None:
    in_message = False
    for line in file:
        command = b"." if line == b".\r\n" else line[:4].upper()
        if in_message and command != b".":
            continue
        said = answers[command] if command in answers else other(line.rstrip())
        if not said:
            return
        in_message = said.startswith(b"354")
        file.write(said + b"\r\n")
        file.flush()
