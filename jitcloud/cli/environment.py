"""The environment in which a grant's credentials are used: these, and no others beside them."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from jitcloud.model import Credentials

OTHERS = (
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_BEARER_TOKEN_BEDROCK",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
)
"""Whatever else an SDK would take credentials from. A profile wins over keys in the AWS CLI."""


def variables(credentials: Credentials, settings: Mapping[str, str]) -> dict[str, str]:
    """Return what an SDK needs to use these credentials, and where."""
    return {
        "AWS_ACCESS_KEY_ID": credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": credentials.secret_access_key,
        "AWS_SESSION_TOKEN": credentials.session_token,
        **settings,
    }


def child(base: Mapping[str, str], added: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a child process: ours, with these credentials alone."""
    kept = {name: value for name, value in base.items() if name not in OTHERS}
    return {**kept, **added}


def shell_lines(added: Mapping[str, str]) -> Iterator[str]:
    """Yield lines that a POSIX shell evaluates to the same, however a value looks."""
    others = [name for name in OTHERS if name not in added]
    yield f"unset {' '.join(others)}"
    for name, value in added.items():
        yield f"export {name}={shlex.quote(value)}"
