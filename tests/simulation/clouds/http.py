"""The same state behind HTTP on 127.0.0.1, for boto3: AWS's Query protocol, and its JSON.

One server and one set of clients serve all worlds of a process, one after the other: making a
client of boto3 takes longer than most worlds.
https://smithy.io/2.0/aws/protocols/aws-query-protocol.html
"""

from __future__ import annotations

import json
import socketserver
import threading
from collections.abc import Iterator, Mapping
from datetime import datetime
from email.utils import format_datetime
from functools import cache
from typing import Any, ClassVar
from urllib.parse import parse_qsl, quote
from xml.sax.saxutils import escape

import boto3
from botocore.exceptions import ClientError
from botocore.model import ListShape, Shape, StructureShape
from botocore.session import Session

from jitcloud.emulators.identity_center.description import TARGETS, operation_model
from jitcloud.emulators.identity_center.protocol import Reply
from jitcloud.providers.aws.clients import _CONFIG
from jitcloud.providers.aws.sdk_data import boto3_session
from tests.simulation.clouds.aws import Aws, client_error
from tests.simulation.clouds.reach import Answer, Wire, failure, operations
from tests.simulation.stage import Trouble

_LONGEST = 1 << 20
_XML, _JSON = "text/xml", "application/x-amz-json-1.1"


class HttpWire(Wire):
    """By boto3, over HTTP, as the product goes."""

    server: ClassVar[Server | None] = None

    def __init__(self, aws: Aws) -> None:
        super().__init__(aws)
        if HttpWire.server is None:
            HttpWire.server = Server()
        self._server = HttpWire.server

    def send(
        self, stage: str, service: str, account: str, operation: str, params: Answer
    ) -> Answer:
        self._server.answers(self.aws, stage, account)
        answer: Answer = getattr(client(self._server.url, service), _method(service, operation))(
            **params
        )
        return answer

    def fail(
        self, stage: str, service: str, account: str, operation: str, trouble: Trouble
    ) -> Exception:
        """Let boto3 raise it, of what it gets to see."""
        self._server.answers(self.aws, stage, account, trouble)
        asked = _SOME[service]
        try:
            getattr(client(self._server.url, service), asked[0])(**asked[1])
        except Exception as exc:  # noqa: BLE001 - whatever it makes of it
            return exc
        finally:
            self._server.answers(self.aws, stage, account)
        raise AssertionError(operation)

    def exceptions(self, service: str) -> object:
        return client(self._server.url, service).exceptions


_SOME: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "iam": ("get_role", {"RoleName": "any"}),
    "identitystore": ("describe_user", {"IdentityStoreId": "d-0123456789", "UserId": "0" * 36}),
    "organizations": ("describe_organization", {}),
    "sso-admin": ("list_instances", {}),
    "sts": ("get_caller_identity", {}),
}
"""A call of each service, of which nothing is answered but that something is wrong."""


@cache
def client(url: str, service: str) -> Any:
    """A client of boto3, with the settings that the product gives its own."""
    core = Session()
    core.set_credentials("AKIAIOSFODNN7EXAMPLE", "any")
    session: boto3.Session = boto3_session(core)
    return session.client(  # type: ignore[call-overload] # the service is named by a variable
        service, region_name="us-east-1", endpoint_url=url, config=_CONFIG
    )


@cache
def _method(service: str, operation: str) -> str:
    return next(name for name, known in operations(service).items() if known == operation)


# ── The server ───────────────────────────────────────────────────────────────────────────────


class Server(socketserver.ThreadingTCPServer):
    """Answers for one ``Aws`` at a time. Signatures are not verified."""

    daemon_threads = True
    request_queue_size = 32

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Connection)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self._aws: Aws | None = None
        self._stage = self._account = ""
        self._trouble: Trouble | None = None
        threading.Thread(target=self.serve_forever, args=(0.5,), daemon=True).start()

    def answers(self, aws: Aws, stage: str, account: str, trouble: Trouble | None = None) -> None:
        """Say for whom the next call is answered, and how if it is not."""
        self._aws, self._stage, self._account, self._trouble = aws, stage, account, trouble

    def answer(self, headers: Mapping[str, str], body: bytes) -> bytes | None:
        """Answer one request; None: the connection ends instead."""
        assert self._aws is not None
        said = self._said(self._aws, headers, body)
        if said is None:
            return None
        status, kind, text = said
        date = format_datetime(self._aws.clock().replace(microsecond=0), usegmt=True)
        head = (
            f"HTTP/1.1 {status} Said\r\nDate: {date}\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {len(text)}\r\n\r\n"
        )
        return head.encode() + text

    def _said(
        self, aws: Aws, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, str, bytes] | None:
        prefix, _, operation = headers.get("x-amz-target", "").partition(".")
        if prefix:
            service, params = TARGETS[prefix], json.loads(body)
        else:
            service = headers["authorization"].split("/")[3]
            form = dict(parse_qsl(body.decode(), keep_blank_values=True))
            operation = form["Action"]
            params = _read(operation_model(service, operation).input_shape, form)
        if self._trouble is Trouble.NO_ANSWER:
            return None
        try:
            if self._trouble is not None:
                raise client_error(service, operation, failure(service, self._trouble))
            answer = aws.answer(self._stage, service, self._account, operation, params)
        except ClientError as exc:
            return _json_error(exc) if prefix else _xml_error(exc)
        if prefix:
            return 200, _JSON, Reply(200, answer).body
        return 200, _XML, _written(service, operation, answer)


