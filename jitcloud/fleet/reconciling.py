"""``reconcile``: compares the clouds with the record, for as long as one call may last."""

from __future__ import annotations

import logging
import sys
from datetime import timedelta

from jitcloud import config
from jitcloud.clock import utc_now
from jitcloud.errors import Conflict
from jitcloud.fleet.environment import Context, folder, give_up
from jitcloud.observing import emf, logs
from jitcloud.reconcile import Compared

SPARE = timedelta(seconds=60)
"""So long before the platform ends a call it begins no further page."""


def reconcile(context: Context) -> dict[str, object]:
    """Go on with the comparison; the next call goes on where this one stopped.

    What has leaked is told, and written down to be ended where the configuration says so.
    """
    with config.load(folder(), utc_now, signs=False) as deployment:
        ends = deployment.settings.reconcile.end_leaked
        try:
            compared = deployment.reconciler(ends_leaked=ends).run(
                give_up(context, SPARE) - utc_now()
            )
        except Conflict:
            return {"over": False, "busy": True}  # another call is at it
    _tell(compared)
    return {
        "over": compared.is_over,
        "finished": compared.is_finished,
        "leaked": compared.tally.leaked,
        "missing": compared.tally.missing,
        "foreign": compared.tally.foreign,
    }


def _tell(compared: Compared) -> None:
    for finding in compared.findings:
        logs.event("finding", level=logging.WARNING, what=finding.place, why=finding.verdict)
    for trouble in compared.troubles:
        logs.event("trouble", level=logging.WARNING, why=str(trouble))
    tally = compared.tally
    if compared.is_over or tally.leaked:
        emf.write(sys.stdout, utc_now(), emf.leaked(tally.leaked))
    logs.event("reconcile", leaked=tally.leaked, missing=tally.missing, foreign=tally.foreign)
