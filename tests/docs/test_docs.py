"""Every command and example of the pages runs, in their order; what they show is what is seen.

Each page has a folder, a shell and a home of its own. A block that does not run is named here,
with the reason.
"""

from __future__ import annotations

import re
import socket
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from jitcloud.adapters import clouds
from jitcloud.catalog import Catalog
from jitcloud.clock import utc_now
from jitcloud.directories.static import StaticDirectory
from jitcloud.policy import Policy
from jitcloud.settings import AwsSettings, Settings
from tests.docs.pages import PAGES, Block, blocks, fences
from tests.docs.shell import Step, Terminal, fits, transcript

RUNNING = ("console", "shell", "python")

NOT_RUN = {
    "make demo": "tests/e2e and .ci/run play it",
    ". .venv/bin/activate": "the tests run in that environment already",
    "pip install '.[aws,cli]'": "it would change the environment that the tests run in",
    "jitcloud revoke REQUEST --because": "it names no request; the tutorial runs it",
    "jitcloud attest REQUEST --because": "nothing of the page's vanishes for a day;"
    " tests/unit/test_cli_attest.py runs it",
    "useradd --system": "it is for the system of the reader",
    "podman build": "there is no podman here; tests/serving checks what it builds",
    "jitcloud check --clouds": "the roles in the catalog are the reader's; tests/e2e runs it",
}
"""How a block begins that is not run, and why."""

NOT_CODE = {
    "": "nothing to run",
    "text": "a drawing, or a line of a file",
    "json": "what other programs get or write; tests read it",
    "mermaid": "a drawing",
    "crontab": "a line for cron",
    "cedarschema": "compared with the package by test_claims",
}

LAST = {
    ("README.md", "import jitcloud"): "it opens the folder that the page makes further down",
    ("docs/library.md", 'import jitcloud\n\nwith jitcloud.load("jitcloud.toml")'): "the same",
}
"""Which block runs after all others of its page, and why."""

GOES_ON = {"jitcloud emulator": "4566", "jitcloud serve": "8080", "python issuer.py": "5556"}
"""What the pages start in a second terminal, and leave running, and at which port of theirs.

Each page gets other ports, so that pages run at the same time.
"""

COLD = ("README.md",)
"""Whose commands each load all that they need, as a reader's do; see tests.warm."""


def _is_left_out(block: Block) -> bool:
    return any(block.text.startswith(beginning) for beginning in NOT_RUN)


def _runnable(page: str) -> list[Block]:
    """The blocks of a page that do something, in the order in which they do."""
    found = [
        block
        for block in blocks(page)
        if (block.language in RUNNING or block.file) and not _is_left_out(block)
    ]
    late = [block for block in found if any(_begins(block, *which) for which in LAST)]
    return [*(block for block in found if block not in late), *late]


def _begins(block: Block, page: str, text: str) -> bool:
    return block.page == page and block.text.startswith(text)


# The longest first, so that whoever runs several at once waits for none in the end.
RUN = sorted((page for page in PAGES if _runnable(page)), key=lambda page: -len(_runnable(page)))


@pytest.mark.parametrize("page", RUN)
def test_a_page_does_what_it_says(page: str, tmp_path: Path, warm_commands: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    ports = {port: _free_port() for port in GOES_ON.values()}
    first = () if page in COLD else (warm_commands,)
    with Terminal(folder, *first) as terminal:
        for block in _runnable(page):
            _play(terminal, block, ports)


def _play(terminal: Terminal, block: Block, ports: Mapping[str, str]) -> None:
    text = re.sub("|".join(ports), lambda told: ports[told[0]], block.text)
    if block.file is not None:
        _write(terminal, block.file, text)
        return
    match block.language:
        case "console":
            for step in transcript(text):
                _take(terminal, step, block, ports)
        case "shell":
            code, seen = terminal.run(text)
            assert code == 0, f"{block}: {seen}"
        case _:
            _write(terminal, "example.py", text)
            code, seen = terminal.run("python -W error example.py")
            assert code == 0, f"{block}: {seen}"


def _take(terminal: Terminal, step: Step, block: Block, ports: Mapping[str, str]) -> None:
    code: int | None = None
    begun = next((each for each in GOES_ON if step.command.startswith(each)), None)
    if begun is not None:
        command = step.command.replace(begun, f"{begun} --port {ports[GOES_ON[begun]]}")
        seen = terminal.second(command, step.shown)
    else:
        code, seen = terminal.run(step.command)
    assert fits(step.shown, seen), (
        f"{block}: $ {step.command}\n--- the page shows\n{step.shown}--- and this was seen\n{seen}"
    )
    if code is not None and step.fails is not None:
        assert (code != 0) == step.fails, f"{block}: $ {step.command}\nended with {code}"


def _write(terminal: Terminal, name: str, text: str) -> None:
    _, here = terminal.run("pwd")
    path = Path(here.strip()) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def _free_port() -> str:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


# ── Nothing is left out silently ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_of_a_known_kind(page: str) -> None:
    found = blocks(page)
    assert fences(page) == 2 * len(found), "a block that does not end, or stands within a list"
    kinds = {block.language for block in found if not block.file}
    assert kinds <= {*RUNNING, *NOT_CODE, "toml", "cedar"}


@pytest.mark.parametrize("beginning", NOT_RUN)
def test_what_is_not_run_still_stands_in_a_page(beginning: str) -> None:
    assert any(block.text.startswith(beginning) for page in PAGES for block in blocks(page))


@pytest.mark.parametrize(("page", "beginning"), LAST)
def test_what_runs_last_still_stands_in_its_page(page: str, beginning: str) -> None:
    assert any(_begins(block, page, beginning) for block in blocks(page))


# ── Rules, catalogs and people that a page only shows ────────────────────────────────────────


@pytest.mark.parametrize(
    "block",
    [
        block
        for page in PAGES
        for block in blocks(page)
        if block.language in {"toml", "cedar"} and not block.file
    ],
    ids=str,
)
def test_what_a_page_only_shows_would_be_accepted(block: Block, tmp_path: Path) -> None:
    # The page's own files, if it has some, are what its examples are about.
    shown = {other.file: other.text for other in blocks(block.page) if other.file}
    (tmp_path / "people.toml").write_text(shown["people.toml"])
    (tmp_path / "catalog.toml").write_text(shown["catalog.toml"])
    if block.language == "toml":
        _name_of(tmp_path, block).write_text(block.text)
    mechanisms, _ = clouds(Settings(aws=AwsSettings()), utc_now)
    directory = StaticDirectory(tmp_path / "people.toml")
    catalog = Catalog.load(tmp_path / "catalog.toml", mechanisms)
    texts = dict(_rules(shown))
    if block.language == "cedar" and "approvers-may-approve" not in block.text:
        texts["shown.cedar"] = block.text
    Policy.from_texts(texts, catalog=catalog, directory=directory)


def _name_of(folder: Path, block: Block) -> Path:
    is_catalog = "entitlement" in tomllib.loads(block.text)
    return folder / ("catalog.toml" if is_catalog else "people.toml")


def _rules(shown: dict[str, str]) -> Iterator[tuple[str, str]]:
    for name, text in shown.items():
        if re.fullmatch(r"policy/[^/]+\.cedar", name):
            yield name.removeprefix("policy/"), text
