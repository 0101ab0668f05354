from __future__ import annotations

import os
import stat
from pathlib import Path

import cedarpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jitcloud.errors import Misconfigured
from jitcloud.policy.fmt import formatted, replace_text
from jitcloud.policy.source import _TOKEN
from tests import drawn_policies as drawn

UGLY = """// first
@id("a")   @approval("1 of sre")  permit(principal,action==Action::"request",resource)
  when{context.duration<=duration("1h")};   // after
// last
"""

NICE = """// first
@id("a")
@approval("1 of sre")
permit (
  principal,
  action == Action::"request",
  resource
)
when { context.duration <= duration("1h") }; // after
// last
"""


def test_a_rule_is_laid_out_in_the_one_way_there_is() -> None:
    assert formatted("a.cedar", UGLY) == NICE
    assert formatted("a.cedar", NICE) == NICE


@pytest.mark.parametrize("text", ["", "\n", "// nothing yet\n", "\n\n// nothing yet"])
def test_a_file_without_rules_is_left_as_it_is(text: str) -> None:
    assert formatted("a.cedar", text) == text


def test_line_ends_of_windows_become_plain_ones() -> None:
    assert formatted("a.cedar", UGLY.replace("\n", "\r\n")) == NICE


def test_what_does_not_parse_is_left_alone_and_told_with_its_line() -> None:
    with pytest.raises(Misconfigured, match=r"a\.cedar:3: this is not Cedar"):
        formatted("a.cedar", "\n\npermit (principal;")


def test_what_would_crash_the_formatter_never_reaches_it() -> None:
    deep = '@id("a") permit (principal, action, resource) when { ' + "(" * 5000 + " };"
    with pytest.raises(Misconfigured, match="split it into several rules"):
        formatted("a.cedar", deep)


def test_a_rule_as_deep_as_is_allowed_can_be_laid_out() -> None:
    when = "(" * 38 + "true" + ")" * 38 + " && true" * 50
    text = f'@id("a") permit (principal, action == Action::"activate", resource) when {{ {when} }};'
    assert formatted("a.cedar", formatted("a.cedar", text)) == formatted("a.cedar", text)


def test_what_the_linter_would_say_does_not_keep_a_rule_from_being_laid_out() -> None:
    assert formatted("a.cedar", "permit(principal,action,resource);").startswith("permit (")


def test_what_the_formatter_refuses_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: object) -> str:
        raise ValueError("a comment\nin an odd place")

    monkeypatch.setattr(cedarpy, "format_policies", refuses)
    with pytest.raises(Misconfigured, match=r"a\.cedar: this cannot be formatted: a comment\\nin"):
        formatted("a.cedar", UGLY)


@pytest.mark.parametrize(
    ("spoiled", "said"),
    [
        (NICE.replace("// after", ""), "would lose or move a comment"),
        (NICE.replace("// after", "// aftr"), "would lose or move a comment"),
        (NICE.replace('"1h"', '"2h"'), "would change what a rule says"),
        (NICE.replace('@approval("1 of sre")', '@approval("1 of x")'), "would change what a rule"),
        (NICE.replace("when", "unless"), "would change what a rule says"),
        (NICE + '@id("b")\npermit (principal, action, resource);', "would change what a rule says"),
        (NICE.replace("permit", "prmit"), "this is not Cedar"),
    ],
    ids=["comment gone", "comment changed", "limit", "annotation", "clause", "more", "broken"],
)
def test_a_formatter_that_spoils_a_text_is_not_believed(
    monkeypatch: pytest.MonkeyPatch, spoiled: str, said: str
) -> None:
    monkeypatch.setattr(cedarpy, "format_policies", lambda *_: spoiled)
    with pytest.raises(Misconfigured, match=said):
        formatted("a.cedar", UGLY)


COMMENTS = st.sampled_from(["// a", '// "b"', "// permit (", "// ;", "//", "// \u00fcn\u00ef"])
GAP_AFTER = frozenset("(){},;") | {"permit", "forbid", "when", "unless"}


@settings(max_examples=200)
@given(
    base=drawn.rules(),
    comments=st.lists(st.tuples(st.integers(0, 200), COMMENTS), min_size=1, max_size=6),
)
def test_no_comment_and_no_meaning_is_lost_wherever_the_comments_are(
    base: list[str], comments: list[tuple[int, str]]
) -> None:
    words = _TOKEN.split("\n".join(drawn.named(base)))
    tokens = _TOKEN.findall("\n".join(drawn.named(base)))
    gaps = [at for at, word in enumerate(tokens) if word in GAP_AFTER or word.startswith('"')]
    after: dict[int, str] = {gaps[at % len(gaps)]: f" {text}\n" for at, text in comments}
    text = words[0] + "".join(
        word + after.get(at, "") + space
        for at, (word, space) in enumerate(zip(tokens, words[1:], strict=True))
    )
    parsed = cedarpy.PolicySet.from_str(text).to_pst()
    once = formatted("a.cedar", text)
    assert formatted("a.cedar", once) == once
    assert cedarpy.PolicySet.from_str(once).to_pst() == parsed
    assert once.count("//") == text.count("//")


# ── Writing ──────────────────────────────────────────────────────────────────────────────────


def test_a_file_is_replaced_and_keeps_its_rights(tmp_path: Path) -> None:
    path = tmp_path / "a.cedar"
    path.write_text(UGLY)
    path.chmod(0o640)
    replace_text(path, NICE)
    assert path.read_text() == NICE
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [each.name for each in tmp_path.iterdir()] == ["a.cedar"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    real = tmp_path / "kept" / "a.cedar"
    real.write_text(UGLY)
    link = tmp_path / "a.cedar"
    link.symlink_to(real)
    replace_text(link, NICE)
    assert link.is_symlink()
    assert real.read_text() == NICE


def test_a_crash_while_writing_leaves_the_old_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.cedar"
    path.write_text(UGLY)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        replace_text(path, NICE)
    assert path.read_text() == UGLY
    assert [each.name for each in tmp_path.iterdir()] == ["a.cedar"]
