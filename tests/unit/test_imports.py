"""What an import loads: programs pay only for what they use, and a function for one cloud alone."""

from __future__ import annotations

import json
import pkgutil
import subprocess
import sys
from collections.abc import Iterable

import pytest

import jitcloud

AWS = {"boto3", "botocore"}
OTHER_CLOUDS = {"azure", "google", "msal"}
SDKS = AWS | OTHER_CLOUDS
TERMINAL = {"keyring", "rich", "typer"}
HEAVY = SDKS | TERMINAL | {"apsw", "cedarpy", "cryptography", "pydantic"}

PURE = ["jitcloud.lifecycle", "jitcloud.model", "jitcloud.ports", "jitcloud.slots"]
AWS_ADAPTERS = ["jitcloud.providers.aws.deny_document", "jitcloud.providers.aws.sts_session"]

OUTSIDE = (
    "jitcloud.anchors.s3",
    "jitcloud.api",
    "jitcloud.cli",
    "jitcloud.emulators",
    "jitcloud.fleet",
    "jitcloud.journals.s3",
    "jitcloud.providers.aws",
    "jitcloud.providers.azure",
    "jitcloud.providers.gcp",
    "jitcloud.publishers.aws",
    "jitcloud.publishers.eventbridge",
    "jitcloud.publishers.sns",
    "jitcloud.queues.sqs",
    "jitcloud.serving",
    "jitcloud.signers.kms",
    "jitcloud.stores.dynamodb",
)
"""What speaks to a cloud or to a terminal. All else is the core and what is embedded."""


def core() -> list[str]:
    modules = pkgutil.walk_packages(jitcloud.__path__, "jitcloud.")
    return [module.name for module in modules if not module.name.startswith(OUTSIDE)]


def loaded_by(code: str) -> set[str]:
    """Which top-level modules a fresh Python has loaded once it has run the code."""
    report = "import json, sys; print('\\n' + json.dumps(sorted(sys.modules)))"
    ran = subprocess.run(  # noqa: S603 - our own interpreter and text
        [sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in json.loads(ran.stdout.splitlines()[-1])}


def importing(modules: Iterable[str]) -> str:
    return "\n".join(f"import {module}" for module in modules)


def test_importing_jitcloud_loads_no_sdk_no_pydantic_and_no_command_line() -> None:
    assert not loaded_by("import jitcloud") & HEAVY


def test_the_nouns_and_errors_of_the_library_load_none_of_these_either() -> None:
    assert not loaded_by("from jitcloud import Caller, JitError, Request, State") & HEAVY


def test_what_is_pure_loads_nothing_from_outside() -> None:
    assert not loaded_by(importing(PURE)) & HEAVY


def test_the_core_and_all_that_is_embedded_load_no_sdk_of_any_cloud() -> None:
    modules = core()
    assert {"jitcloud.broker", "jitcloud.config", "jitcloud.library"} < set(modules)
    assert not loaded_by(importing(modules)) & (SDKS | TERMINAL)


def test_an_adapter_for_aws_loads_the_sdk_of_no_other_cloud() -> None:
    loaded = loaded_by(importing(AWS_ADAPTERS))
    assert loaded >= AWS
    assert not loaded & OTHER_CLOUDS


@pytest.mark.parametrize("arguments", [["--help"], ["request", "--help"]])
def test_help_loads_neither_an_sdk_nor_cedar(arguments: list[str]) -> None:
    code = f"""
import sys
sys.argv = ["jitcloud", *{arguments}]
from jitcloud.cli import main
try:
    code = main()
except SystemExit as exc:
    code = exc.code
assert not code, code
"""
    assert not loaded_by(code) & (SDKS | {"cedarpy"})
