"""Seeded bugs are as they say, and are caught: two of them here, all by `make mutants`."""

from __future__ import annotations

import ast
import importlib.util
from collections import Counter
from functools import cache
from pathlib import Path

import pytest

from tests.mutations import __main__ as program
from tests.mutations import mutants, patches, running, score
from tests.mutations.patches import PROMISES, ROOT, Hunk, Patch

QUICK = ("028-approval-counted-twice", "019-settle-ignored")
"""Two that the quickest tests catch: one in who must still say yes, one in what a place is."""

HEAD = """\
Bug: one is two
Harm: somebody gets
  twice as much
Promise: P13
Caught by: tests/unit/test_text.py
"""

DIFF = """
--- a/jitcloud/clock.py
+++ b/jitcloud/clock.py
@@ -1,2 +1,2 @@
 one
-two
+three
"""


@pytest.mark.parametrize("name", patches.names())
def test_a_bug_fits_the_code_as_it_is_and_names_tests_that_exist(name: str) -> None:
    patch = patches.read(name)
    texts = patches.applied(patch)
    assert all(text != path.read_text("utf-8") for path, text in texts.items())
    for test in patch.caught_by:
        path, *names = test.partition("[")[0].split("::")
        assert (ROOT / path).is_file(), test
        for each in names:
            assert each in _names_in(path), test


def test_every_promise_has_a_bug_that_breaks_it() -> None:
    found = Counter(patches.read(name).promise for name in patches.names())
    assert found.keys() == set(PROMISES)
    assert found.total() >= 45


def test_no_two_have_the_same_number() -> None:
    numbers = Counter(name[:3] for name in patches.names())
    assert set(numbers.values()) == {1}


def test_bugs_put_into_copies_are_caught_and_the_tree_stays_as_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    touched = {path: path.read_text("utf-8") for name in QUICK for path in _touched(name)}
    assert program.main([*QUICK, "--jobs", "1"]) == 0
    said = capsys.readouterr().out
    assert "2 of 2 caught" in said
    assert all(path.read_text("utf-8") == text for path, text in touched.items())


@pytest.mark.long  # two seconds, in which the two above are proven already
def test_what_its_tests_do_not_catch_survives(tmp_path: Path) -> None:
    harmless = Hunk(
        "jitcloud/clock.py",
        before="from __future__ import annotations\n",
        after="from __future__ import annotations  # or so\n",
    )
    patch = Patch("999-harmless", "b", "h", "P1", ("tests/unit/test_durations.py",), (harmless,))
    base = running.copy(tmp_path / "base")
    verdict = running.tried(base, patch, tmp_path)
    assert (verdict.trouble, verdict.caught_by) == ("SURVIVES", "")
    assert not (tmp_path / patch.name).exists()


@pytest.mark.parametrize(
    ("head", "diff", "why"),
    [
        (HEAD, "", "no diff"),
        (HEAD.replace("P13", "P14"), DIFF, "no promise"),
        (HEAD.replace("Harm: ", "Hram: "), DIFF, "means nothing"),
        (HEAD.replace("Bug: one is two\n", ""), DIFF, "does not say: Bug"),
        (HEAD, DIFF + "-x\n" * 6, "more than 5 lines"),
        (HEAD, DIFF + "two\n", "means nothing"),
    ],
)
def test_a_bug_that_is_not_written_as_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head: str, diff: str, why: str
) -> None:
    monkeypatch.setattr(patches, "FOLDER", tmp_path)
    (tmp_path / "001-of-a-test.patch").write_text(head + diff, "utf-8")
    with pytest.raises(ValueError, match=why):
        patches.read("001-of-a-test")


@pytest.mark.parametrize("text", ["zero\none\nfour\n", "one\ntwo\nzero\none\ntwo\n", "one\ntwo\n"])
def test_a_bug_that_fits_nowhere_or_twice_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "jitcloud").mkdir()
    (tmp_path / "jitcloud" / "clock.py").write_text(text, "utf-8")
    hunk = Hunk("jitcloud/clock.py", before="one\ntwo\n", after="one\n")
    patch = Patch("001-of-a-test", "b", "h", "P1", (), (hunk,))
    if text.count("\none\ntwo\n") == 1:
        assert patches.applied(patch, tmp_path)
    else:
        with pytest.raises(ValueError, match="stands there"):
            patches.applied(patch, tmp_path)


def test_what_is_known_to_change_nothing_is_still_there_to_be_changed() -> None:
    known = score.equivalents()
    modules = {name.partition("::")[0] for name in known}
    made = {each.name for module in modules for each in mutants.of(ROOT, module)}
    assert not known.keys() - made
    assert all(because.strip() for because in known.values())


def test_a_change_of_what_makes_functions_is_one_of_those_that_it_has_made(tmp_path: Path) -> None:
    text = """
def make(limit):
    def check(size):
        return size < limit
    return check

CHECK = make(3)
"""
    (tmp_path / "checks.py").write_text(text)
    spec = importlib.util.spec_from_file_location("checks", tmp_path / "checks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert not module.CHECK(3)
    names = {each.change: each for each in mutants.of(tmp_path, "checks.py")}
    names["size < limit -> size <= limit"].enter(module)
    assert module.CHECK(3)
    assert module.make(4)(4)


def _touched(name: str) -> list[Path]:
    return list(patches.applied(patches.read(name)))


@cache
def _names_in(path: str) -> set[str]:
    """What tests, and classes of them, are called in a file and in the contracts it holds to."""
    files = [ROOT / path, *(ROOT / "tests" / "contract").glob("*/*.py")]
    return {
        node.name
        for file in (files if path.startswith("tests/contract/") else files[:1])
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }
