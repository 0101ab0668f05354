"""What ``client.toml`` may say: which API a person's commands talk to, and how they sign in.

It is a file of the person, not of a deployment, and holds no secret.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from jitcloud.errors import Misconfigured
from jitcloud.files import parse_table, read_toml, unknown_key
from jitcloud.signing_in.endpoint import Endpoint
from jitcloud.signing_in.token_endpoint import SCOPES, Client

FILE = "client.toml"

VARIABLE = "JITCLOUD_API"

_SCOPE = re.compile(r"[!#-\[\]-~]{1,200}")  # RFC 6749, 3.3
_CLIENT_ID = re.compile(r"[!-~]{1,255}")
_AUDIENCE = re.compile(r"[!-~]{1,200}")
_REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]+){1,3}-[0-9]{1,2}")


def _base(url: str) -> str:
    found = Endpoint.parse(url)
    if "?" in url:
        raise ValueError("take ? and what follows it out of this address")
    if found.target.rstrip("/").endswith("/v1"):
        raise ValueError("write the address without /v1 at its end")
    return url.rstrip("/")


def _issuer(url: str | None) -> str | None:
    if url is not None:
        Endpoint.parse(url)
        if "?" in url:  # Discovery, 3
            raise ValueError("an issuer has no ? in its address; take it and what follows out")
    return url


def _written(form: re.Pattern[str], what: str) -> AfterValidator:
    def check(text: str | None) -> str | None:
        if text is not None and form.fullmatch(text) is None:
            raise ValueError(what)
        return text

    return AfterValidator(check)


def _scopes(scopes: list[str]) -> list[str]:
    if not all(_SCOPE.fullmatch(scope) for scope in scopes):
        raise ValueError('write one scope a string, such as ["openid", "email"]')
    if "openid" not in scopes:
        raise ValueError('add "openid": without it there is no ID token')
    return scopes


class ApiSettings(BaseModel):
    """The table ``[api]``."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    url: Annotated[str, AfterValidator(_base)]
    """Of the API: what stands before ``/v1``."""
    sign_in: Literal["oidc", "aws"]
    issuer: Annotated[str | None, AfterValidator(_issuer)] = None
    """Exactly as it names itself."""
    client_id: Annotated[
        str | None, _written(_CLIENT_ID, "write the id of a client, without a space in it")
    ] = None
    """Of the public client that jitcloud is there; also the audience of its ID tokens."""
    scopes: Annotated[list[str], Field(max_length=50), AfterValidator(_scopes)] = [*SCOPES]
    redirect_port: Annotated[int, Field(ge=0, le=65535)] = 0
    """Where browsers are sent back to; 0 for any port. Some issuers know one port alone."""
    audience: Annotated[
        str | None,
        _written(_AUDIENCE, "write the name of the deployment, in printable ASCII without a space"),
    ] = None
    """The name of the deployment, as its operator tells it."""
    region: Annotated[
        str | None, _written(_REGION, "write the name of an AWS region, such as eu-central-1")
    ] = None
    """Of the STS that vouches for somebody; where it is not given, that of the profile."""
    gateway_region: Annotated[
        str | None, _written(_REGION, "write the name of an AWS region, such as eu-central-1")
    ] = None
    """Of the API Gateway before the API, for which calls are signed (``AWS_IAM``)."""
    profile: str | None = None
    """Of the AWS configuration; where it is not given, whatever the SDK finds."""

    @model_validator(mode="after")
    def _of_one_kind(self) -> Self:
        taken, needed = _KEYS[self.sign_in]
        for key in sorted(self.model_fields_set - taken - {"url", "sign_in"}):
            raise ValueError(f'sign_in "{self.sign_in}" has no use for {key}; take it out')
        for key in needed:
            if getattr(self, key) is None:
                raise ValueError(f'sign_in "{self.sign_in}" needs {key}; add it')
        return self

    def client(self) -> Client:
        """What signs in with OpenID Connect; only where ``sign_in`` says so."""
        assert self.issuer is not None and self.client_id is not None  # noqa: S101, PT018 - checked above
        return Client(
            issuer=self.issuer,
            client_id=self.client_id,
            scopes=tuple(self.scopes),
            redirect_port=self.redirect_port,
        )


_KEYS: Mapping[str, tuple[set[str], tuple[str, ...]]] = {
    "oidc": ({"issuer", "client_id", "scopes", "redirect_port"}, ("issuer", "client_id")),
    "aws": ({"audience", "region", "gateway_region", "profile"}, ("audience",)),
}


def file_of(environment: Mapping[str, str]) -> Path:
    """Where the file is (XDG Base Directory Specification); it need not be there."""
    home = Path(environment.get("XDG_CONFIG_HOME", ""))
    if not home.is_absolute():  # as the specification has it
        home = Path(environment.get("HOME") or "~").expanduser() / ".config"
    return home / "jitcloud" / FILE


def read_client_settings(
    environment: Mapping[str, str], options: Mapping[str, object] | None = None
) -> ApiSettings | None:
    """Read what the file says, then ``JITCLOUD_API``, then options by the names of the keys.

    The later wins. Returns None where none of them names an API: then commands work on a
    deployment of this machine. Raises ``Misconfigured`` with all that is wrong.
    """
    file = file_of(environment)
    said = read_toml(file) if file.exists() else {}
    wrong = [f"{FILE}: {unknown_key(key, ['api'])}" for key in said if key != "api"]
    table = said.get("api", {})
    if isinstance(table, dict):
        if environment.get(VARIABLE):
            table = {**table, "url": environment[VARIABLE]}
        table = {**table, **{k: v for k, v in (options or {}).items() if v is not None}}
    if not table and not wrong:
        return None
    settings = parse_table(ApiSettings, table, f"{FILE}: [api]", wrong)
    if settings is None or wrong:
        raise Misconfigured("\n".join(wrong))
    return settings
