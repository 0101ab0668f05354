"""Scheduled trigger: does whatever is due, in the deployment that $JITCLOUD_CONFIG names.

Call ``handler`` every minute from anything that can call a Python function. What it raises is
meant for the platform's alarm; whatever could not be done stays due for the next call.

It opens the deployment anew each time, for policy and people as of now; while one of those files
is broken it still ends what is over, and raises so that somebody mends it.

It is for a scheduler beside the record (a container, a VM), and sweeps all of it in one call. In
the fleet of infra/template.yaml ``expire`` and ``advance`` do this, to the second.
"""

from __future__ import annotations

import os

from jitcloud import JitError, Misconfigured, load_to_end


def handler(event: object, context: object) -> dict[str, int | bool]:  # noqa: ARG001 - due is due, whoever asks
    """Sweep once; return how much was woken, and whether more waits for the next call."""
    path = os.environ.get("JITCLOUD_CONFIG")
    if not path:
        raise Misconfigured("Set JITCLOUD_CONFIG to the path of jitcloud.toml, or of its folder.")
    with load_to_end(path) as opened:
        swept, broken = opened.sweep(), opened.deployment.broken
    if broken:
        raise Misconfigured(f"Only ends go on until this is mended:\n{broken}")
    if swept.troubles:
        told = "\n".join(f"{name}: {why}" for name, why in swept.troubles[:10])
        raise JitError(f"{len(swept.troubles)} of {swept.woken} are still due, such as\n{told}")
    return {"woken": swept.woken, "more": swept.more}
