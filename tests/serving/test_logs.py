"""Log lines: one form, whoever writes them, and no word in them that somebody typed."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from datetime import datetime
from typing import Any, get_type_hints

import pytest

from jitcloud.observing import logs
from jitcloud.observing.call import answering, speaks
from jitcloud.observing.redaction import LEFT_OUT, redacted

TYPED = "Look into the payroll of Zoë"
TOKEN = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbmEifQ.c2lnbmF0dXJl"  # noqa: S105 - it proves nothing


def lines(write: Callable[[], object]) -> list[dict[str, Any]]:
    stream = io.StringIO()
    with logs.written(stream):
        write()
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def raises() -> None:
    try:
        int(TYPED)
    except ValueError as exc:
        raise TypeError(TYPED) from exc


def logs_it() -> None:
    try:
        raises()
    except TypeError as exc:
        logs.event("defect", level=logging.ERROR, error=exc)


def test_an_event_says_when_what_and_whose_call() -> None:
    def write() -> None:
        with answering("trace-1"):
            speaks("ana")
            logs.event("http", status=200, ms=1.23456, route="/v1/me")
        logs.event("later")

    first, second = lines(write)
    assert datetime.fromisoformat(first.pop("at")).utcoffset() is not None
    assert first == {
        "level": "info",
        "event": "http",
        "trace": "trace-1",
        "person": "ana",
        "status": 200,
        "ms": 1.235,
        "route": "/v1/me",
    }
    assert "trace" not in second


@pytest.mark.parametrize(
    "text",
    [
        "a\nb",
        "a\x1b[31mb",
        "a\u202eb",
        "\u2028",
        '"}{"event": "forged"',
        "\udcff",
        "x" * 100_000,
    ],
)
def test_no_text_ends_a_line_steers_a_terminal_or_is_long(text: str) -> None:
    stream = io.StringIO()
    with logs.written(stream):
        logs.event("trouble", why=text)
    said = stream.getvalue()
    assert said.isascii()
    assert said.removesuffix("\n").isprintable()
    assert len(said) < 8 * logs.LONGEST
    assert json.loads(said)["event"] == "trouble"


def test_of_what_was_raised_types_and_places_are_told_and_no_message() -> None:
    (line,) = lines(logs_it)
    assert line["error"]["kind"] == "TypeError"
    assert line["error"]["causes"] == ["ValueError"]
    assert line["error"]["at"][-1].startswith("serving/test_logs.py:")
    assert line["error"]["at"][-1].endswith(" raises")
    assert TYPED not in json.dumps(line, ensure_ascii=False)


def test_what_others_log_is_told_without_their_words() -> None:
    def write() -> None:
        logging.getLogger("botocore.auth").error("signing %s", TYPED)
        logging.getLogger("asyncio").error(f"never retrieved: {TYPED}")  # noqa: G004 - as it does
        logging.getLogger("urllib3").exception(ValueError(TYPED))  # noqa: LOG004 - as it does
        logging.getLogger("uvicorn.error").warning("Started %s", TYPED)
        logging.getLogger("botocore").info("not even this")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn(TYPED, ResourceWarning, stacklevel=1)

    told = lines(write)
    assert [line["event"] for line in told] == ["log"] * 4 + ["warning"]
    assert [line.get("template") for line in told] == [None, None, None, "Started %s", None]
    assert told[0]["logger"] == "botocore.auth"
    assert told[0]["place"].startswith("serving/test_logs.py:")
    assert told[4]["what"] == "ResourceWarning"
    assert TYPED not in json.dumps(told, ensure_ascii=False)


def test_what_nobody_caught_is_told_in_the_same_form() -> None:
    def write() -> None:
        thread = threading.Thread(target=raises)
        thread.start()
        thread.join()

    (line,) = lines(write)
    assert (line["event"], line["level"]) == ("defect", "critical")
    assert line["error"]["kind"] == "TypeError"


def test_what_was_set_up_before_is_set_up_again() -> None:
    root = logging.getLogger()
    before = (list(root.handlers), root.level, sys.excepthook, warnings.showwarning)
    lines(lambda: None)
    assert (list(root.handlers), root.level, sys.excepthook, warnings.showwarning) == before


def test_a_log_that_cannot_be_written_stops_nobody() -> None:
    class Full(io.StringIO):
        def write(self, _: str) -> int:
            raise OSError("No space left on device")

    with logs.written(Full()):
        logs.event("http", status=200)


def test_all_that_an_event_may_say_is_a_list_of_plain_values() -> None:
    hints = get_type_hints(logs.Facts)
    assert set(hints.values()) <= {int, float, str}
    assert not {"justification", "reason", "token", "email", "detail", "body", "path"} & set(hints)


@pytest.mark.parametrize(
    "secret",
    [
        TOKEN,
        f"Bearer {TOKEN}",
        "Basic YW5hOnNlY3JldA==",
        "AKIAIOSFODNN7EXAMPLE",
        "ASIAIOSFODNN7EXAMPLE",
        "X-Amz-Signature=fe5f80f77d5fa3beca038a248ff027d0445342fe2855ddc963176630326f1024",
        "x-amz-security-token=IQoJb3JpZ2luX2VjEJr%2F%2F",
        "ana.zoë@mail.example.com",
        "-----BEGIN PRIVATE KEY-----",
        "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY" * 3,
    ],
)
def test_what_looks_like_a_secret_or_an_address_is_left_out(secret: str) -> None:
    (line,) = lines(lambda: logs.event("trouble", why=f"AWS said: {secret} is wrong"))
    assert line["why"] == f"AWS said: {LEFT_OUT} is wrong"


@pytest.mark.parametrize(
    "text",
    [
        "arn:aws:iam::111122223333:role/jit-dev-read",
        "01JD8Z6N3V5E6X7Y8Z9ABCDEFG",
        "/data/jitcloud.db is locked by another process: wait, then try again.",
        "aws.identity-center/ssoins-1234567890abcdef/111122223333/ps-1234567890abcdef/90678bbf-1",
        "2026-12-01T09:00:00Z",
    ],
)
def test_what_an_operator_needs_stays(text: str) -> None:
    assert redacted(text) == text


def test_a_function_loads_nothing_large_to_log() -> None:
    script = """if True:
        import sys
        from jitcloud.observing import emf, logs
        logs.start(sys.stdout)
        print(*sorted({name.split('.')[0] for name in sys.modules}))
    """
    loaded = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    ).stdout.split()
    assert not {"pydantic", "aws_lambda_powertools", "boto3", "cedarpy", "apsw"} & set(loaded)
    assert "jitcloud" in loaded
