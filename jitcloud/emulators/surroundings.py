"""Where an emulated AWS runs: with what it needs, and apart from what is set for AWS itself."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from jitcloud.errors import Misconfigured

_FOREIGN = ("AWS_", "BOTO_")
_PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy"})

_INSTEAD = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",  # else an SDK without credentials asks the network
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "NO_PROXY": "127.0.0.1",
}


def check_installed() -> None:
    """Raise ``Misconfigured`` unless an emulated AWS can be run and spoken to."""
    missing = [name for name in ("boto3", "ministack") if importlib.util.find_spec(name) is None]
    if missing:
        raise Misconfigured(
            f"This needs {' and '.join(missing)}; run: pip install 'jitcloud[aws,emulators]'"
        )


def apart_from(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment in which an SDK finds no profile, no credentials, no endpoint, no proxy."""
    kept = {
        key: value
        for key, value in environment.items()
        if not key.startswith(_FOREIGN) and key.lower() not in _PROXIES
    }
    return {**kept, **_INSTEAD}


@contextmanager
def apart() -> Iterator[None]:
    """Put this process into such an environment for the time of a block."""
    before = dict(os.environ)
    wanted = apart_from(before)
    try:
        _become(wanted)
        yield
    finally:
        _become(before)


def _become(wanted: Mapping[str, str]) -> None:
    for key in os.environ.keys() - wanted.keys():
        del os.environ[key]
    os.environ.update(wanted)
