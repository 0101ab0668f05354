"""Policy text: where it comes from, and which rule stands on which line of which file."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib import resources
from pathlib import Path

import cedarpy
from cedarpy import pst

from jitcloud.errors import Misconfigured
from jitcloud.files import MIB, read_text
from jitcloud.model import Digest, RuleId
from jitcloud.text import code_point, is_unsafe, printable

GUARDRAILS = "jitcloud/guardrails.cedar"
SCHEMA = "jitcloud/schema.cedarschema"

_MOST_SAID = 600
"""Characters of what Cedar says that are shown: it may repeat a whole rule."""

# Cedar's parser recurses, and a deep enough rule would crash the process (cedarpy 4.12.2: about
# 600 brackets, 4000 operators on an 8 MiB stack; 80 and 200 on 1 MiB). People need a dozen.
_DEEPEST = 40
_MOST_OPERATORS = 150

_LONGEST_FILE = MIB
_TOKEN = re.compile(
    r"""//[^\n\r]* | "(?:\\.|[^"\\])*" | && | \|\| | [\w]+ | \S""", re.VERBOSE | re.DOTALL
)
_ABOUT_RULE = re.compile(r"^for policy `policy[0-9]+`[,:] ")
_OPERATORS = frozenset({"&&", "||", "+", "-", "*", "!", ".", "if"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something an operator has to fix: one line, with the place."""

    file: str
    line: int | None = None
    rule: str = ""
    message: str

    def __str__(self) -> str:
        place = [printable(self.file)]
        place += [str(self.line)] if self.line is not None else []
        place += [printable(self.rule)] if self.rule else []
        return f"{':'.join(place)}: {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule of a policy, and where it stands."""

    file: str
    line: int
    id: RuleId
    """As its ``@id`` says; empty where it has none, which the linter refuses."""
    cedar: pst.Template
    names: frozenset[pst.EntityUid] = field(repr=False)
    """Every entity that it names."""

    @property
    def annotations(self) -> Mapping[str, str]:
        return self.cedar.annotations

    @property
    def verb(self) -> str:
        """The one action it names, or nothing."""
        match self.cedar.action:
            case pst.ActionEq(entity=uid):
                return uid.id
            case _:
                return ""

    def finding(self, message: str) -> Finding:
        return Finding(file=self.file, line=self.line, rule=self.id, message=message)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Statement:
    """What ends at a semicolon: found without parsing, to say where parsing failed."""

    text: str
    line: int
    deepest: int
    operators: int


@cache
def shipped() -> Mapping[str, str]:
    """Return the texts that come with jitcloud, which no organisation's text replaces."""
    package = resources.files(__package__)
    return {
        name: package.joinpath(name.partition("/")[2]).read_text("utf-8")
        for name in (GUARDRAILS, SCHEMA)
    }


@cache
def schema() -> cedarpy.Schema:
    return cedarpy.Schema.from_str(shipped()[SCHEMA])


def digest(texts: Mapping[str, str]) -> Digest:
    """Name the texts, those shipped included, by what they say and what they are called."""
    named = sorted({**texts, **shipped()}.items())
    return Digest(hashlib.sha256(json.dumps(named).encode()).hexdigest())


def read_folder(folder: Path) -> dict[str, str]:
    """Read every ``*.cedar`` of a folder, in name order. Raises ``Misconfigured``."""
    try:
        entries = sorted(folder.iterdir())
    except OSError as exc:
        message = f"{printable(str(folder))} is not a policy folder that can be read."
        raise Misconfigured(message) from exc
    wrong = [
        f"{printable(str(stray.relative_to(folder)))}: only *.cedar directly in the folder is"
        " read; move or rename it, or its rules would silently not count."
        for stray in _strays(entries)
    ]
    texts: dict[str, str] = {}
    for path in entries:
        if path.suffix == ".cedar":
            try:
                texts[path.name] = read_text(path, limit=_LONGEST_FILE)
            except Misconfigured as exc:
                wrong.append(str(exc))
    if not texts and not wrong:
        wrong.append(f"{printable(str(folder))} holds no *.cedar file; write the first rule.")
    if wrong:
        raise Misconfigured("\n".join(wrong))
    return texts


@lru_cache(maxsize=64)  # a folder is read anew when one of its files has changed
def parse(file: str, text: str) -> tuple[tuple[Rule, ...], tuple[Finding, ...]]:
    """Read the rules of one file, whole by itself, and let Cedar check them against the schema."""
    hidden = _hidden(file, text)
    if hidden is not None:
        return (), (hidden,)
    statements = list(_statements(text))
    unfit = tuple(
        Finding(
            file=file,
            line=statement.line,
            message=f"this rule nests deeper than {_DEEPEST} brackets or has more than"
            f" {_MOST_OPERATORS} operators; split it into several rules.",
        )
        for statement in statements
        if statement.deepest > _DEEPEST or statement.operators > _MOST_OPERATORS
    )
    if unfit:
        return (), unfit
    try:
        nodes = cedarpy.PolicySet.from_str(text).to_pst()
    except ValueError as exc:
        return (), (_unparsed(file, statements, exc),)
    # Cedar numbers rules and templates alike, in the order of the text: policy0, policy1, …
    found = {**nodes.static_policies, **nodes.templates}
    nodes_in_order = [found[f"policy{number}"] for number in range(len(found))]
    rules = [
        Rule(
            file=file,
            line=statement.line,
            id=RuleId(node.annotations.get("id", "")),
            cedar=node,
            names=pst.entity_uids(node),
        )
        for statement, node in zip(statements, nodes_in_order, strict=True)
    ]
    wrong = [
        rules[_number(name)].finding(
            "templates are not used here; write the rule out for one group."
        )
        for name in nodes.templates
    ]
    wrong += [
        rules[_number(error.policy_id)].finding(f"{_shown(_ABOUT_RULE.sub('', error.error))}.")
        for error in cedarpy.validate_policies(text, schema()).errors
    ]
    return tuple(rules), tuple(wrong)


def _number(policy_id: str) -> int:
    return int(policy_id.removeprefix("policy"))


def _strays(entries: list[Path]) -> Iterator[Path]:
    for entry in entries:
        if entry.is_dir():
            # A mounted ConfigMap keeps its files in a dotted folder and links them from here.
            if not entry.name.startswith("."):
                yield from sorted(entry.rglob("*.cedar"))
        elif entry.suffix != ".cedar" and entry.suffix.lower() == ".cedar":
            yield entry


def _hidden(file: str, text: str) -> Finding | None:
    """Find a character that makes the text read differently from what Cedar sees."""
    for line, content in enumerate(text.split("\n"), start=1):
        line_end_aside = content.removesuffix("\r")
        if line_end_aside.isprintable():  # nearly always, and much faster than to look at each
            continue
        for char in line_end_aside:
            if char != "\t" and is_unsafe(char):
                message = (
                    f"{code_point(char)} can make a rule read differently from what it says;"
                    " take it out."
                )
                return Finding(file=file, line=line, message=message)
    return None


def _statements(text: str) -> Iterator[_Statement]:
    begin: int | None = None
    depth = deepest = operators = end = 0
    for token in _TOKEN.finditer(text):
        word = token.group()
        if word.startswith("//"):
            continue
        begin = token.start() if begin is None else begin
        depth += (word in "([{") - (word in ")]}")
        deepest = max(deepest, depth)
        operators += word in _OPERATORS
        end = token.end()
        if word == ";":
            yield _statement(text, begin, end, deepest, operators)
            begin, depth, deepest, operators = None, 0, 0, 0
    if begin is not None:
        yield _statement(text, begin, end, deepest, operators)


def _statement(text: str, begin: int, end: int, deepest: int, operators: int) -> _Statement:
    return _Statement(
        text=text[begin:end],
        line=text.count("\n", 0, begin) + 1,
        deepest=deepest,
        operators=operators,
    )


def _unparsed(file: str, statements: list[_Statement], exc: ValueError) -> Finding:
    """Say where it fails: Cedar's own message does not, so each part is tried by itself."""
    line = next((part.line for part in statements if not _parses(part.text)), None)
    return Finding(file=file, line=line, message=f"this is not Cedar: {_shown(str(exc))}.")


def _shown(said: str) -> str:
    return printable(said[:_MOST_SAID])


def _parses(text: str) -> bool:
    try:
        cedarpy.PolicySet.from_str(text).to_pst()
    except ValueError:
        return False
    return True
