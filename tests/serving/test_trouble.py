"""What `jitcloud serve` says of itself when something is wrong, and what goes on all the same."""

from __future__ import annotations

import re
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import jitcloud
from jitcloud import metrics
from jitcloud.clock import utc_now
from jitcloud.emulators.oidc import OidcIssuer
from jitcloud.errors import Misconfigured
from jitcloud.model import State
from jitcloud.serving import sweeper
from jitcloud.serving.pulse import SILENT, Pulse
from jitcloud.serving.server import Serving
from tests.serving import deployed
from tests.serving.deployed import Within, within

LONG_AGO = datetime.now(UTC) - timedelta(days=9)


@pytest.fixture
def folder(tmp_path: Path, issuer: OidcIssuer) -> Path:
    return deployed.make(tmp_path / "srv", issuer)


# ── Well ─────────────────────────────────────────────────────────────────────────────────────


def test_all_is_well_once_a_sweep_has_come_to_its_end(folder: Path, issuer: OidcIssuer) -> None:
    with within(folder, issuer) as server:
        server.until(lambda: server.wrong() == [])
        ready = server.call(path="/readyz")
        assert (ready.status, ready.json) == (200, {"status": "ready", "wrong": []})
        alive = server.call(path="/healthz")
        assert (alive.status, alive.json) == (200, {"status": "ok"})
        head = server.call("HEAD", "/healthz")
        assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "16")
        assert server.call("POST", "/readyz").status == 404
        unread = server.call("GET", "/healthz", body=b"x" * 10_000)
        assert (unread.status, unread.headers["connection"]) == (200, "close")
        # What anybody may see, and what needs somebody.
        assert server.call(path="/openapi.json").json["openapi"].startswith("3.1")
        assert server.call(path="/v1/me").status == 401
        assert server.ask("ana", "GET", "/v1/me").json["id"] == "ana"


def test_clouds_are_compared_with_the_record_once_in_a_while(
    folder: Path, issuer: OidcIssuer
) -> None:
    for times in (1, 1):  # the second one finds that it was done
        with within(folder, issuer) as server:
            server.until(lambda: server.wrong() == [])
            server.until(lambda: bool(comparisons(folder)))
        assert len(comparisons(folder)) == times
    with (folder / "jitcloud.toml").open("a") as file:
        file.write('reconcile = "off"\n')
    with within(folder, issuer):
        assert "reconcile" not in {thread.name for thread in threading.enumerate()}


def comparisons(folder: Path) -> list[object]:
    with jitcloud.load(folder) as opened:
        events = opened.deployment.ledger.store.control_events()
        return [line for line in events if line.event.what.type == "reconciled"]


# ── Metrics ──────────────────────────────────────────────────────────────────────────────────

SAMPLE = re.compile(
    r'(?P<name>[a-z_]+)(?:\{(?P<labels>[a-z]+="[^"\\]*"(?:,[a-z]+="[^"\\]*")*)\})? (?P<value>\S+)'
)


def measured(server: Within) -> dict[str, float]:
    """Read the text format as strictly as it is described; return each sample by its name.

    https://prometheus.io/docs/instrumenting/exposition_formats/
    """
    answer = server.call(path="/metrics")
    assert (answer.status, answer.headers["content-type"]) == (200, metrics.CONTENT_TYPE)
    text = answer.body.decode()
    assert text.endswith("\n")
    kinds: dict[str, str] = {}
    found: dict[str, float] = {}
    for line in text.splitlines():
        if line.startswith("# HELP "):
            assert line.split()[2] not in kinds
            continue
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name not in kinds
            kinds[name] = kind
            continue
        sample = SAMPLE.fullmatch(line)
        assert sample is not None, line
        family = list(kinds)[-1]
        ends = ("_bucket", "_sum", "_count") if kinds[family] == "histogram" else ("",)
        assert sample["name"] in {family + end for end in ends}, line
        assert kinds[family] != "counter" or family.endswith("_total")
        key = line.rpartition(" ")[0]
        assert key not in found
        found[key] = float(sample["value"])
    return found


