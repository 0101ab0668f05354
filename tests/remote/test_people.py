"""Signing in, being somebody, and saying a yes that is bound to one request."""

from __future__ import annotations

import re

import pytest

from jitcloud.cli import browsing
from jitcloud.cli.exits import ExitCode
from jitcloud.model import State
from tests.remote.remote_world import RemoteWorld


def signed_in(world: RemoteWorld, who: str) -> None:
    world.issuer.browser = who
    assert world.at_home("login", "--browser", by=who).code == ExitCode.OK


def test_signing_in_by_a_browser_lets_commands_work_until_one_signs_out(
    world: RemoteWorld,
) -> None:
    before = world.at_home("list")
    assert before.code == ExitCode.UNAUTHENTICATED
    assert "You are not signed in; use jitcloud login" in before.err
    world.issuer.browser = "ana"
    said = world.at_home("login", "--browser")
    assert said.code == ExitCode.OK
    assert "you:         Ana (ana)\n" in said.out
    assert "groups:      developers\n" in said.out
    assert world.at_home("whoami", "--json").json["id"] == "ana"
    assert world.at_home("list").code == ExitCode.OK
    left = world.at_home("logout", "--json")
    assert left.json == {"signed_out": True, "issuer_told": True}
    assert world.at_home("list").code == ExitCode.UNAUTHENTICATED


def test_signing_in_by_a_code_on_another_device(world: RemoteWorld) -> None:
    def enter(_: float) -> None:
        told = world.capsys.readouterr().err
        code = re.search(r"enter the code ([A-Z-]+)", told)
        if code is not None:
            world.issuer.approve(code[1], "ana")
        world.time.forward(seconds=5)

    world.sleep = enter
    said = world.at_home("login", "--code")
    assert said.code == ExitCode.OK
    assert "you:         Ana (ana)\n" in said.out


def test_where_no_browser_can_be_seen_it_is_a_code(
    world: RemoteWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSH_CONNECTION", "from elsewhere")
    assert not browsing.is_seen()
    monkeypatch.setattr("jitcloud.cli.sign_ins._show", _refuse)
    assert "by a code" in world.at_home("login").err
    assert world.browser.pages == []


def _refuse(_: object) -> None:
    from jitcloud.errors import Refused  # noqa: PLC0415 - for this alone

    raise Refused("Somebody was asked by a code.")


def test_a_token_that_has_expired_is_renewed_and_one_that_ended_elsewhere_is_not(
    world: RemoteWorld,
) -> None:
    signed_in(world, "ana")
    world.time.forward(hours=2)
    assert world.at_home("list").code == ExitCode.OK
    world.issuer.remove("ana")
    world.time.forward(hours=2)
    said = world.at_home("list", "--json")
    assert said.code == ExitCode.UNAUTHENTICATED
    assert said.error["kind"] == "Unauthenticated"
    assert "jitcloud login" in said.error["message"]


def test_whoever_the_deployment_does_not_know_has_signed_in_in_vain(world: RemoteWorld) -> None:
    world.issuer.add("zoe")
    world.issuer.browser = "zoe"
    said = world.at_home("login", "--browser")
    assert said.code == ExitCode.UNAUTHENTICATED
    assert "by which the directory knows nobody" in said.err


def test_a_bound_yes_is_shown_signed_in_for_and_counted(world: RemoteWorld) -> None:
    name = world.asked_there("prod-bound")["id"]
    assert world.server is not None
    unbound = world.server.call(
        "POST",
        f"/v1/requests/{name}/approve",
        headers={"Authorization": f"Bearer {world.issuer.token('caro')}"},
    )
    signed_in(world, "ben")
    pages = len(world.browser.pages)
    said = world.at_home("approve", name, "--json", by="ben")
    assert said.code == ExitCode.OK
    assert said.json["state"] == State.ACTIVE
    assert len(world.browser.pages) == pages + 1
    shown = said.err
    assert f"request:     {name}\n" in shown
    assert "who:         ana\n" in shown
    assert "because:     testing\n" in shown
    assert "by:          memory.session in aws, which leads answers for\n" in shown
    # What the yes does not cover is only what the API says.
    assert not re.search(r"^(state|policy|ended by|leaves):", shown, re.MULTILINE)
    # Caro's token was asked for nothing special.
    assert unbound.status == 403
    assert [vote["by"] for vote in said.json["votes"]] == ["ben"]


def test_a_bound_yes_of_somebody_else_than_is_signed_in_does_not_count(
    world: RemoteWorld,
) -> None:
    name = world.asked_there("prod-bound")["id"]
    signed_in(world, "ben")
    world.issuer.browser = "caro"
    said = world.at_home("approve", name, by="ben")
    assert said.code == ExitCode.UNAUTHENTICATED
    assert world.state(name) is State.PENDING


def test_a_yes_that_need_not_be_bound_opens_no_page(world: RemoteWorld) -> None:
    name = world.asked_there("prod-write")["id"]
    assert world.there("approve", name, by="ben").code == ExitCode.OK
    assert world.browser.pages == []


def test_who_may_not_see_what_they_revoke_is_told_no_more_of_it(world: RemoteWorld) -> None:
    name = world.asked_there(by="ben")["id"]
    said = world.there("revoke", name, "--because", "not good", "--json", by="ana")
    assert said.json == {"id": name, "state": "ended"}
    shown = world.there("show", name, by="ana")
    assert shown.code == ExitCode.NOT_FOUND


def test_a_trail_is_told_with_what_can_be_checked_here(world: RemoteWorld) -> None:
    name = world.asked_there("prod-write")["id"]
    assert world.there("approve", name, by="ben").code == ExitCode.OK
    world.time.forward(seconds=1)
    longer = world.there("extend", name, "--for", "30m", "--because", "more", "--json").json
    here, there = world.jit("audit", "show", name), world.there("audit", "show", name)
    assert there.code == ExitCode.OK
    assert there.out == re.sub(r" holds\]", " was not checked here]", here.out)
    told = world.there("audit", "show", name, "--json").json
    assert (told["holds"], told["trouble"]) == (True, "")
    assert [each["request"] for each in told["extensions"]] == [longer["id"]]


def test_a_long_list_goes_on_where_the_page_before_says(world: RemoteWorld) -> None:
    names = [world.asked_there()["id"] for _ in range(3)]
    first = world.there("list", "--limit", "2", "--json").json
    second = world.there("list", "--limit", "2", "--after", first["after"], "--json").json
    found = [each["id"] for each in (*first["requests"], *second["requests"])]
    assert sorted(found) == sorted(names)
