"""What docs/serve.md lists is what the code has."""

from __future__ import annotations

import re
from datetime import timedelta

from jitcloud.api.reading import Limits
from jitcloud.durations import format_duration
from jitcloud.model import Cloud
from jitcloud.observing import emf, logs
from jitcloud.serving import http, protocol, server, sweeper
from jitcloud.serving.figures import Figures
from jitcloud.serving.health import REASONS
from jitcloud.serving.pulse import SILENT, Pulse
from jitcloud.settings import ServeSettings
from tests.docs.pages import bare, prose, table

PAGE = "docs/serve.md"


def named(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_the_settings_are_those_that_are_read() -> None:
    rows = table(PAGE, "key of `[serve]`", "unless said", "is")
    told = {bare(row["key of `[serve]`"]): bare(row["unless said"]) for row in rows}
    assert told == {
        "behind_proxy": str(ServeSettings().behind_proxy).lower(),
        "metrics": ServeSettings().metrics,
        "reconcile": format_duration(ServeSettings().reconcile or timedelta(0)),
    }
    assert set(told) == set(ServeSettings.model_fields)


def test_what_may_be_wrong_is_what_is_said() -> None:
    rows = table(PAGE, "`wrong`", "means")
    assert {bare(row["`wrong`"]): row["means"] for row in rows} == REASONS


def test_the_metrics_are_those_there_are() -> None:
    rows = table(PAGE, "metric", "is", "worth an alarm")
    written = Figures().exposition(Pulse(lambda: 0.0), in_hand=0, is_recorded=True)
    assert [bare(row["metric"]) for row in rows] == re.findall(r"# TYPE (\w+)", written)


def test_the_embedded_metrics_are_those_there_are() -> None:
    rows = table(PAGE, "metric", "dimension", "is")
    none: list[timedelta] = []
    measured = (
        emf.decision_time(none, "allowed"),
        emf.time_to_access(none, Cloud.AWS),
        emf.overstay(none, Cloud.AWS),
        emf.backlog_age(timedelta(0)),
    )
    told = {bare(row["metric"]): named(row["dimension"])[:1] for row in rows}
    assert told == {each.name: list(each.dimensions) for each in measured}


def test_the_keys_of_a_log_line_are_those_there_are() -> None:
    rows = table(PAGE, "key", "is")
    told = {name for row in rows for name in named(row["key"])}
    always = {"at", "level", "event", "trace", "error", "logger", "place", "template"}
    assert told == {*always, *logs.Facts.__annotations__}


def test_the_limits_are_those_there_are() -> None:
    text = prose(PAGE)
    limits = Limits()
    for said in (
        f"| a body | {limits.body // 1024} KiB |",
        f"| {limits.slowest_body} seconds after its headers |",
        f"| headers | {limits.headers}, and {limits.header_bytes // 1024} KiB together |",
        f"| path and query | {limits.target // 1024} KiB |",
        f"| {protocol.SLOWEST_HEAD:g} seconds | the connection is closed |",
        f"| connections | {protocol.MOST_CONNECTIONS} |",
        f"| calls in hand | {limits.at_once}, of which {server.THREADS} are being answered |",
        f"| an answer | {limits.answer} seconds |",
        f"That takes {server.GRACE:g} seconds at the most",
        f"longer than the {server.GRACE:g} seconds",
        f"after ever longer up to {sweeper.LATEST:g} seconds",
    ):
        assert said in text, said
    assert timedelta(seconds=5) == sweeper.AGAIN
    assert timedelta(seconds=SILENT) == timedelta(minutes=1)
    assert http.ANSWERING < server.GRACE
