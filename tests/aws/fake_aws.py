"""An AWS that says what a test tells it to, over a real socket; for what no emulator gets wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from urllib.parse import parse_qs

ROLE = "arn:aws:iam::111122223333:role/admin"

Answer = Callable[["_Handler"], None]

SECRET = "a-session-token-that-must-not-show"  # noqa: S105 - made up

GOOD = f"""<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult>
<Credentials><AccessKeyId>ASIAIOSFODNN7EXAMPLE</AccessKeyId><SecretAccessKey>s</SecretAccessKey>
<SessionToken>{SECRET}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>
</AssumeRoleResult></AssumeRoleResponse>"""


_IAM = 'xmlns="https://iam.amazonaws.com/doc/2010-05-08/"'


class FakeAws(ThreadingHTTPServer):
    """Answers what a test queued, and keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: list[Answer] = []
        self.asked: list[dict[str, str]] = []
        self.closing = Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: FakeAws

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        asked = parse_qs(self.rfile.read(length).decode())
        self.server.asked.append({key: value[0] for key, value in asked.items()})
        self.server.answers.pop(0)(self)

    def log_message(self, *_: object) -> None:
        pass


def says(status: int, body: str, *, ahead: timedelta = timedelta(0)) -> Answer:
    def answer(handler: _Handler) -> None:
        handler.send_response_only(status)
        handler.send_header("Date", format_datetime(datetime.now(UTC) + ahead, usegmt=True))
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body.encode())

    return answer


WHO = says(
    200,
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
    "<GetCallerIdentityResult><Arn>arn:aws:iam::111122223333:user/broker</Arn>"
    "</GetCallerIdentityResult></GetCallerIdentityResponse>",
)


def error(status: int, code: str, message: str = "as told") -> Answer:
    said = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>"
    return says(status, f"<ErrorResponse>{said}<RequestId>r</RequestId></ErrorResponse>")


def hangs(handler: _Handler) -> None:
    handler.server.closing.wait(30)


def closes(handler: _Handler) -> None:
    handler.close_connection = True


def closes_in_the_middle(handler: _Handler) -> None:
    handler.send_response_only(200)
    handler.send_header("Content-Length", str(len(GOOD)))
    handler.end_headers()
    handler.wfile.write(GOOD[:100].encode())
    handler.close_connection = True


@contextmanager
def faking() -> Iterator[FakeAws]:
    with FakeAws() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.closing.set()
        server.shutdown()
        thread.join()


def iam_says(what: str, body: str = "") -> Answer:
    return says(200, f"<{what}Response {_IAM}><{what}Result>{body}</{what}Result></{what}Response>")


def versions(*numbers: int) -> Answer:
    listed = "".join(
        f"<member><VersionId>v{number}</VersionId>"
        f"<IsDefaultVersion>{str(number == max(numbers)).lower()}</IsDefaultVersion></member>"
        for number in numbers
    )
    return iam_says("ListPolicyVersions", f"<Versions>{listed}</Versions>")


def page(role: str, *, more: bool) -> Answer:
    onward = "<IsTruncated>true</IsTruncated><Marker>next</Marker>" if more else ""
    roles = f"<PolicyRoles><member><RoleName>{role}</RoleName></member></PolicyRoles>"
    return iam_says("ListEntitiesForPolicy", roles + onward)
