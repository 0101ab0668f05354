"""The container file and the units: what they must say, as far as no daemon has to run for it."""

from __future__ import annotations

import fnmatch
import json
import re
import shutil
import subprocess
import sys
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from jitcloud.durations import parse_duration
from jitcloud.emulators.oidc import OidcIssuer
from jitcloud.serving import http, server
from tests.serving import deployed

ROOT = Path(__file__).parents[2]
CONTAINER = ROOT / "infra" / "container"
UNITS = sorted((ROOT / "infra" / "systemd").iterdir())
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]


# ── The container ────────────────────────────────────────────────────────────────────────────


@cache
def steps() -> list[tuple[str, str]]:
    """Every instruction of the container file, and what it says."""
    text = (CONTAINER / "Containerfile").read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(line.split()[0], line.partition(" ")[2].strip()) for line in joined.splitlines()]


def last(name: str) -> str:
    return next(said for each, said in reversed(steps()) if each == name)


def words(name: str) -> list[str]:
    found: list[str] = json.loads(last(name))
    return found


def test_it_is_made_of_a_slim_python_and_nothing_else() -> None:
    bases = [said.partition(" AS ")[0] for each, said in steps() if each == "FROM"]
    assert len(bases) == 2
    assert all(re.fullmatch(r"python:3\.\d+-slim", base) for base in bases), bases
    assert not any(each in {"ADD", "ARG"} for each, _ in steps())


def test_everything_in_it_is_installed_by_hash_and_from_no_place_of_its_own() -> None:
    installs = [part for each, said in steps() if each == "RUN" for part in said.split("&&")]
    installs = [part for part in installs if "pip" in part and " install " in part]
    assert len(installs) == 3
    for install in installs:
        assert "--no-deps" in install
        assert "--require-hashes" in install or "--no-index" in install
    text = "".join(path.read_text() for path in CONTAINER.iterdir())
    assert not re.search(r"index-url|extra-index|find-links|trusted-host", text)
    assert set(re.findall(r"https?://[^/:'\"]+", text)) == {"http://127.0.0.1"}


def pins(path: Path) -> dict[str, str]:
    """The version of each library that a list of requirements has, every one with its hashes."""
    found: dict[str, str] = {}
    for entry in re.split(r"\n(?=\S)", path.read_text().strip()):
        requirement = Requirement(entry.partition(" \\")[0])
        assert "--hash=sha256:" in entry, entry
        found[canonicalize_name(requirement.name)] = str(requirement.specifier)
    return found


@cache
def needed(name: str, extras: tuple[str, ...] = ()) -> frozenset[str]:
    """All libraries that one needs here, itself left out."""
    found: set[str] = set()
    for line in metadata.requires(name) or ():
        requirement = Requirement(line)
        marker = requirement.marker
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in ("", *extras)):
            inner = canonicalize_name(requirement.name)
            found |= {inner, *needed(inner, tuple(sorted(requirement.extras)))}
    return frozenset(found)


def test_what_it_has_is_what_the_tests_had() -> None:
    had = pins(ROOT / "requirements-dev.txt")
    has = pins(CONTAINER / "requirements.txt")
    assert needed("jitcloud", ("api", "aws", "cli")) <= set(has)
    assert not {"moto", "ministack", "pytest", "mypy"} & set(has)
    built = pins(CONTAINER / "requirements-build.txt")
    assert needed("hatchling") | {"hatchling"} <= set(built)
    for name, version in (has | built).items():
        assert version == had.get(name, version)
    assert set(has) <= set(had)


def test_it_runs_as_nobody_in_particular_and_needs_to_write_in_one_place() -> None:
    assert last("USER") == "10001:10001"
    names = [each for each, _ in steps()]
    assert "RUN" not in names[len(names) - 1 - names[::-1].index("USER") :]
    assert {last("VOLUME"), last("WORKDIR")} == {"/var/lib/jitcloud"}
    assert "PYTHONDONTWRITEBYTECODE=1" in last("ENV")
    assert last("STOPSIGNAL") == "SIGTERM"


