"""No parser is missing: whatever turns foreign text into values is reached by one that is listed.

The calls that do so are found in the sources, and what is reached is seen while the listed ones
read what is right. Nothing here is said by hand but what is not looked at, and why.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import jitcloud
from tests.hostile.of_records import lived
from tests.hostile.parsers import PARSERS

ROOT = Path(jitcloud.__file__).parent.parent

CALLS = frozenset(
    {
        *(
            "json.loads",
            "json.load",
            "tomllib.loads",
            "tomllib.load",
            "csv.reader",
            "ET.fromstring",
        ),
        *("datetime.fromisoformat", "datetime.fromtimestamp", "datetime.strptime"),
        *("base64.b64decode", "base64.urlsafe_b64decode", "zlib.decompress", "zlib.decompressobj"),
        *("*.model_validate", "*.model_validate_json", "*.validate_python", "*.validate_json"),
        *("*.from_dict", "*.from_str", "load_pem_public_key", "load_pem_private_key"),
        *("parse_qsl", "parse_qs", "urlsplit", "urlparse", "unquote", "ip_address", "ZoneInfo"),
        *("int", "float", "Decimal", "Fraction", "literal_eval", "pickle.loads", "bytes.fromhex"),
        *("jwt.decode", "ipaddress.ip_address", "ULID.from_str", "SchemaValidator"),
    }
)
"""What makes a value of text or bytes."""

APART = {
    "emulators": "they stand in for clouds in tests, and read what our own clients send",
    "cli/demo": "it talks to processes that it has started itself",
}
"""Folders whose parsers nobody foreign reaches."""

_OURS = "it reads what we have written ourselves, and was read before by a parser that is listed"
_WRITES = "it writes: what it makes a number of is one"
_SDK = "AWS's SDK has read it, and AWS alone numbers what it keeps so"
_FILE = "the same as for a file on this machine, which is listed; its bytes come over S3"

EXEMPT = {
    "jitcloud/anchors/file.py:_start": "`believed`, which is listed, verifies it",
    "jitcloud/anchors/s3.py:S3Anchors._versions": "digits alone come so far, in a key of ours",
    "jitcloud/api/answering.py:response": _WRITES,
    "jitcloud/api/asgi.py:_send": _WRITES,
    "jitcloud/api/commands/reading.py:_event": _OURS,
    "jitcloud/api/gateway.py:reply_of": _WRITES,
    "jitcloud/api/judging.py:Judging._handle": "`a message to the judge` goes the same way",
    "jitcloud/api/once.py:_again": _OURS,
    "jitcloud/api/openapi.py:_tidy": _OURS,
    "jitcloud/api/openapi.py:document": _OURS,
    "jitcloud/api/problems.py:problem": _WRITES,
    "jitcloud/api/reading.py:Reading.whole": "the server lets in digits alone (tests/serving)",
    "jitcloud/api/resolver.py:_finished": _WRITES,
    "jitcloud/asking.py:_names": _OURS,
    "jitcloud/audit/log.py:Log._keep": "`believed`, which is listed, lets digits in alone",
    "jitcloud/audit/note.py:sign": _OURS,
    "jitcloud/cli/completing.py:entitlements": "`a catalog` reads it; a key press says nothing",
    "jitcloud/cli/explaining.py:_local": "the catalog lets zones in alone that there are",
    "jitcloud/cli/run.py:run": _WRITES,
    "jitcloud/fleet/environment.py:secrets": "IAM guards it (tests/fleet/test_secrets.py)",
    "jitcloud/journals/s3.py:S3Journal._read": _FILE,
    "jitcloud/metrics.py:_families": _WRITES,
    "jitcloud/notifiers/connection.py:_name_of": "it is this machine's own address",
    "jitcloud/observing/logs.py:JsonLines.format": _WRITES,
    "jitcloud/policy/engine.py:Policy.nothing": _OURS,
    "jitcloud/policy/entities.py:_zone": "the catalog lets zones in alone that there are",
    "jitcloud/policy/evaluate.py:Evaluator._failed": "Cedar numbers rules itself",
    "jitcloud/policy/evaluate.py:_matched": "Cedar numbers rules itself",
    "jitcloud/policy/explain.py:_reasons": "Cedar numbers rules itself",
    "jitcloud/policy/lint.py:checked": "each file of it was read before by itself",
    "jitcloud/policy/matrix.py:what_if": "the catalog lets zones in alone that there are",
    "jitcloud/policy/rejudge.py:_hour": "the record has zones that the catalog had",
    "jitcloud/providers/aws/deny_document.py:DenyDocument._make_room": _SDK,
    "jitcloud/providers/aws/doctor_documents.py:_form": _OURS,
    "jitcloud/serving/figures.py:Figures._families": _WRITES,
    "jitcloud/serving/probes.py:Probes._may_read_metrics": "it is what the kernel says of a peer",
    "jitcloud/shapes.py:of_events": _OURS,
    "jitcloud/stores/dynamodb/pages.py:_order": _SDK,
}
"""Functions that no listed parser reaches, and why none need do so."""


@cache
def parsing() -> dict[str, int]:
    """The functions in which such a call stands: path and qualified name, and the line of it."""
    found: dict[str, int] = {}
    for path in sorted([*ROOT.glob("jitcloud/**/*.py"), *ROOT.glob("functions/*.py")]):
        where = path.relative_to(ROOT).as_posix()
        if not any(where.startswith(f"jitcloud/{apart}/") for apart in APART):
            for name, line in _in_functions(ast.parse(path.read_text())):
                found[f"{where}:{name}"] = line
    return found


def _in_functions(node: ast.AST, names: tuple[str, ...] = ()) -> Iterator[tuple[str, int]]:
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.ClassDef():
                yield from _in_functions(child, (*names, child.name))
            case ast.FunctionDef() | ast.AsyncFunctionDef() if names and names[-1] == "<locals>":
                yield from _in_functions(child, (*names, child.name, "<locals>"))
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                yield from _in_functions(child, (*names, child.name, "<locals>"))
            case ast.Call() if names and _called(child.func) & CALLS and not _is_plain(child):
                yield ".".join(names[: names.index("<locals>")]), child.lineno
                yield from _in_functions(child, names)
            case _:
                yield from _in_functions(child, names)


def _called(func: ast.expr) -> set[str]:
    match func:
        case ast.Name(id=name):
            return {name}
        case ast.Attribute(value=ast.Name(id=of), attr=name):
            return {f"{of}.{name}", f"*.{name}"}
        case ast.Attribute(attr=name):
            return {f"*.{name}"}
        case _:
            return set()


def _is_plain(call: ast.Call) -> bool:
    """Whether a number is made of a number: of what a method of ours returns."""
    match call:
        case ast.Call(func=ast.Name(id="int" | "float"), args=[ast.Call() | ast.BinOp()]):
            return "total_seconds" in ast.dump(call) or "timestamp" in ast.dump(call)
        case _:
            return False


@cache
def reached() -> set[str]:
    """The functions that run while all of them read what is right, and what says no."""
    seen: set[CodeType] = set()

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            seen.add(frame.f_code)

    _forget("tests.hostile.of_")
    lived()  # what leads to a record is no reading of one
    _forget("jitcloud")
    for parser in PARSERS:
        for valid in (*parser.valid, *parser.also):
            given = parser.mangled.unharmed(valid)
            sys.setprofile(note)
            try:
                parser.read(given)
            except parser.raises:
                continue
            finally:
                sys.setprofile(None)
    return {
        f"{Path(code.co_filename).relative_to(ROOT).as_posix()}:"
        f"{code.co_qualname.partition('.<locals>')[0]}"
        for code in seen
        if code.co_filename.startswith(f"{ROOT}/")
    }


def _forget(beginning: str) -> None:
    """Forget what has been read before, in other tests: it would not be read again."""
    for name, module in tuple(sys.modules.items()):
        if name.startswith(beginning):
            for each in vars(module).values():
                if hasattr(each, "cache_clear"):
                    each.cache_clear()


def test_no_parser_is_missing_from_the_list() -> None:
    missing = sorted(parsing().keys() - reached() - EXEMPT.keys())
    assert not missing, f"put these into a list of tests/hostile, or say why not: {missing}"


def test_what_is_exempt_is_there_and_no_parser_reaches_it() -> None:
    stale = EXEMPT.keys() - parsing().keys()
    assert not stale, stale
    needless = EXEMPT.keys() & reached()
    assert not needless, needless


def test_no_two_parsers_share_a_name() -> None:
    names = [parser.name for parser in PARSERS]
    assert len(set(names)) == len(names)
