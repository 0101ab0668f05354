"""Where the pages point, there is something: pages, headings, files, tests, targets of make."""

from __future__ import annotations

import re

import pytest

from tests.docs.pages import PAGES, ROOT, anchors, blocks, code, headings, links, prose


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    for link in links(page):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        assert target.exists(), f"{page}: {link}"
        if anchor:
            assert anchor in anchors(str(target.resolve().relative_to(ROOT))), f"{page}: {link}"


@pytest.mark.parametrize("page", PAGES)
def test_every_file_and_test_that_is_named_is_there(page: str) -> None:
    for text in code(page):
        path, _, test = text.partition("::")
        if re.fullmatch(r"(tests|jitcloud|infra|functions|docs)/[\w./-]*", path):
            assert (ROOT / path).exists(), f"{page}: {text}"
        if test and path.startswith("tests/"):
            assert f"def {test}(" in (ROOT / path).read_text("utf-8"), f"{page}: {text}"


@pytest.mark.parametrize("page", PAGES)
def test_make_can_make_what_it_is_told_to(page: str) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    shown = [*code(page), *(block.text for block in blocks(page))]
    asked = {name for text in shown for name in re.findall(r"^make ([a-z-]+)", text, re.MULTILINE)}
    assert asked <= targets


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_one_title_and_no_heading_twice(page: str) -> None:
    found = headings(page)
    assert len(re.findall(r"^# ", prose(page), re.MULTILINE)) == 1
    assert len(found) == len(set(found))
