"""What is taken for a presigned GetCallerIdentity, and what of it is sent on."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote, urlsplit

import pytest

from jitcloud.errors import Unauthenticated
from jitcloud.identities import presigned

SIGNATURE = "5f" * 32
TOKEN = "FwoGZXIvYXdzEBAaD//+=="  # noqa: S105 - made up
PARAMETERS = {
    "Action": "GetCallerIdentity",
    "Version": "2011-06-15",
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
    "X-Amz-Credential": "AKIAIOSFODNN7EXAMPLE/20261122/eu-central-1/sts/aws4_request",
    "X-Amz-Date": "20261122T063142Z",
    "X-Amz-Expires": "60",
    "X-Amz-SignedHeaders": "host;x-jitcloud-audience",
    "X-Amz-Security-Token": TOKEN,
    "X-Amz-Signature": SIGNATURE,
}
HOST = "https://sts.eu-central-1.amazonaws.com"
NOT_ONE = "no presigned GetCallerIdentity"


def query(parameters: dict[str, str]) -> str:
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items())


def url(host: str = HOST, /, **changed: str | None) -> str:
    """Write one, with parameters changed, added, or (None) left out."""
    named = {name.replace("_", "-"): value for name, value in changed.items()}
    every = {**PARAMETERS, **named}
    return f"{host}/?{query({k: v for k, v in every.items() if v is not None})}"


def encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def refused(text: str, why: str = NOT_ONE) -> None:
    with pytest.raises(Unauthenticated, match=why) as caught:
        presigned.parse(text)
    said = str(caught.value)
    assert said.isprintable()
    assert len(said) < 300
    assert SIGNATURE not in said
    assert TOKEN not in said


def test_it_is_taken_apart() -> None:
    call = presigned.parse(encoded(url()))
    assert (call.at, call.region) == (HOST, "eu-central-1")
    assert call.access_key_id == "AKIAIOSFODNN7EXAMPLE"
    assert call.signed_at == datetime(2026, 11, 22, 6, 31, 42, tzinfo=UTC)
    assert call.expires_at == call.signed_at + timedelta(seconds=60)
    assert SIGNATURE not in repr(call)
    assert quote(TOKEN, safe="") not in repr(call)


def test_what_is_sent_says_the_same_in_a_spelling_of_ours() -> None:
    """Small letters in percent codes, and letters that need none, are all the same to AWS."""
    odd = url().replace("%2F", "%2f").replace("Action=Get", "Action=%47et")
    for text in (url(), odd):
        sent = urlsplit(presigned.parse(encoded(text)).target)
        assert sent.path == "/"
        assert dict(parse_qsl(sent.query, strict_parsing=True)) == PARAMETERS
        assert len(parse_qsl(sent.query)) == len(PARAMETERS)
    assert presigned.parse(encoded(odd)).target == presigned.parse(encoded(url())).target


def test_a_user_s_own_key_has_no_session_token() -> None:
    call = presigned.parse(encoded(url(X_Amz_Security_Token=None)))
    assert "Security-Token" not in call.target


# ── Parameters ───────────────────────────────────────────────────────────────────────────────

WRONG: dict[str, str | None] = {
    "another action": url(Action="AssumeRole"),
    "two actions": url(Action="GetCallerIdentity,AssumeRole"),
    "the action twice": url() + "&Action=GetCallerIdentity",
    "another action after it": url() + "&Action=AssumeRole",
    "another action before it": url().replace("?", "?Action=AssumeRole&"),
    # CVE-2022-2385: names that differ in case alone.
    "action in small letters": url() + "&action=AssumeRole",
    "date in small letters": url() + "&x-amz-date=20991122T063142Z",
    "expires twice": url() + "&X-Amz-Expires=900",
    "the name of a parameter encoded": url().replace("Action=", "%41ction="),
    "a parameter more": url(RoleArn="arn:aws:iam::111122223333:role/admin"),
    "format": url(Format="JSON"),
    "an empty parameter": url() + "&",
    "two ampersands": url().replace("&Version", "&&Version"),
    "no value": url() + "&Action",
    "another version": url(Version="2010-05-08"),
    "another algorithm": url(X_Amz_Algorithm="AWS4-ECDSA-P256-SHA256"),
    "no header signed for us": url(X_Amz_SignedHeaders="host"),
    "another service's header": url(X_Amz_SignedHeaders="host;x-k8s-aws-id"),
    "our header and another": url(X_Amz_SignedHeaders="host;x-amz-foo;x-jitcloud-audience"),
    "our header in capitals": url(X_Amz_SignedHeaders="host;X-Jitcloud-Audience"),
    "not signed for a host": url(X_Amz_SignedHeaders="x-jitcloud-audience"),
    "lasting too long": url(X_Amz_Expires="901"),
    "lasting not at all": url(X_Amz_Expires="0"),
    "lasting for ever": url(X_Amz_Expires="9" * 20),
    "lasting backwards": url(X_Amz_Expires="-60"),
    "another kind of digits": url(X_Amz_Expires="\uff16\uff10"),
    "no such day": url(
        X_Amz_Date="20261322T063142Z",
        X_Amz_Credential="AKIAIOSFODNN7EXAMPLE/20261322/eu-central-1/sts/aws4_request",
    ),
    "a day of another year": url(X_Amz_Date="20251122T063142Z"),
    "no such time": url(X_Amz_Date="20261122T256142Z"),
    "another service": url(
        X_Amz_Credential="AKIAIOSFODNN7EXAMPLE/20261122/eu-central-1/iam/aws4_request"
    ),
    "a key with markup": url(
        X_Amz_Credential="AKIA<b>{{x}}EXAMPLE/20261122/eu-central-1/sts/aws4_request"
    ),
    "a slash more": url(X_Amz_Credential="a/AKIAIOSFODNN7EXAMPLE/20261122/x/sts/aws4_request"),
    "a short signature": url(X_Amz_Signature="5f" * 31),
    "a signature in capitals": url(X_Amz_Signature="5F" * 32),
    "a line end in the token": url(X_Amz_Security_Token="x\r\nHost: a.org"),  # noqa: S106 - none
    "an empty token": url(X_Amz_Security_Token=""),
    **{f"without {name}": url(**{name.replace("-", "_"): None}) for name in PARAMETERS},
}
del WRONG["without X-Amz-Security-Token"]


@pytest.mark.parametrize("text", WRONG.values(), ids=WRONG.keys())
def test_what_says_anything_else_is_refused(text: str) -> None:
    refused(encoded(text))


# ── The rest of the URL ──────────────────────────────────────────────────────────────────────

ELSEWHERE: dict[str, Callable[[str], str]] = {
    "a path": lambda one: one.replace("/?", "/x?"),
    "two slashes": lambda one: one.replace("com/?", "com//?"),
    "no path": lambda one: one.replace("/?", "?"),
    "a fragment": lambda one: one + "#x",
    "a user": lambda one: one.replace("https://", "https://sts.amazonaws.com@"),
    "a password": lambda one: one.replace("https://", "https://a:b@"),
    "a backslash": lambda one: one.replace("com/", "com\\@example.org/"),
    "a question mark more": lambda one: one.replace("/?", "/??"),
    "another scheme": lambda one: one.replace("https", "file"),
    "capitals": lambda one: one.replace("https", "HTTPS"),
    "no scheme": lambda one: one.removeprefix("https:"),
    "a line end": lambda one: one.replace("sts", "s\nts"),
    "a tab": lambda one: one + "\t",
    "a space before": lambda one: " " + one,
    "a plus": lambda one: one.replace("Action", "+Action"),
    "a semicolon": lambda one: one + ";Action=AssumeRole",
    "half a percent code": lambda one: one + "%",
    "no UTF-8": lambda one: one.replace("GetCaller", "Get%ffCaller"),
    "another alphabet": lambda one: one.replace("sts", "\u0455ts"),
    "nothing": lambda _: "",
}


@pytest.mark.parametrize("change", ELSEWHERE.values(), ids=ELSEWHERE.keys())
def test_no_other_form_of_it_is_read(change: Callable[[str], str]) -> None:
    changed = change(url())
    assert changed != url()
    refused(encoded(changed))


@pytest.mark.parametrize(
    "text",
    ["", "=", "a", "%", encoded(url()) + "=", encoded(url()) + "\n", " " + encoded(url()), url()],
)
def test_only_base64url_without_padding_is_read(text: str) -> None:
    refused(text)


def test_a_secret_has_one_spelling() -> None:
    """The last character of base64 may have bits to spare."""
    one = url()
    while len(one.encode()) % 3 != 1:
        one = one.replace("Token=", "Token=A")
    text = encoded(one)
    other = text[:-1] + chr(ord(text[-1]) + 1)
    padding = "=" * (-len(text) % 4)
    assert base64.urlsafe_b64decode(other + padding) == base64.urlsafe_b64decode(text + padding)
    presigned.parse(text)
    refused(other)


def test_eight_kibibytes_are_read_and_not_one_more() -> None:
    room = presigned.LARGEST - len(url(X_Amz_Security_Token=""))
    full = url(X_Amz_Security_Token="A" * room)
    assert len(full) == 8192
    presigned.parse(encoded(full))
    refused(encoded(url(X_Amz_Security_Token="A" * (room + 1))), "fewer session tags")
    refused("A" * 10_000_000, "longer than the 8192 bytes")
