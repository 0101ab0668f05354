"""Where the catalog says so, a yes counts only with a token that was asked for to say it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import rfc8785

from jitcloud import binding, codec
from jitcloud.catalog import Catalog
from jitcloud.errors import Misconfigured, Refused
from jitcloud.model import Digest, Request, State
from tests.unit.test_codec_records import OLD_REQUEST
from tests.world import CATALOG, World, caller

BOUND = CATALOG.replace('id = "prod-write"', 'id = "prod-write"\nbound_votes = true')


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, catalog_text=BOUND)


def say_yes(world: World, request: Request, bound_to: Digest | None, voter: str = "ben") -> Request:
    speaker = replace(caller(voter), bound_to=bound_to)
    return world.broker.approve(speaker, request.id, world.time())


# ── What is bound ────────────────────────────────────────────────────────────────────────────


def test_the_digest_is_that_of_what_an_api_shows(world: World) -> None:
    request = world.ask(what="prod-write")
    shown = json.loads(codec.encode_request(request))
    what = {"jitcloud": "approve", "request": shown["id"], "ask": shown["ask"]}
    computed = hashlib.sha256(rfc8785.dumps(what)).hexdigest()
    assert binding.digest(shown["id"], shown["ask"]) == computed
    assert binding.bound_digest(request) == computed
    assert binding.plain(request.ask) == shown["ask"]


def test_it_is_another_for_whatever_else_is_approved(world: World) -> None:
    request = world.ask(what="prod-write")
    ask = request.ask
    others = [
        replace(request, id=world.ask(what="prod-write").id),
        replace(request, ask=replace(ask, duration=ask.duration + timedelta(seconds=1))),
        replace(request, ask=replace(ask, justification=ask.justification + " ")),
        replace(request, ask=replace(ask, entitlement=replace(ask.entitlement, target={}))),
        replace(request, ask=replace(ask, person=world.ask("ben").person)),
    ]
    digests = {binding.bound_digest(each) for each in (request, *others)}
    assert len(digests) == 1 + len(others)
    assert binding.bound_digest(world.now(request)) == binding.bound_digest(request)


@pytest.mark.parametrize(
    "nonce",
    [None, "", "n-0S6_WzA2Mj", "A" * 64, "0" * 63, "0" * 65, "0" * 64 + "\n", 7, ["0" * 64]],
)
def test_only_a_digest_binds(nonce: object) -> None:
    assert binding.digest_in(nonce) is None
    assert binding.digest_in("09af" * 16) == "09af" * 16


# ── Votes ────────────────────────────────────────────────────────────────────────────────────


def test_a_yes_bound_to_the_very_request_counts(world: World) -> None:
    request = world.ask(what="prod-write")
    assert say_yes(world, request, binding.bound_digest(request)).state is State.SCHEDULED
    world.verify_all()


@pytest.mark.parametrize("bound_to", ["nothing", "another request", "a made-up digest"])
def test_any_other_yes_is_refused_and_leaves_no_trace(world: World, bound_to: str) -> None:
    request, other = world.ask(what="prod-write"), world.ask(what="prod-write", minutes=20)
    digests = {
        "nothing": None,
        "another request": binding.bound_digest(other),
        "a made-up digest": Digest("0" * 64),
    }
    before = world.store.events(request.id)
    with pytest.raises(Refused, match=r"prod-write counts only with a sign-in for this very vote"):
        say_yes(world, request, digests[bound_to])
    assert world.store.events(request.id) == before


def test_who_may_not_vote_is_told_that_and_not_to_sign_in(world: World) -> None:
    request = world.ask(what="prod-write")
    with pytest.raises(Refused) as caught:
        say_yes(world, request, None, voter="ana")
    assert "sign-in" not in str(caught.value)


def test_a_no_needs_no_binding(world: World) -> None:
    request = world.ask(what="prod-write")
    denied = world.broker.deny(caller("ben"), request.id, world.time(), "not now")
    assert denied.state is State.DENIED


def test_elsewhere_a_yes_needs_none_and_may_have_any(world: World) -> None:
    request = world.ask(what="prod-admin")
    say_yes(world, request, None)
    assert say_yes(world, request, Digest("0" * 64), "caro").state is State.SCHEDULED


def test_an_extension_is_bound_by_itself(world: World) -> None:
    request = world.ask(what="prod-write")
    say_yes(world, request, binding.bound_digest(request))
    world.sweep()
    longer = world.extend(request, minutes=30)
    with pytest.raises(Refused, match="this very vote"):
        say_yes(world, longer, binding.bound_digest(request))
    assert say_yes(world, longer, binding.bound_digest(longer)).votes


# ── The catalog, and what was recorded before there was such a thing ─────────────────────────


def test_the_catalog_says_which_votes_are_bound(world: World) -> None:
    catalog = Catalog.load(world.folder / "catalog.toml")
    assert [each.id for each in catalog if each.bound_votes] == ["prod-write"]


@pytest.mark.parametrize("value", ["1", '"yes"'])
def test_it_says_so_by_true_or_false(tmp_path: Path, value: str) -> None:
    path = tmp_path / "catalog.toml"
    path.write_text(BOUND.replace("bound_votes = true", f"bound_votes = {value}"))
    with pytest.raises(Misconfigured, match="bound_votes: this should be a valid boolean"):
        Catalog.load(path)


def test_a_request_of_before_is_not_bound() -> None:
    assert not codec.decode_request(OLD_REQUEST).entitlement.bound_votes
