from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jitcloud.adapters import freezes_of
from jitcloud.errors import Misconfigured
from jitcloud.freezes import MOST, Freeze, Freezes
from jitcloud.model import Window
from jitcloud.settings import read_settings
from tests.docs.pages import blocks
from tests.factories import an_entitlement

ENTRY = """\
[[freeze]]
name = "Year-end close"
begins = 2026-12-20T18:00:00
ends = 2027-01-04T06:00:00
zone = "Europe/Berlin"
environments = ["prod"]
"""

PROD = replace(an_entitlement("orders"), environment="prod")
DEV = replace(an_entitlement("sandbox"), environment="dev")
TICK = timedelta(microseconds=1)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def window(start: str, deadline: str) -> Window:
    return Window(start=at(start), deadline=at(deadline))


def freezes(folder: Path, text: str) -> Freezes:
    (folder / "jitcloud.toml").write_text(text)
    return freezes_of(read_settings(folder / "jitcloud.toml"))


# ── When a freeze is on ──────────────────────────────────────────────────────────────────────

YEAR_END = Freeze(
    name="Year-end close",
    begins=at("2026-12-20T17:00:00Z"),
    ends=at("2027-01-04T05:00:00Z"),
    environments=("prod", "stage"),
)

WINDOWS = {
    "long before": ("2026-12-01T09:00:00Z", "2026-12-01T17:00:00Z", False),
    "up to its beginning": ("2026-12-20T09:00:00Z", "2026-12-20T17:00:00Z", False),
    "a microsecond into it": ("2026-12-20T09:00:00Z", "2026-12-20T17:00:00.000001Z", True),
    "into it": ("2026-12-20T16:59:59Z", "2026-12-21T00:59:59Z", True),
    "from its beginning": ("2026-12-20T17:00:00Z", "2026-12-20T17:00:01Z", True),
    "within it": ("2026-12-24T09:00:00Z", "2026-12-24T10:00:00Z", True),
    "all around it": ("2026-12-15T09:00:00Z", "2027-01-14T09:00:00Z", True),
    "its last microsecond": ("2027-01-04T04:59:59.999999Z", "2027-01-04T09:00:00Z", True),
    "from its end": ("2027-01-04T05:00:00Z", "2027-01-04T09:00:00Z", False),
    "long after": ("2027-02-04T05:00:00Z", "2027-02-04T09:00:00Z", False),
}


@pytest.mark.parametrize(("start", "deadline", "on"), WINDOWS.values(), ids=WINDOWS)
def test_a_freeze_is_on_if_any_instant_of_the_window_is_in_it(
    start: str, deadline: str, *, on: bool
) -> None:
    name = Freezes((YEAR_END,)).during(PROD, window(start, deadline))
    assert name == ("Year-end close" if on else "")


MOMENTS = st.integers(0, 12).map(lambda count: at("2026-12-20T17:00:00Z") + count * TICK)