def test_what_is_copied_is_there_and_is_let_through() -> None:
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in ignored if line and not line.startswith("#")]
    assert rules[0] == "*"
    allowed = [rule[1:] for rule in rules if rule.startswith("!")]
    sources = [
        source
        for each, said in steps()
        if each == "COPY" and "--from" not in said
        for source in said.split()[:-1]
    ]
    assert len(sources) == 6
    for source in sources:
        assert (ROOT / source).exists()
        assert any(fnmatch.fnmatch(source, rule) for rule in allowed), source


def test_it_serves_and_says_whether_it_lives(tmp_path: Path, issuer: OidcIssuer) -> None:
    command = " ".join(words("ENTRYPOINT") + words("CMD"))
    assert command == "jitcloud serve --host 0.0.0.0 --port 8080"
    options, check = last("HEALTHCHECK").split(" CMD ")
    assert "--start-period" in options
    _, flag, script = json.loads(check)

    def lives(port: int) -> bool:
        said = script.replace("8080", str(port))
        return subprocess.run([sys.executable, flag, said], capture_output=True).returncode == 0  # noqa: PLW1510, S603 - our own script

    with deployed.within(deployed.make(tmp_path / "srv", issuer), issuer) as running:
        port = running.port
        assert lives(port)
    assert not lives(port)


# ── The units ────────────────────────────────────────────────────────────────────────────────


def read(unit: Path) -> dict[str, str]:
    """What a unit says; of what it says twice, both (systemd.syntax(7))."""
    lines = [line.partition("=") for line in unit.read_text().splitlines() if "=" in line]
    found: dict[str, str] = {}
    for key, _, value in lines:
        if not key.startswith("#"):
            found[key] = f"{found[key]} {value}" if key in found else value
    return found


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.stem)
def test_a_unit_may_do_no_more_than_it_must(unit: Path) -> None:
    service = read(unit)
    assert service["User"] == "jitcloud"
    for key in (
        "NoNewPrivileges",
        "ProtectHome",
        "PrivateTmp",
        "PrivateDevices",
        "ProtectKernelTunables",
        "ProtectKernelModules",
        "ProtectControlGroups",
        "RestrictSUIDSGID",
        "RestrictNamespaces",
        "LockPersonality",
    ):
        assert service[key] == "yes", key
    assert service["ProtectSystem"] == "strict"
    assert not service["CapabilityBoundingSet"]
    assert (service["StateDirectory"], service["StateDirectoryMode"]) == ("jitcloud", "0700")
    assert service["SystemCallFilter"].split() == [
        "@system-service",
        "~@privileged",
        "@resources",
    ]


def test_a_unit_is_given_the_time_that_it_takes_to_stop() -> None:
    for unit in SERVICES:
        stop = parse_duration(read(unit)["TimeoutStopSec"]).total_seconds()
        assert stop > server.GRACE > http.ANSWERING


def test_ends_are_given_up_by_no_unit() -> None:
    for unit in SERVICES:
        assert read(unit)["StartLimitIntervalSec"] == "0"
    serve = read(UNITS[0])
    assert (serve["Restart"], serve["ExecStart"]) == ("always", "/usr/local/bin/jitcloud serve")
    timer = read(next(unit for unit in UNITS if unit.suffix == ".timer"))
    assert timer["OnUnitInactiveSec"] == "1s"
    assert timer["WantedBy"] == "timers.target"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd")
def test_systemd_has_nothing_against_them(tmp_path: Path) -> None:
    for unit in UNITS:
        text = unit.read_text().replace("/usr/local/bin/jitcloud", deployed.COMMAND)
        (tmp_path / unit.name).write_text(text)
    analyze = shutil.which("systemd-analyze") or ""
    said = subprocess.run(  # noqa: S603 - a program of the system
        [analyze, "verify", "--man=no", *map(str, sorted(tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (said.returncode, said.stderr) == (0, "")
    for unit in SERVICES:
        told = subprocess.run(  # noqa: S603 - the same
            [analyze, "security", "--offline=yes", "--no-pager", str(tmp_path / unit.name)],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
        exposure = re.search(r"exposure level for \S+: ([0-9.]+)", told)
        assert exposure is not None, told
        assert float(exposure[1]) < 2
