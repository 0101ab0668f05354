"""Who may see another person's request, and what everybody else learns of it: nothing."""

from __future__ import annotations

from datetime import timedelta

import pytest

from jitcloud.model import State
from tests.api.api_world import ApiWorld, wish
from tests.cli_world import POLICY

NOBODYS = "01JD8Z6N3V5E6X7Y8Z9ABCDEFG"

OTHERS = """
@id("dora-may-end")
permit (principal in Group::"security", action == Action::"end", resource);
"""

ESCALATING = """
@id("slow")
@approval("1 of resource.owner")
@escalate("after 1h to security")
permit (principal in Group::"developers", action == Action::"request", resource)
when { context.duration <= duration("1h") };
"""


def seen(api: ApiWorld, name: str, by: str) -> bool:
    """Whether somebody is shown a request, in every way in which one can be."""
    found = {api.get(f"/v1/requests/{name}{more}", by).status for more in ("", "/trail")}
    assert found in ({200}, {404})
    return found == {200}


def test_who_asked_and_who_owns_what_was_asked_for_see_it(api: ApiWorld) -> None:
    name = api.ask("dev-read")
    assert [by for by in ("ana", "ben", "caro", "dora") if seen(api, name, by)] == [
        "ana",
        "ben",
        "caro",
    ]


def test_who_owns_what_was_asked_for_sees_it_though_they_may_do_nothing(api: ApiWorld) -> None:
    api.world.policy_text = POLICY  # without any brake
    api.put_together()
    name = api.ask("dev-read")
    assert [by for by in ("ben", "caro", "dora") if seen(api, name, by)] == ["ben", "caro"]


def test_a_fellow_developer_sees_nothing_of_it(api: ApiWorld) -> None:
    name = api.ask("prod-write", by="ben")
    assert not seen(api, name, "ana")
    assert seen(api, name, "caro")


def test_whoever_may_end_it_sees_it(api: ApiWorld) -> None:
    name = api.ask("dev-read")
    assert not seen(api, name, "dora")
    api.world.policy_text = POLICY + OTHERS
    api.put_together()
    assert seen(api, name, "dora")


def test_whoever_joins_by_waiting_sees_it_from_the_beginning(api: ApiWorld) -> None:
    api.world.policy_text = ESCALATING
    api.put_together()
    name = api.ask("prod-write", duration="1h")
    assert seen(api, name, "dora")


def test_whoever_voted_sees_it_though_they_are_asked_no_longer(api: ApiWorld) -> None:
    api.world.policy_text = ESCALATING
    api.put_together()
    name = api.ask("prod-write", duration="1h")
    api.world.time.forward(hours=1)
    assert api.post(f"/v1/requests/{name}/approve", None, "dora").status == 200
    people = api.world.people_text
    api.world.people_text = people.replace('[groups.security]\nmembers = ["dora"]', "")
    api.world.people_text += '\n[groups.security]\nmembers = ["ben"]\n'
    api.put_together()
    assert seen(api, name, "dora")


@pytest.mark.parametrize("verb", ["approve", "deny", "review", "attest"])
def test_whoever_may_not_and_has_nothing_to_do_with_it_learns_nothing(
    api: ApiWorld, verb: str
) -> None:
    name = api.ask("prod-write")
    said = {"note": "x"} if verb == "review" else {"reason": "x"}
    there, nowhere = (
        api.post(f"/v1/requests/{each}/{verb}", said, "dora") for each in (name, NOBODYS)
    )
    assert there.status == nowhere.status == 404
    assert there.text.replace(name, NOBODYS) == nowhere.text
    assert api.now(name).state is State.PENDING


@pytest.mark.parametrize(
    ("verb", "said"),
    [
        ("withdraw", {}),
        ("give-back", {}),
        ("extend", {"duration": "30m", "justification": "x"}),
        ("credentials", None),
    ],
)
def test_what_only_its_requester_may_do_tells_strangers_nothing(
    api: ApiWorld, verb: str, said: object
) -> None:
    name = api.ask("dev-read")
    there, nowhere = (
        api.post(f"/v1/requests/{each}/{verb}", said, "dora") for each in (name, NOBODYS)
    )
    assert there.status == nowhere.status == 404
    assert there.text.replace(name, NOBODYS) == nowhere.text
    # Who may see it is told why not.
    assert "only the person who asked" in api.post(f"/v1/requests/{name}/{verb}", said, "ben").text


def test_anybody_may_revoke_and_is_told_no_more_than_they_may_see(api: ApiWorld) -> None:
    name = api.ask("dev-read")
    done = api.post(f"/v1/requests/{name}/revoke", {"reason": "a leak"}, "dora")
    assert (done.status, done.json) == (200, {"id": name, "state": "ended"})
    again = api.post(f"/v1/requests/{name}/revoke", {"reason": "a leak"}, "ben")
    assert again.json["cause"] == "revoked"


def test_everybodys_requests_are_listed_as_far_as_they_may_be_seen(api: ApiWorld) -> None:
    api.world.policy_text = POLICY + OTHERS
    api.put_together()
    mine, others = api.ask("prod-write"), api.ask("prod-write", by="ben")
    listed = {
        by: [
            each["id"]
            for each in api.get("/v1/requests", by, of="everybody", state="pending").json[
                "requests"
            ]
        ]
        for by in ("ana", "caro", "dora")
    }
    both = sorted((mine, others), reverse=True)
    assert listed == {"ana": [mine], "caro": both, "dora": both}
    assert api.get("/v1/requests", "caro", of="everybody").status == 400


def test_a_page_that_hides_most_still_leads_to_the_next(api: ApiWorld) -> None:
    first = api.ask("prod-write")
    for _ in range(12):
        api.ask("prod-write", by="ben")
    found: list[str] = []
    after: dict[str, str] = {}
    for _ in range(20):
        page = api.get("/v1/requests", of="everybody", state="pending", limit=1, **after).json
        found += [each["id"] for each in page["requests"]]
        if page["next"] is None:
            break
        after = {"after": page["next"]}
    assert found == [first]


def test_the_disabled_see_nothing_of_others(api: ApiWorld) -> None:
    name = api.ask("dev-read")
    assert api.get(f"/v1/requests/{name}", "emil").status == 403


def test_nothing_in_a_body_or_a_query_names_who_speaks(api: ApiWorld) -> None:
    for name in ("person", "actor", "caller", "on_behalf_of"):
        assert api.post("/v1/requests", wish(**{name: "ben"})).status == 422
        assert api.get("/v1/me", "ana", **{name: "ben"}).status == 422
    told = {"x-forwarded-user": "ben", "x-jitcloud-person": "ben", "cookie": "person=ben"}
    assert api.call("GET", "/v1/me", headers=told).json["id"] == "ana"


def test_the_age_of_a_sign_in_is_that_of_the_token(api: ApiWorld) -> None:
    api.table.signed_in_at = api.world.time() - timedelta(hours=5)
    name = api.ask("dev-read")
    assert api.now(name).ask.mfa_age == timedelta(hours=5)
