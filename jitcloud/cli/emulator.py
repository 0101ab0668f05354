"""``jitcloud emulator``: an AWS on this machine to try one's own configuration against.

Its account holds what the starter folder of ``jitcloud init`` names, and it lives for as long
as the command runs.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from jitcloud.cli import say
from jitcloud.cli.exits import ExitCode
from jitcloud.cli.leaving import nothing_behind
from jitcloud.emulators.surroundings import apart, check_installed
from jitcloud.errors import Misconfigured
from jitcloud.model import Privilege

if TYPE_CHECKING:
    from jitcloud.emulators.account import Account
    from jitcloud.emulators.ministack import Ministack

PORT = 4566
"""The port that the starter's jitcloud.toml names."""

DOCUMENT = "jitcloud-denies"
ROLES: Mapping[str, tuple[Privilege, str]] = {
    "jit-dev-read": (Privilege.READ, "dev-data"),
    "jit-prod-read": (Privilege.READ, "prod-data"),
    "jit-prod-write": (Privilege.WRITE, "prod-data"),
}
"""What each role may do, and with which bucket. The starter's catalog names all of them."""

_OBJECT = {"hello.txt": b"Hello from an AWS of your own.\n"}

_BEFORE = """\
An AWS of this machine's own, with IAM enforced, at {endpoint_url}
(account {account}, region {region}). It has what the folder of `jitcloud init` names:
"""

_BETWEEN = """
In another terminal, for the broker, and for whoever uses what it hands out:
"""

_THEN = """
Then, for instance:

  jitcloud init trial && cd trial && jitcloud check
  jitcloud --unsafe-act-as ana request dev-read --for 30m --because "To look around"
  jitcloud --unsafe-act-as ana exec REQUEST -- aws s3 ls s3://dev-data

The broker may hand out any role called jit-... that trusts it. To make more of them, be root:

  env -u AWS_SESSION_TOKEN AWS_ACCESS_KEY_ID={account} AWS_SECRET_ACCESS_KEY=test aws iam ...

Ctrl-C ends it, and nothing of it stays."""


def run(port: int | None = None) -> int:
    """Serve on this port, else on ``PORT``, until told to stop.

    Returns 0 then, and 1 should the emulator end by itself.
    """
    check_installed()
    # It needs what was just looked for.
    from jitcloud.emulators.account import Account  # noqa: PLC0415 - loaded only when it is needed
    from jitcloud.emulators.ministack import Ministack  # noqa: PLC0415 - loaded only when it is needed

    at = PORT if port is None else port
    _be_free(at)
    try:
        with nothing_behind() as left:
            left.enter_context(apart())
            aws = Ministack(port=at)
            left.callback(aws.stop)
            aws.start()
            account = Account(aws)
            _furnish(account)
            _tell(aws, account.environment(account.broker()))
            while _listens(at):
                time.sleep(1)
    except KeyboardInterrupt:
        say.line("Ended, and nothing of it is left.")
        return ExitCode.OK
    say.aside("jitcloud: The emulator ended by itself.")
    return ExitCode.TROUBLES


def _be_free(port: int) -> None:
    if _listens(port):
        raise Misconfigured(
            f"Something on this machine listens on port {port} already (another emulator?); "
            "end it, or name another port with --port."
        )


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _furnish(account: Account) -> None:
    document = account.arn("policy", DOCUMENT)
    account.broker_role([account.arn("role", "jit-*")], [document])
    account.deny_document(DOCUMENT)
    for name, (privilege, bucket) in ROLES.items():
        account.target_role(name, privilege, bucket, document)
    for bucket in sorted({bucket for _, bucket in ROLES.values()}):
        account.bucket(bucket, _OBJECT)


def _tell(aws: Ministack, environment: Mapping[str, str]) -> None:
    facts = {"endpoint_url": aws.endpoint_url, "account": aws.account, "region": aws.region}
    say.verbatim(_BEFORE.format_map(facts))
    for name, (privilege, bucket) in ROLES.items():
        say.line(f"  {name:<15}  may {privilege} s3://{bucket}, where hello.txt is")
    say.line(f"  {DOCUMENT:<15}  is the boundary of these roles: it ends sessions early")
    say.verbatim(_BETWEEN)
    say.line("  unset AWS_PROFILE AWS_DEFAULT_PROFILE")
    for name, value in environment.items():
        say.line(f"  export {name}={value}")
    say.verbatim(_THEN.format_map(facts))
    sys.stdout.flush()  # whoever reads a pipe waits for it
