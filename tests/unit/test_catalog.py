from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from jitcloud.catalog import Catalog
from jitcloud.errors import Misconfigured, NotFound
from jitcloud.model import Cloud, Entitlement, PersonId, Places, Plan, Privilege
from jitcloud.ports import Mechanisms

ENTRY = """\
[[entitlement]]
id = "prod-db"
title = "Read the production database"
cloud = "aws"
mechanism = "aws.sts-session"
privilege = "read"
environment = "prod"
owner = "Database owners"
labels = ["pii", "pci"]
zone = "Europe/Berlin"

[entitlement.target]
account = "123456789012"
role = { name = "reader", tags = ["a", "b"], boundary = true, hours = 2 }
"""

Load = Callable[..., Catalog]


@dataclass(frozen=True, slots=True)
class Choosy:
    """A mechanism that wants a role."""

    name: str = "aws.sts-session"
    wrong: tuple[str, ...] = field(default=())

    def check(self, entitlement: Entitlement) -> tuple[str, ...]:
        return self.wrong if "role" in entitlement.target else ("role is missing; add it.",)

    def plan(self, entitlement: Entitlement, duration: timedelta, now: datetime) -> Plan:
        raise NotImplementedError

    def places(self, entitlement: Entitlement, person: PersonId) -> Places:
        raise NotImplementedError


@pytest.fixture
def load(tmp_path: Path) -> Load:
    def load(text: str | bytes, mechanisms: Mechanisms | None = None) -> Catalog:
        path = tmp_path / "catalog.toml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return Catalog.load(path, mechanisms)

    return load


def test_an_entry_becomes_an_entitlement(load: Load) -> None:
    catalog = load(ENTRY)
    assert tuple(catalog) == (catalog.get("prod-db"),)
    found = catalog.get("prod-db")
    assert (found.cloud, found.privilege) == (Cloud.AWS, Privilege.READ)
    assert (found.environment, found.owner) == ("prod", "Database owners")
    assert (found.labels, found.zone) == (("pii", "pci"), "Europe/Berlin")
    assert found.target == {
        "account": "123456789012",
        "role": {"name": "reader", "tags": ["a", "b"], "boundary": True, "hours": 2},
    }


def test_labels_zone_and_target_may_be_left_out(load: Load) -> None:
    kept = ("[[", "id", "title", "cloud", "mechanism", "privilege", "environment", "owner")
    short = "\n".join(line for line in ENTRY.splitlines() if line.startswith(kept))
    found = load(short).get("prod-db")
    assert (found.labels, found.zone, found.target) == ((), "UTC", {})


def test_entitlements_keep_the_order_of_the_file(load: Load) -> None:
    names = ["zulu", "alfa", "mike"]
    catalog = load("\n".join(ENTRY.replace("prod-db", name) for name in names))
    assert [entitlement.id for entitlement in catalog] == names
    assert len(catalog) == 3


def test_what_is_not_there_is_not_found_but_the_nearest_is_named(load: Load) -> None:
    with pytest.raises(NotFound, match=r'no "prod-bd".* Did you mean "prod-db"\?'):
        load(ENTRY).get("prod-bd")
    with pytest.raises(NotFound) as caught:
        load(ENTRY).get("\x1b[2J")
    assert str(caught.value).isprintable()