@given(st.tuples(MOMENTS, MOMENTS), st.tuples(MOMENTS, MOMENTS))
def test_on_means_an_instant_in_common(
    one: tuple[datetime, datetime], other: tuple[datetime, datetime]
) -> None:
    (begins, ends), (start, deadline) = sorted(one), sorted(other)
    if begins == ends or start == deadline:
        return
    each = Freeze(name="one", begins=begins, ends=ends)
    instants = (begins + count * TICK for count in range((ends - begins) // TICK))
    found = Freezes((each,)).during(PROD, Window(start=start, deadline=deadline))
    assert bool(found) == any(start <= moment < deadline for moment in instants)


def test_a_freeze_is_on_in_its_environments_alone() -> None:
    within = window("2026-12-24T09:00:00Z", "2026-12-24T10:00:00Z")
    assert Freezes((YEAR_END,)).during(PROD, within) == "Year-end close"
    assert Freezes((YEAR_END,)).during(replace(PROD, environment="stage"), within)
    assert Freezes((YEAR_END,)).during(DEV, within) == ""
    everywhere = replace(YEAR_END, environments=())
    assert Freezes((everywhere,)).during(DEV, within) == "Year-end close"


def test_of_several_freezes_the_one_that_begins_first_is_named() -> None:
    within = window("2026-12-24T09:00:00Z", "2026-12-24T10:00:00Z")
    later = replace(YEAR_END, name="Christmas", begins=at("2026-12-24T00:00:00Z"))
    over = replace(YEAR_END, name="November", begins=at("2026-11-01T00:00:00Z"))
    over = replace(over, ends=at("2026-12-01T00:00:00Z"))
    elsewhere = replace(over, ends=YEAR_END.ends, environments=("dev",))
    for order in ((later, over, elsewhere, YEAR_END), (YEAR_END, elsewhere, over, later)):
        assert Freezes(order).during(PROD, within) == "Year-end close"
    twin = replace(YEAR_END, name="Its twin")
    assert Freezes((later, twin, YEAR_END)).during(PROD, within) == "Its twin"


def test_without_freezes_none_is_on() -> None:
    assert Freezes().during(PROD, window("2026-12-24T09:00:00Z", "2026-12-24T10:00:00Z")) == ""


# ── Reading them ─────────────────────────────────────────────────────────────────────────────


def test_times_are_local_to_the_zone(tmp_path: Path) -> None:
    found = freezes(tmp_path, ENTRY)
    assert found == Freezes((replace(YEAR_END, environments=("prod",)),))
    assert {each.begins.tzinfo for each in found.freezes} == {UTC}


def test_the_calendar_of_the_page_on_operations_is_one(tmp_path: Path) -> None:
    (page,) = (each.text for each in blocks("docs/operations.md") if "[[freeze]]" in each.text)
    assert freezes(tmp_path, page) == freezes(tmp_path, ENTRY)


def test_times_with_an_offset_are_instants_and_need_no_zone(tmp_path: Path) -> None:
    text = ENTRY.replace("18:00:00", "18:00:00-08:00").replace("06:00:00", "06:00:00Z")
    (with_zone,) = freezes(tmp_path, text).freezes
    (without,) = freezes(tmp_path, text.replace('zone = "Europe/Berlin"\n', "")).freezes
    assert with_zone == without
    assert with_zone.begins == at("2026-12-21T02:00:00Z")
    assert with_zone.ends == at("2027-01-04T06:00:00Z")


def test_a_freeze_that_names_no_environment_is_on_everywhere(tmp_path: Path) -> None:
    (found,) = freezes(tmp_path, ENTRY.replace('environments = ["prod"]\n', "")).freezes
    assert found.environments == ()


def test_freezes_keep_the_order_of_the_file(tmp_path: Path) -> None:
    names = ["zulu", "alfa", "mike"]
    text = "".join(ENTRY.replace("Year-end close", name) for name in names)
    assert [each.name for each in freezes(tmp_path, text).freezes] == names


def test_without_a_calendar_nothing_is_frozen(tmp_path: Path) -> None:
    assert freezes(tmp_path, "") == Freezes()
    assert freezes(tmp_path, "freeze = []") == Freezes()


@pytest.mark.parametrize("day", ["0001-01-01T00:00:00", "2026-12-24T09:00:00", "9999-12-30T00:00"])
def test_a_freeze_under_policy_is_on_everywhere_and_without_end(tmp_path: Path, day: str) -> None:
    lasting = freezes(tmp_path, f"[policy]\nfreeze = true\n{ENTRY}")
    some_day = window(f"{day}+00:00", "9999-12-31T00:00:00Z")
    assert lasting.during(PROD, some_day) == lasting.during(DEV, some_day) == "a change freeze"
    assert len(lasting.freezes) == 2


WRONG = {
    "a missing name": ('name = "Year-end close"\n', "", "name is missing; add it."),
    "an empty name": ("Year-end close", "", "name: The name is empty; write at least one word."),
    "a name of two lines": ("Year-end close", "a\\nb", "name: The name contains U+000A"),
    "a long name": ("Year-end close", "x" * 201, "name: The name has 201 characters"),
    "a missing end": ("ends = 2027-01-04T06:00:00\n", "", "ends is missing; add it."),
    "a misspelt key": ("environments", "enviroments", 'no key "enviroments"; use one of name'),
    "a day alone": ("2026-12-20T18:00:00", "2026-12-20", "begins: write a date and a time"),
    "a time alone": ("2026-12-20T18:00:00", "18:00:00", "begins: write a date and a time"),
    "a time in quotes": (
        "2027-01-04T06:00:00", '"2027-01-04T06:00:00"', "ends: write a date and a time without",
    ),
    "over before": (
        "2027-01-04T06", "2026-12-20T17", "ends: this is not after the beginning; write when",
    ),
    "over at once": ("2027-01-04T06:00:00", "2026-12-20T18:00:00", "ends: this is not after"),
    "over at once, elsewhere": (
        "2027-01-04T06:00:00", "2026-12-20T17:00:00Z", "ends: this is not after the beginning",
    ),
    "no zone": ('zone = "Europe/Berlin"\n', "", "begins: by the clocks of which place? Add a zone"),
    "an unknown zone": ("Europe/Berlin", "Europe/Berln", 'Did you mean "Europe/Berlin"'),
    "a time that clocks skip": (
        "2027-01-04T06:00:00", "2027-03-28T02:30:00",
        "ends: 2027-03-28T02:30:00 does not exist in Europe/Berlin, where clocks go from",
    ),
    "a time that comes twice": (
        "2026-12-20T18:00:00", "2026-10-25T02:30:00",
        "offset: 2026-10-25T02:30:00+02:00 or 2026-10-25T02:30:00+01:00.",
    ),
    "a time that no year has": ("2026-12-20T18", "0001-01-01T00", "begins: 0001-01-01T00:00:00 is"),
    "no list": ('["prod"]', '"prod"', "environments: this should be a valid list."),
    "an empty list": ('["prod"]', "[]", "environments: name at least one, or leave the key out"),
    "a number in the list": ('["prod"]', "[1]", "environments.0: this should be a valid string."),
}  # fmt: skip


@pytest.mark.parametrize(("old", "new", "said"), WRONG.values(), ids=WRONG)
def test_a_mistake_is_told_with_file_freeze_and_key(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert old in ENTRY
    with pytest.raises(Misconfigured) as caught:
        freezes(tmp_path, ENTRY + ENTRY.replace(old, new))
    assert said in str(caught.value)
    for line in str(caught.value).splitlines():
        assert line.startswith("jitcloud.toml: freeze ")
        assert line.isprintable()


def test_all_mistakes_are_told_at_once_and_a_wrong_zone_once(tmp_path: Path) -> None:
    lost = ENTRY.replace("Berlin", "Berln").replace("2027", "2025")
    nameless = (
        ENTRY.replace("18:00:00", "18:00:00Z").replace("2027", "2025").replace("name", "nmae")
    )
    with pytest.raises(Misconfigured) as caught:
        freezes(tmp_path, lost + nameless)
    told = [line.split(": ")[1:3] for line in str(caught.value).splitlines()]
    assert told[0] == ['freeze "Year-end close"', "zone"]
    assert told[1:3] == [
        ["freeze number 2", "name is missing; add it."],
        ["freeze number 2", "ends"],
    ]
    assert told[3][1].startswith('there is no key "nmae"; use one of name, zone, begins, ends, env')
    assert len(told) == 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("freeze = true", "freeze: begin each freeze with the line [[freeze]]; one without an end"),
        ("[freeze]\nname = 'x'", "freeze: begin each freeze with the line [[freeze]]"),
        ("freeze = [true]", "freeze number 1: the table: this should be a table of keys and"),
    ],
)
def test_what_is_no_calendar_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        freezes(tmp_path, text)
    assert str(caught.value).startswith(f"jitcloud.toml: {said}")


def test_there_may_be_a_thousand_freezes_and_no_more(tmp_path: Path) -> None:
    assert len(freezes(tmp_path, ENTRY * MOST).freezes) == MOST
    with pytest.raises(Misconfigured, match="there are 1,001 of them, and 1,000 at most are read"):
        freezes(tmp_path, ENTRY * (MOST + 1))


def test_a_mistake_in_the_calendar_keeps_no_setting_from_being_read(tmp_path: Path) -> None:
    # What ends access reads the settings, and nothing of the calendar.
    (tmp_path / "jitcloud.toml").write_text(
        f"[patience]\ndecision = '2h'\n{ENTRY * 2000}[[freeze]]\n"
    )
    settings = read_settings(tmp_path / "jitcloud.toml")
    assert settings.patience.decision == timedelta(hours=2)
    with pytest.raises(Misconfigured):
        freezes_of(settings)


# ── Environments ─────────────────────────────────────────────────────────────────────────────


def test_an_environment_that_the_catalog_lacks_is_told_with_the_nearest(tmp_path: Path) -> None:
    found = freezes(tmp_path, ENTRY.replace('["prod"]', '["prod", "prdo", "\\u001b"]') + ENTRY)
    assert list(found.unknown_environments(["dev", "prod", "dev"])) == [
        (
            'freeze "Year-end close": environments: the catalog has no environment "prdo", so'
            ' nothing there is frozen; correct it or take it out. Did you mean "prod"?'
        ),
        (
            'freeze "Year-end close": environments: the catalog has no environment "\\x1b", so'
            " nothing there is frozen; correct it or take it out."
        ),
    ]
    assert list(freezes(tmp_path, ENTRY).unknown_environments(["prod"])) == []
