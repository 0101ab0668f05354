"""Each command by the API: what it says is what it says on the deployment's own machine."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from jitcloud.cli.exits import ExitCode
from tests.cli_world import CliWorld, Said
from tests.remote.remote_world import RemoteWorld, furnish

ID = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{25}")

Do = Callable[..., Said]
"""Runs a command as somebody: here, or by the API."""


def asked(do: Do, what: str = "prod-write", *more: str, by: str = "ana") -> str:
    because = ("--for", "30m", "--because", "testing", "--json")
    name: str = do("request", what, *because, *more, by=by).json["id"]
    return name


def granted(do: Do) -> str:
    name = asked(do)
    assert do("approve", name, by="ben").code == ExitCode.OK
    return name


def of_asking(do: Do) -> Iterator[Said]:
    because = ("--for", "30m", "--because", "testing")
    for way in ((), ("--json",)):
        yield do("request", "dev-read", *because, *way, by="ana")
        yield do("request", "prod-write", *because, "--ticket", "OPS-1", *way, by="ana")
        yield do("request", "prod-write", "--for", "9h", "--because", "all day", *way, by="ana")
        yield do("request", "dev-read", "prod-role", *because, *way, by="ana")
        yield do("request", "prod-write", *because, "--start", "2026-12-01T11:00:00Z", by="ana")
    yield do("request", "nothing-such", *because, by="ana")
    yield do("request", "dev-read", "--for", "3 dys", "--because", "x", by="ana")
    yield do("request", "dev-read", *because, "--start", "2026-12-01T09:00:00", by="ana")
    yield do("request", "dev-read", "--for", "30m", "--because", " ", by="ben")


def of_deciding(do: Do) -> Iterator[Said]:
    name = asked(do, "prod-role")
    yield do("list", "--waiting", by="ben")
    yield do("list", "--waiting", "--json", by="ben")
    yield do("approve", name, by="ana")
    yield do("approve", name, "--because", "fine", by="ben")
    yield do("show", name, by="ana")
    yield do("approve", name, "--json", by="caro")
    yield do("show", name, by="ana")
    yield do("show", name, "--json", by="ben")
    denied = asked(do)
    yield do("deny", denied, "--because", "not today", by="ben")
    yield do("show", denied, by="ana")
    yield do("withdraw", asked(do), by="ana")
    yield do("withdraw", asked(do), "--because", "never mind", "--json", by="ana")
    yield do("revoke", name, "--because", "enough", by="caro")
    yield do("revoke", granted(do), "--because", "enough", "--json", by="ben")
    yield do("attest", granted(do), "--because", "the account is closed", by="caro")


def of_using(do: Do) -> Iterator[Said]:
    name = granted(do)
    yield do("credentials", name, by="ana")
    yield do("credentials", name, by="ana")  # what is kept
    yield do("credentials", name, "--json", by="ana")
    yield do("credentials", name, "--format", "env", by="ana")
    yield do("env", name, by="ana")
    yield do("env", name, "--json", by="ana")
    yield do("exec", name, "--", "/bin/sh", "-c", "exit 7", by="ana")
    yield do("extend", name, "--for", "30m", "--because", "not done yet", by="ana")
    yield do("exec", "--give-back", name, "--", "/bin/true", by="ana")
    yield do("show", name, by="ana")
    yield do("credentials", name, by="ana")
    yield do("give-back", granted(do), "--json", by="ana")
    yield do("give-back", granted(do), "--because", "done", by="ana")
    yield do("credentials", granted(do), by="ben")


def of_broken_glass(do: Do) -> Iterator[Said]:
    broken = ("prod-write", "--break-glass", "--incident", "INC-9")
    name = asked(do, *broken)
    yield do("list", "--to-review", by="ben")
    yield do("list", "--to-review", "--json", by="ben")
    yield do("list", "--unreviewed", by="caro")
    yield do("review", name, "--because", "looked through it", "--wrong", by="ben")
    yield do("show", name, by="ana")
    yield do("review", name, "--because", "mine", by="ana")
    yield do("request", *broken, "--for", "30m", "--because", "down", by="ana")


def of_looking(do: Do) -> Iterator[Said]:
    yield do("catalog", by="ana")
    yield do("catalog", "--json", "--for", "30m", by="ana")
    yield do("catalog", "prod-role", by="ana")
    yield do("catalog", "prod-role", "--for", "2h", by="ana")
    yield do("catalog", "dev-read", "--json", by="ana")
    yield do("catalog", "nothing-such", by="ana")
    name = granted(do)
    yield do("list", by="ana")
    yield do("list", "--state", "active", "--json", by="ben")
    yield do("list", "--state", "no-such", by="ben")
    yield do("list", "--limit", "0", by="ben")
    yield do("show", "01JD8Z6N3V5E6X7Y8Z9ABCDEF!", by="ben")
    yield do("show", name, by="ben")


def of_brakes(do: Do) -> Iterator[Said]:
    granted(do)
    yield do("brake", "stop", "--person", "ana@example.com", "--because", "who is it", by="ben")
    yield do("brake", "show", by="ana")
    yield do("brake", "show", "--json", by="ana")
    name = asked(do)
    yield do("approve", name, by="ben")
    yield do("show", name, by="ana")
    yield do("brake", "end", "--person", "ana", "--because", "enough", "--json", by="caro")
    yield do("brake", "end", "--everything", "--because", "enough", by="caro")
    yield do("brake", "resume", "--person", "ana", "--because", "well known", by="ben")
    yield do("brake", "stop", "--everything", "--because", "mine", by="ana")
    yield do("brake", "stop", "--because", "mine", by="ben")
    yield do("brake", "stop", "--cloud", "aws", "--because", "a leak", "--json", by="ben")
    yield do("brake", "resume", "--cloud", "aws", "--because", "none", "--json", by="ben")


@pytest.fixture
def beside(world: RemoteWorld, tmp_path: Path) -> CliWorld:
    """The same deployment once more, to be used on its own machine."""
    (tmp_path / "beside").mkdir()
    made = CliWorld(tmp_path / "beside", world.capsys, world.monkeypatch)
    furnish(made)
    return made


STORIES = (of_asking, of_deciding, of_using, of_broken_glass, of_looking, of_brakes)


@pytest.mark.parametrize("story", STORIES, ids=[each.__name__ for each in STORIES])
def test_a_story_by_the_api_says_what_it_says_here(
    story: Callable[[Do], Iterator[Said]], world: RemoteWorld, beside: CliWorld
) -> None:
    here, there = list(story(beside.jit)), list(story(world.there))
    assert [_alike(each) for each in there] == [_alike(each) for each in here]


def _alike(said: Said) -> Said:
    """What a command said, with requests named by the order in which it named them."""
    names: dict[str, str] = {}

    def name(found: re.Match[str]) -> str:
        return names.setdefault(found[0], f"request {len(names)}")

    return replace(said, out=ID.sub(name, said.out), err=ID.sub(name, said.err))