class _Connection(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True
    server: Server

    def handle(self) -> None:
        while self.rfile.readline():
            headers = dict(self._headers())
            length = int(headers.get("content-length", "0"))
            assert length <= _LONGEST, length
            reply = self.server.answer(headers, self.rfile.read(length))
            if reply is None:
                return
            self.wfile.write(reply)

    def _headers(self) -> Iterator[tuple[str, str]]:
        while line := self.rfile.readline().decode("latin-1").strip():
            name, _, said = line.partition(":")
            yield name.lower(), said.strip()


# ── AWS's JSON ───────────────────────────────────────────────────────────────────────────────


def _json_error(exc: ClientError) -> tuple[int, str, bytes]:
    known = {"Error", "ResponseMetadata"}
    members = {name: said for name, said in exc.response.items() if name not in known}
    error = exc.response["Error"]
    status = exc.response["ResponseMetadata"]["HTTPStatusCode"]
    said = {"__type": error["Code"], "Message": error["Message"], **members}
    return status, _JSON, Reply(status, said).body


# ── AWS's Query protocol ─────────────────────────────────────────────────────────────────────


def _read(shape: Shape | None, form: Mapping[str, str], prefix: str = "") -> dict[str, Any]:
    """The parameters of a call."""
    assert isinstance(shape, StructureShape)
    found: dict[str, Any] = {}
    for name, member in shape.members.items():
        value = _value(member, form, f"{prefix}{name}")
        if value is not None:
            found[name] = value
    return found


def _value(shape: Shape, form: Mapping[str, str], key: str) -> Any:
    if isinstance(shape, ListShape):
        listed: list[Any] = []
        while (value := _value(shape.member, form, f"{key}.member.{len(listed) + 1}")) is not None:
            listed.append(value)
        return listed or None
    if isinstance(shape, StructureShape):
        return _read(shape, form, f"{key}.") or None
    text = form.get(key)
    if text is None:
        return None
    if shape.type_name == "boolean":
        return text == "true"
    return int(text) if shape.type_name == "integer" else text


def _written(service: str, operation: str, answer: Answer) -> bytes:
    shape = operation_model(service, operation).output_shape
    inside = "" if shape is None else "".join(_elements(shape, answer))
    result = f"<{operation}Result>{inside}</{operation}Result>"
    meta = "<ResponseMetadata><RequestId>0</RequestId></ResponseMetadata>"
    return f"<{operation}Response>{result}{meta}</{operation}Response>".encode()


def _elements(shape: Shape, said: Mapping[str, Any]) -> Iterator[str]:
    assert isinstance(shape, StructureShape)
    for name, value in said.items():
        yield f"<{name}>{_text(shape.members[name], value)}</{name}>"


def _text(shape: Shape, value: Any) -> str:
    if isinstance(shape, StructureShape):
        return "".join(_elements(shape, value))
    if isinstance(shape, ListShape):
        return "".join(f"<member>{_text(shape.member, each)}</member>" for each in value)
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):  # IAM tells documents percent-encoded
        return quote(json.dumps(value))
    return escape(str(value))


def _xml_error(exc: ClientError) -> tuple[int, str, bytes]:
    error = exc.response["Error"]
    status = exc.response["ResponseMetadata"]["HTTPStatusCode"]
    told = f"<Code>{error['Code']}</Code><Message>{escape(error['Message'])}</Message>"
    text = f"<ErrorResponse><Error><Type>Sender</Type>{told}</Error></ErrorResponse>"
    return status, _XML, text.encode()
