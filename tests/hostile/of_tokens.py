"""Parsers of what proves who speaks, and of what issuers and AWS answer about it."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm

from jitcloud.cli.kept import Kept
from jitcloud.errors import JitError, Misconfigured, Unauthenticated, Unavailable
from jitcloud.https import Answer, Server
from jitcloud.identities import aws_principals, claims, compact, presigned, sts_answer
from jitcloud.identities.claims import Issuer
from jitcloud.identities.jwks import _read as read_key
from jitcloud.model import GroupId, PersonId, Signature, SignedIn
from jitcloud.sign_ins import decode, encode
from jitcloud.signing_in import device, id_token
from jitcloud.signing_in.asking import members
from jitcloud.signing_in.endpoint import Endpoint
from jitcloud.signing_in.kept_tokens import KeptTokens
from jitcloud.signing_in.provider import Provider
from jitcloud.signing_in.redirect import Redirect
from jitcloud.signing_in.token_endpoint import Client, Tokens, renewed
from tests.cli_world import MemoryKeyring
from tests.hostile import mangling
from tests.hostile.anybody import Anybody, answering, anybody
from tests.hostile.parser import Parser
from tests.unit.test_presigned import url

NOW = datetime(2026, 12, 1, 9, tzinfo=UTC)
SECONDS = int(NOW.timestamp())
ISSUER = "https://login.example.com"
CLIENT = Client(issuer=ISSUER, client_id="jitcloud")
CLAIMS = {
    "iss": ISSUER,
    "sub": "ana",
    "aud": ["jitcloud"],
    "azp": "jitcloud",
    "exp": SECONDS + 600,
    "iat": SECONDS - 10,
    "nbf": SECONDS - 10,
    "auth_time": SECONDS - 60,
    "amr": ["mfa"],
    "acr": "high",
    "email": "ana@example.com",
    "email_verified": True,
    "name": "Ana",
    "groups": ["leads", "developers"],
    "nonce": "0" * 64,
    "jti": "7",
}
HEADER = {"alg": "ES256", "kid": "one", "typ": "JWT"}
TRUSTED = Issuer(
    url=ISSUER,
    audiences=frozenset({"jitcloud"}),
    algorithms=frozenset({"ES256"}),
    groups_claim="groups",
    multi_factor=frozenset({"mfa"}),
)
EXPECTED = id_token.Expected(
    issuer=ISSUER, client_id="jitcloud", at="login.example.com", nonce="0" * 64
)


def b64(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def _token(claimed: bytes, header: bytes = json.dumps(HEADER).encode()) -> str:
    return f"{b64(header)}.{b64(claimed)}.{b64(b'signature')}"


TOKEN = _token(json.dumps(CLAIMS).encode())
PRESIGNED = b64(url().encode())
STS = (
    '<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
    "<GetCallerIdentityResult><Arn>arn:aws:sts::111122223333:assumed-role/dev/ana</Arn>"
    "<UserId>AROAEXAMPLEEXAMPLE123:ana</UserId><Account>111122223333</Account>"
    "</GetCallerIdentityResult></GetCallerIdentityResponse>"
)
STS_ERROR = (
    '<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error>'
    "<Type>Sender</Type><Code>SignatureDoesNotMatch</Code></Error></ErrorResponse>"
)
DISCOVERED = {
    "issuer": ISSUER,
    "token_endpoint": f"{ISSUER}/token",
    "authorization_endpoint": f"{ISSUER}/authorize?tenant=1",
    "device_authorization_endpoint": f"{ISSUER}/device",
    "revocation_endpoint": f"{ISSUER}/revoke",
    "code_challenge_methods_supported": ["S256"],
    "authorization_response_iss_parameter_supported": True,
}
DEVICE = {
    "device_code": "d" * 40,
    "user_code": "ABCD-EFGH",
    "verification_uri": f"{ISSUER}/enter",
    "verification_uri_complete": f"{ISSUER}/enter?code=ABCD-EFGH",
    "expires_in": 900,
    "interval": 5,
}
SIGNED_IN = SignedIn(
    person=PersonId("ana"),
    name="Ana",
    emails=("ana@example.com",),
    groups=(GroupId("leads"),),
    at=NOW,
    until=NOW + timedelta(hours=12),
    signature=Signature(key="ed25519:0123", value="c2lnbmVk"),
)


def _claimed(said: bytes) -> object:
    """As whoever verifies a token comes to them: through its compact form."""
    return claims.read(compact.parse(_token(said)).claims, TRUSTED, NOW)


def _caller(body: bytes) -> object:
    answered = sts_answer.identity(body)
    if answered is None:
        return sts_answer.error_code(body)
    return aws_principals.handles(
        answered, partition="aws", accounts={"111122223333"}, identity_center=True
    )


def _provider() -> Provider:
    everywhere = Endpoint.parse(anybody().url)
    return Provider(
        issuer=ISSUER,
        at="login.example.com",
        token_endpoint=everywhere,
        device_authorization_endpoint=everywhere,
    )


def _discovered(body: bytes) -> object:
    said = members(Answer(status=200, headers={}, body=body))
    if said is None:
        return None
    return Provider._read(ISSUER, Endpoint.parse(ISSUER), said)  # noqa: SLF001 - without a server


def _device(_: Anybody) -> object:
    return device.begin(_provider(), CLIENT, NOW)


def _finished(_: Anybody) -> object:
    passed = iter(range(10_000))
    code = device.DeviceCode(
        user_code="ABCD",
        verification_uri=ISSUER,
        verification_uri_complete=None,
        ends=NOW + timedelta(seconds=12),
        device_code="d",
        interval=5,
    )
    return device.finish(
        _provider(),
        CLIENT,
        code,
        clock=lambda: NOW + timedelta(seconds=5 * next(passed)),
        wait=lambda _: None,
    )


def _renewed(_: Anybody) -> object:
    # What is renewed names whom it was of, so that somebody else's is refused.
    kept = id_token.IdToken(text="", subject="ana", email=None, expires_at=NOW, signed_in_at=None)
    return renewed(_provider(), CLIENT, Tokens(id_token=kept, refresh_token="r"), NOW)  # noqa: S106 - made up


def _raw(octets: bytes) -> object:
    server = anybody()
    server.raw = octets
    found = Server("The server", server.address, timeout=timedelta(seconds=5), limit=64 * 1024)
    return len(found.get("/", {}).body)


def _kept(text: str) -> object:
    keyring = MemoryKeyring()
    tokens = KeptTokens(keyring, "https://access.example.com", CLIENT)
    keyring.set_password("jitcloud", tokens.name, text)
    return tokens.take()


def _set_kept(text: str) -> object:
    from tests.hostile.of_records import granted  # noqa: PLC0415 - each needs the other's nouns

    keyring = MemoryKeyring()
    kept = Kept(keyring, "here")
    request = granted()
    name = kept._name(request.id)  # noqa: SLF001 - what a keyring has it under
    keyring.set_password("jitcloud", name, text)
    return kept.take(request, NOW)


def _sent_back() -> Callable[[str], object]:
    made: list[Redirect] = []

    def take(target: str) -> object:
        made[:] = made or [Redirect("state")]
        status, said = made[0].take("GET", target, made[0].uri.split("/")[2])
        assert status in {200, 400, 404}
        return said

    return take


_EC = ec.derive_private_key(7, ec.SECP256R1()).public_key()
_ED = Ed25519PrivateKey.from_private_bytes(b"k" * 32).public_key()
KEYS: tuple[Mapping[str, object], ...] = (
    {**ECAlgorithm.to_jwk(_EC, as_dict=True), "kid": "one", "alg": "ES256", "use": "sig"},
    {**OKPAlgorithm.to_jwk(_ED, as_dict=True), "kid": "two", "use": "sig", "key_ops": ["verify"]},
    {"kty": "RSA", "kid": "three", "e": "AQAB", "n": b64(b"\xc1" * 256)},
)
_NOBODY: tuple[type[JitError], ...] = (Unauthenticated,)
_ISSUERS: tuple[type[JitError], ...] = (Unauthenticated, Misconfigured, Unavailable)

PARSERS = (
    Parser(
        name="a signed token",
        read=compact.parse,
        valid=(TOKEN,),
        mangled=mangling.TEXT,
        raises=_NOBODY,
    ),
    Parser(
        name="the claims of a token",
        read=_claimed,
        valid=(CLAIMS,),
        mangled=mangling.JSON_BYTES,
        raises=_NOBODY,
        most=12 * 1024,
    ),
    Parser(
        name="the header of a token",
        read=lambda said: compact.parse(_token(b"{}", said)),
        valid=(HEADER,),
        mangled=mangling.JSON_BYTES,
        raises=_NOBODY,
        most=12 * 1024,
    ),
    Parser(
        name="a published key",
        read=read_key,
        valid=KEYS,
        mangled=mangling.TABLE,
    ),
    Parser(
        name="a presigned GetCallerIdentity",
        read=presigned.parse,
        valid=(PRESIGNED,),
        mangled=mangling.TEXT,
        raises=_NOBODY,
    ),
    Parser(
        name="the URL in it",
        read=lambda text: presigned.parse(b64(text.encode(errors="surrogatepass"))),
        valid=(url(),),
        mangled=mangling.TEXT,
        found=((url().replace("Token=", "Token=%ff"), "no UTF-8"),),
        raises=_NOBODY,
        most=8 * 1024,
    ),
    Parser(
        name="what STS answers",
        read=_caller,
        valid=(STS.encode(), STS_ERROR.encode()),
        mangled=mangling.OCTETS,
        raises=(Unauthenticated, Unavailable),
        most=64 * 1024,
    ),
    Parser(
        name="what was kept of a token",
        read=decode,
        valid=(json.loads(encode(SIGNED_IN)),),
        mangled=mangling.JSON_TEXT,
        found=(
            (encode(SIGNED_IN).replace("Z", ""), "instants without their zone: TypeError"),
            (
                encode(SIGNED_IN).replace("2026-12-01T09:00:00Z", "0001-01-01T00:00:00+14:00"),
                "an instant that is none in UTC: OverflowError",
            ),
        ),
        written=encode,
    ),
    Parser(
        name="an ID token that comes",
        read=lambda said: EXPECTED.read(_token(said), NOW),
        valid=(CLAIMS,),
        mangled=mangling.JSON_BYTES,
        raises=_ISSUERS,
        most=12 * 1024,
    ),
    Parser(
        name="an ID token that was kept",
        read=lambda text: (EXPECTED.reread(text), id_token.expiry(text)),
        valid=(TOKEN,),
        mangled=mangling.TEXT,
        raises=_ISSUERS,
    ),
    Parser(
        name="what an issuer says of itself",
        read=_discovered,
        valid=(DISCOVERED,),
        mangled=mangling.JSON_BYTES,
        raises=(Misconfigured,),
    ),
    Parser(
        name="a code for another device",
        read=answering(_device),
        valid=(DEVICE,),
        mangled=mangling.JSON_BYTES,
        raises=(Misconfigured, Unavailable),
        most=256 * 1024,
    ),
    Parser(
        name="what comes of such a code",
        read=answering(_finished),
        valid=(),
        also=({"id_token": TOKEN, "refresh_token": "r", "token_type": "Bearer"},),
        mangled=mangling.JSON_BYTES,
        raises=_ISSUERS,
        most=256 * 1024,
    ),
    Parser(
        name="what an issuer hands out anew",
        read=answering(_renewed),
        valid=({"id_token": TOKEN, "refresh_token": "r", "token_type": "Bearer"},),
        also=({"error": "invalid_grant"}, {"error": "slow_down"}),
        mangled=mangling.JSON_BYTES,
        raises=_ISSUERS,
        most=256 * 1024,
    ),
    Parser(
        name="what an issuer refuses",
        read=answering(_renewed, status=400),
        valid=(),
        also=({"error": "invalid_grant"}, {"error": "slow_down"}, {"error": "server_error"}),
        mangled=mangling.JSON_BYTES,
        raises=_ISSUERS,
        most=256 * 1024,
    ),
    Parser(
        name="where a browser is sent back to",
        read=_sent_back(),
        valid=("/callback?code=abc&state=state&iss=https%3A%2F%2Flogin.example.com",),
        mangled=mangling.TEXT,
        most=16 * 1024,
    ),
    Parser(
        name="an answer over HTTP",
        read=_raw,
        valid=(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: y\r\n\r\n{}",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        ),
        mangled=mangling.OCTETS,
        raises=(Unavailable, Misconfigured),
    ),
    Parser(
        name="a sign-in in a keyring",
        read=_kept,
        valid=({"id_token": TOKEN, "refresh_token": "r"},),
        mangled=mangling.JSON_TEXT,
    ),
    Parser(
        name="a set of credentials in a keyring",
        read=_set_kept,
        valid=(
            {
                "access_key_id": "A",
                "secret_access_key": "s",
                "session_token": "t",
                "expires_at": "2026-12-01T09:30:00Z",
            },
        ),
        mangled=mangling.JSON_TEXT,
    ),
)