WRONG = {
    "a missing key": ('title = "Read the production database"\n', "", "title is missing; add it"),
    "a misspelt key": ("owner =", "onwer =", 'no key "onwer".* Did you mean "owner"'),
    "an unknown cloud": ('"aws"', '"awz"', "cloud: this should be 'aws', 'azure' or 'gcp'"),
    "an unknown privilege": ('"read"', '"root"', "privilege: this should be 'read', 'write'"),
    "a number for text": ('"prod"', "7", "environment: this should be a valid string"),
    "text for a list": ('["pii", "pci"]', '"pii"', "labels: this should be a valid list"),
    "an id with capitals": ('"prod-db"', '"Prod"', 'id: "Prod" is not a name; use lower-case'),
    "an id with a quote": ('"prod-db"', "'a\"b'", "id: .* is not a name"),
    "an id too long": ('"prod-db"', f'"{"x" * 65}"', "id: .* at most 64"),
    "an empty id": ('"prod-db"', '""', 'number 1: id: "" is not a name'),
    "an id with a line end": ('"prod-db"', '"a\\n"', "id: .* is not a name"),
    "a label twice": ('"pci"', '"pii"', "labels: a label stands here twice"),
    "a label with a space": ('"pci"', '"p i"', 'labels.1: "p i" is not a name'),
    "an empty title": ('"Read the production database"', '" "', "title: The title is empty"),
    "a title that steers": ("the production", "\\u001b[2J", r"title: The title contains U\+001B"),
    "an unknown zone": ("Europe/Berlin", "Europe/Berln", 'zone: .* Did you mean "Europe/Berlin"'),
    "a zone outside": ("Europe/Berlin", "../../etc/passwd", "zone: .* is not an IANA time zone"),
    "a zone that is a folder": ("Europe/Berlin", "Europe", "zone: .* is not an IANA time zone"),
    "a date in a target": ('"123456789012"', "2030-01-01", "target: keep to text"),
    "a big number in a target": ('"123456789012"', str(2**60), "target: keep to text"),
    "not a number in a target": ('"123456789012"', "nan", "target: keep to text"),
}


@pytest.mark.parametrize(("old", "new", "said"), WRONG.values(), ids=WRONG.keys())
def test_a_mistake_is_told_with_file_entitlement_and_key(
    load: Load, old: str, new: str, said: str
) -> None:
    assert old in ENTRY
    with pytest.raises(Misconfigured, match=said) as caught:
        load(ENTRY.replace(old, new, 1))
    for line in str(caught.value).splitlines():
        assert line.startswith("catalog.toml: entitlement ")
        assert line.isprintable()


def test_all_mistakes_are_told_at_once(load: Load) -> None:
    with pytest.raises(Misconfigured) as caught:
        load(
            ENTRY.replace('"aws"', '"awz"').replace("zone", "zoen") + ENTRY.replace("id =", "di =")
        )
    assert len(str(caught.value).splitlines()) == 4


def test_two_entitlements_with_one_id_are_refused(load: Load) -> None:
    with pytest.raises(Misconfigured, match='entitlement "prod-db": id: another entitlement has'):
        load(ENTRY + ENTRY)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it lists nothing"),
        ("entitlement = 7", "it lists nothing"),
        ("entitlement = [7]", "number 1: the table: this should be a table of keys"),
        (ENTRY.replace("[[entitlement]]", "[[entitlements]]", 1), 'Did you mean "entitlement"'),
        (ENTRY + 'owner = "x"\nowner = "y"\n', r"not TOML.*line 16"),
        (ENTRY.encode() + b"# \xff\n", "line 15 is not UTF-8"),
        ("x = " + "[" * 100_000, "nested too deeply"),
        ("x = " + "9" * 5000, "too long"),
        ("#" * (1024 * 1024 + 1), "larger than 1048576 bytes"),
    ],
    ids=["empty", "number", "numbers", "plural", "twice", "bytes", "deep", "long", "large"],
)
def test_a_file_that_is_no_catalog_is_refused(load: Load, text: str | bytes, said: str) -> None:
    with pytest.raises(Misconfigured, match=said):
        load(text)


def test_a_file_that_is_not_there_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"catalog\.toml cannot be read \(No such file"):
        Catalog.load(tmp_path / "catalog.toml")


def test_the_mechanism_checks_its_target(load: Load) -> None:
    assert load(ENTRY, {"aws.sts-session": Choosy()})
    with pytest.raises(Misconfigured, match='"prod-db": target: role is missing; add it'):
        load(ENTRY.replace("role =", "rule ="), {"aws.sts-session": Choosy()})


def test_a_mechanism_that_is_not_known_is_refused_with_those_that_are(load: Load) -> None:
    with pytest.raises(Misconfigured, match=r"use one of aws\.sts-session\. Did you mean"):
        load(ENTRY.replace("sts-session", "sts-sesion"), {"aws.sts-session": Choosy()})


def test_policy_is_told_the_cloud_in_which_the_mechanism_grants(load: Load) -> None:
    with pytest.raises(Misconfigured, match=r"cloud: aws\.sts-session grants in aws"):
        load(ENTRY.replace('"aws"', '"gcp"'), {"aws.sts-session": Choosy()})
