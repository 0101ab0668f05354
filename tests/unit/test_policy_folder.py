"""A folder of rules: what it says now counts, and what it said before it broke does not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jitcloud.errors import Misconfigured
from jitcloud.policy import Policy
from jitcloud.policy.folder import READS, PolicyFolder
from tests.drawn_policies import HERE

OPEN = '@id("open") permit (principal, action == Action::"activate", resource);'
NEVER = '@id("never") @because("No.") forbid (principal, action in Action::"access", resource);'


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.cedar").write_text(OPEN)
    return tmp_path


def of(folder: Path) -> PolicyFolder:
    return PolicyFolder(folder, tuple(HERE.catalog), HERE.directory)


def ids(policy: Policy) -> set[str]:
    return {"open", "never"}.intersection(rule.id for rule in policy.rules)


def test_a_folder_is_read_once_until_it_changes(folder: Path) -> None:
    policy = of(folder)
    first = policy()
    assert ids(first) == {"open"}
    assert policy() is first


def test_a_rule_that_is_added_or_taken_away_counts_at_once(folder: Path) -> None:
    policy = of(folder)
    policy()
    (folder / "b.cedar").write_text(NEVER)
    assert ids(policy()) == {"open", "never"}
    (folder / "a.cedar").unlink()
    assert ids(policy()) == {"never"}


def test_an_edit_counts_that_leaves_size_and_time_as_they_were(folder: Path) -> None:
    policy, path = of(folder), folder / "a.cedar"
    policy()
    before = path.stat()
    path.write_text(OPEN.replace('"open"', '"shut"'))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    assert "shut" in {rule.id for rule in policy().rules}


def test_a_folder_that_breaks_is_not_answered_for_by_what_it_was(folder: Path) -> None:
    policy = of(folder)
    policy()
    (folder / "a.cedar").write_text("permit (")
    with pytest.raises(Misconfigured, match=r"a\.cedar:1: this is not Cedar"):
        policy()
    (folder / "a.cedar").write_text(OPEN)
    assert ids(policy()) == {"open"}
    (folder / "a.cedar").unlink()
    folder.rmdir()
    with pytest.raises(Misconfigured, match="is not a policy folder that can be read"):
        policy()


@pytest.mark.parametrize("changes", [READS - 1, READS])
def test_what_changes_while_it_is_read_is_read_again_and_not_for_ever(
    folder: Path, monkeypatch: pytest.MonkeyPatch, changes: int
) -> None:
    left = list(range(changes))
    load = Policy.load

    def edited(path: Path, **more: object) -> Policy:
        """Load it, and have somebody write to the folder meanwhile."""
        found = load(path, **more)  # type: ignore[arg-type] # as it was called
        if left:
            (folder / f"{left.pop()}.cedar").write_text("// nothing yet\n")
        return found

    monkeypatch.setattr(Policy, "load", edited)
    if changes < READS:
        assert ids(of(folder)()) == {"open"}
    else:
        with pytest.raises(Misconfigured, match="changes while it is read"):
            of(folder)()
    assert not left