def test_prometheus_reads_the_record_and_the_process(folder: Path, issuer: OidcIssuer) -> None:
    with within(folder, issuer) as server:
        server.until(lambda: server.wrong() == [])
        for path in ("/v1/me", "/v1/requests/01JD8Z6N3V5E6X7Y8Z9ABCDEFG", "/nowhere/ana/payroll"):
            server.ask("ana", "GET", path)
        server.call("BREW", "/nowhere/else")
        found = measured(server)
    route = 'jitcloud_http_requests_total{method="GET",route="/v1/requests/<request>",status="404"}'
    assert found[route] == 1
    nowhere = 'jitcloud_http_requests_total{method="GET",route="",status="404"}'
    assert found[nowhere] == 1
    assert found['jitcloud_http_requests_total{method="other",route="",status="501"}'] == 1
    seconds = "jitcloud_http_request_duration_seconds"
    buckets = [
        value for key, value in found.items() if key.startswith(f'{seconds}_bucket{{route="/v1/me"')
    ]
    assert buckets == sorted(buckets)
    assert buckets[-1] == found[f'{seconds}_count{{route="/v1/me"}}'] == 1
    assert found["jitcloud_record_up"] == 1
    assert found["jitcloud_sweeps_total"] >= 1
    assert 0 <= found["jitcloud_sweep_age_seconds"] < 60
    assert found["jitcloud_overdue_ends"] == 0
    assert not [key for key in found if "payroll" in key or "ana" in key]


def test_metrics_are_for_this_machine_unless_the_settings_say_otherwise(
    folder: Path, issuer: OidcIssuer
) -> None:
    for said, through_proxy, direct in (
        ('metrics = "loopback"', 404, 200),
        ('metrics = "off"', 404, 404),
        ('metrics = "all"', 200, 200),
    ):
        text = (folder / "jitcloud.toml").read_text().partition("[serve]")[0]
        (folder / "jitcloud.toml").write_text(f"{text}[serve]\n{said}\n")
        with within(folder, issuer) as server:
            assert server.call(path="/metrics").status == direct
            forwarded = {"X-Forwarded-For": "203.0.113.9"}
            assert server.call(path="/metrics", headers=forwarded).status == through_proxy


# ── Broken ───────────────────────────────────────────────────────────────────────────────────


def test_begun_with_broken_rules_it_ends_and_grants_as_soon_as_they_are_mended(
    folder: Path, issuer: OidcIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeper, "AGAIN", timedelta(milliseconds=100))
    with jitcloud.load(folder, clock=lambda: LONG_AGO) as opened:
        over = opened.acting_as("ana").request("dev-read", "30m", "Look into INC-7")
        assert over.state is State.ACTIVE
    rules = folder / "policy" / "rules.cedar"
    good = rules.read_text()
    rules.write_text("permit (principal")
    with within(folder, issuer) as server:
        assert server.lines("broken")
        server.until(lambda: server.wrong() == ["policy"])
        assert server.call(path="/readyz").status == 503
        assert server.call(path="/healthz").status == 200
        refused = server.ask("ana", "GET", "/v1/me")
        assert (refused.status, refused.json["error"]) == (503, "Misconfigured")
        assert "rules.cedar" not in refused.body.decode()
        assert measured(server)["jitcloud_overdue_ends"] == 0
        rules.write_text(good)
        server.until(lambda: server.wrong() == [])
        assert server.ask("ana", "GET", "/v1/me").status == 200
        assert len(server.lines("mended")) == 1
    with jitcloud.load(folder) as opened:
        assert opened.acting_as("ana").show(over).state is State.ENDED


def test_rules_and_people_that_break_later_are_said_and_picked_up_when_mended(
    folder: Path, issuer: OidcIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jitcloud.serving.health.MOMENT", 0.0)
    with within(folder, issuer) as server:
        server.until(lambda: server.wrong() == [])
        for file in (folder / "policy" / "rules.cedar", folder / "people.toml"):
            good = file.read_text()
            file.write_text("permit (")
            assert server.wrong() == ["policy"]
            file.write_text(good)
            assert server.wrong() == []


def test_a_record_that_is_gone_is_said(folder: Path, issuer: OidcIssuer) -> None:
    with (folder / "jitcloud.toml").open("a") as file:
        file.write('reconcile = "off"\n')
    with within(folder, issuer) as server:
        server.until(lambda: server.wrong() == [])
        (folder / "jitcloud.db").rename(folder / "kept.db")
        server.until(lambda: server.wrong() == ["record", "sweep"])
        assert server.call(path="/healthz").status == 200
        assert measured(server)["jitcloud_record_up"] == 0
        (folder / "kept.db").rename(folder / "jitcloud.db")
        server.until(lambda: server.wrong() == [])
        # It is the same every second, and said once.
        assert [line["what"] for line in server.lines("trouble")] == ["record"]


def test_what_cannot_be_read_of_how_to_serve_keeps_nothing_from_ending(
    folder: Path, issuer: OidcIssuer
) -> None:
    with (folder / "jitcloud.toml").open("a") as file:
        file.write('behind_proxy = "yes"\n')
    # Who may call is not known, so nobody does from elsewhere: it is not listened there.
    with within(folder, issuer, host="192.0.2.1") as server:
        server.until(lambda: server.wrong() == ["policy"])
        assert "serve.behind_proxy" in server.lines("broken")[0]["why"]
        server.until(lambda: measured(server)["jitcloud_sweeps_total"] >= 1)


# ── A sweep that dies ────────────────────────────────────────────────────────────────────────


def test_a_sweep_that_dies_is_said_and_begun_anew(
    folder: Path, issuer: OidcIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweeper, "SOONEST", 0.05)
    is_broken = threading.Event()

    def clock() -> datetime:
        if is_broken.is_set() and threading.current_thread().name == "sweep":
            raise ZeroDivisionError("payroll")
        return utc_now()

    with within(folder, issuer, clock) as server:
        server.until(lambda: server.wrong() == [])
        is_broken.set()
        server.until(lambda: server.wrong() == ["sweep"])
        assert server.call(path="/healthz").status == 200
        is_broken.clear()
        server.until(lambda: server.wrong() == [])
        assert measured(server)["jitcloud_sweep_deaths_total"] == len(server.lines("sweep-died"))
        first = server.lines("sweep-died")[0]
        assert (first["level"], first["error"]["kind"]) == ("critical", "ZeroDivisionError")
        assert "payroll" not in server.said.getvalue()


def test_a_sweep_that_does_nothing_any_more_counts_as_stuck() -> None:
    seconds = [0.0]
    pulse = Pulse(lambda: seconds[0])
    pulse.swept(troubles=0, is_blind=False)
    seconds[0] = SILENT - 1
    assert not pulse.is_silent()
    pulse.lives()
    seconds[0] = 2 * SILENT - 2
    assert not pulse.is_silent()
    assert pulse.age() == seconds[0]
    seconds[0] = 2 * SILENT - 1
    assert pulse.is_silent()


# ── Where it listens ─────────────────────────────────────────────────────────────────────────

NOT_HERE = "192.0.2.1"
"""For documentation (RFC 5737): no machine has it."""


def serving(folder: Path, host: str, port: int = 0) -> Serving:
    def listening(*_: Any) -> None:
        raise AssertionError("it listens")

    return Serving(path=folder, host=host, port=port, clock=utc_now, listening=listening)


@pytest.mark.parametrize("host", [NOT_HERE, "0.0.0.0", "::"])  # noqa: S104 - it is refused
def test_it_is_reached_from_elsewhere_only_behind_a_proxy(host: str, folder: Path) -> None:
    with pytest.raises(Misconfigured, match="behind_proxy = true"):
        serving(folder, host).run()


def test_behind_a_proxy_it_listens_where_it_is_told(folder: Path) -> None:
    with (folder / "jitcloud.toml").open("a") as file:
        file.write("behind_proxy = true\n")
    with pytest.raises(Misconfigured, match=r"Port 0 of \"192.0.2.1\" cannot be listened on"):
        serving(folder, NOT_HERE).run()


def test_a_port_that_is_taken_is_said(folder: Path, issuer: OidcIssuer) -> None:
    with within(folder, issuer) as server, pytest.raises(Misconfigured, match="in use"):
        serving(folder, "127.0.0.1", server.port).run()
