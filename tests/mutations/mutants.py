"""Small changes to the code of a module, each in one function: what a slip of the hand might do.

A change is made in the syntax tree, and put into a process by exchanging the code of the function
it is in. So whoever has that function by whatever name gets the change, and nothing is imported
anew: a process that was forked from one that has loaded everything is all that a mutant takes.
What stands at the top of a module, tables and constants, is not changed here: that is for seeded
bugs (``*.patch``).
"""

from __future__ import annotations

import ast
import copy
import gc
import inspect
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FunctionType, ModuleType

Definition = ast.FunctionDef | ast.AsyncFunctionDef
Edit = Callable[[ast.AST], ast.AST]
_Placed = ast.stmt | ast.expr

_OPPOSITE: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_OTHER_OPERATOR: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
}
_OTHER_FUNCTION = {"min": "max", "max": "min", "any": "all", "all": "any"}
_PASSING = {"<genexpr>", "<listcomp>", "<setcomp>", "<dictcomp>"}
"""Functions that Python makes where they are called, and forgets."""

_LONGEST = 90


@dataclass(frozen=True, slots=True)
class Mutant:
    """One changed function."""

    path: str
    """Of the module, from the root of the tree."""
    function: str
    """Its qualified name; the outermost, where one stands in another."""
    change: str
    """What stood there, and what stands there now."""
    lines: range
    """The lines that the changed expression or statement takes."""
    tree: ast.Module
    """A module with nothing but the changed function in it."""

    @property
    def name(self) -> str:
        """Names it by its words and not by its line."""
        return f"{self.path}::{self.function}: {self.change}"

    def enter(self, module: ModuleType) -> None:
        """Put the change into this process, for good."""
        code = _code_of(compile(self.tree, str(module.__file__), "exec"), self.function.split("."))
        function = _function(module, self.function)
        was, function.__code__ = function.__code__, code
        inner = dict(_inner(was, code))
        if inner:
            # Functions that it made while the module was loaded (a table of checks) change too.
            gc.unfreeze()
            for made in gc.get_objects():
                if isinstance(made, FunctionType) and id(made.__code__) in inner:
                    # One that names less of what is around it than before stays as it is.
                    with suppress(ValueError):
                        made.__code__ = inner[id(made.__code__)]


def of(root: Path, path: str) -> Iterator[Mutant]:
    """Yield every mutant of a module, in the order of its text."""
    tree = ast.parse((root / path).read_text("utf-8"))
    seen: Counter[str] = Counter()
    for function, definition in _definitions(tree):
        for node, edit in _edits(definition):
            changed, before, after = _changed(definition, node, edit)
            change = f"{before} -> {after}"
            # The same words in one function are told apart by their order.
            seen[f"{function}: {change}"] += 1
            count = seen[f"{function}: {change}"]
            yield Mutant(
                path,
                function,
                change if count == 1 else f"{change} (#{count})",
                range(node.lineno, (node.end_lineno or node.lineno) + 1),
                _alone(changed, function),
            )


def _alone(definition: Definition, name: str) -> ast.Module:
    """Put a function into a module, and into a class if it is in one: nothing else is compiled."""
    owner = name.rpartition(".")[0]
    body: ast.stmt = definition
    if owner:
        body = ast.ClassDef(name=owner, bases=[], keywords=[], body=[body], decorator_list=[])
        if sys.version_info >= (3, 12):
            body.type_params = []
    first = ast.ImportFrom(module="__future__", names=[ast.alias(name="annotations")], level=0)
    return ast.fix_missing_locations(ast.Module(body=[first, body], type_ignores=[]))


# ── Where ────────────────────────────────────────────────────────────────────────────────────


def _definitions(tree: ast.Module) -> Iterator[tuple[str, Definition]]:
    for node in tree.body:
        if isinstance(node, Definition):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from (
                (f"{node.name}.{inner.name}", inner)
                for inner in node.body
                if isinstance(inner, Definition)
            )


def _inside(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what can be changed: neither annotations and defaults, nor messages to people."""
    match node:
        case ast.JoinedStr() | ast.Assert():
            return
        case ast.FunctionDef(body=body) | ast.AsyncFunctionDef(body=body):
            children: list[ast.AST] = list(body)
        case ast.AnnAssign(value=value):
            children = [] if value is None else [value]
        case ast.Raise():
            yield node
            return
        case _:
            children = list(ast.iter_child_nodes(node))
    yield node
    for child in children:
        yield from _inside(child)


# ── What ─────────────────────────────────────────────────────────────────────────────────────


def _edits(definition: Definition) -> Iterator[tuple[_Placed, Edit]]:
    for node in _inside(definition):
        if node is not definition and isinstance(node, _Placed):
            for edit in _edits_of(node):
                yield node, edit


def _edits_of(node: ast.AST) -> Iterator[Edit]:  # noqa: C901, PLR0912 - one arm a kind of node
    match node:
        case ast.Compare(ops=[operator]):
            for other in _OPPOSITE.get(type(operator), ()):
                yield _set(ops=[other()])
        case ast.BoolOp(op=operator, values=values):
            yield _set(op=ast.Or() if isinstance(operator, ast.And) else ast.And())
            for number in range(len(values)):
                yield _without("values", number)
        case ast.UnaryOp(op=ast.Not()):
            yield lambda found: found.operand  # type: ignore[attr-defined] # it has one
        case ast.BinOp(op=operator) if type(operator) in _OTHER_OPERATOR:
            yield _set(op=_OTHER_OPERATOR[type(operator)]())
        case ast.Constant(value=bool(value)):
            yield _set(value=not value)
        case ast.Constant(value=int(value)):
            yield _set(value=value + 1)
        case ast.Call(func=ast.Name(id=name)) if name in _OTHER_FUNCTION:
            yield _set(func=ast.Name(id=_OTHER_FUNCTION[name], ctx=ast.Load()))
        case ast.Call(func=ast.Name(id="replace"), keywords=keywords):
            for number in range(len(keywords)):
                yield _without("keywords", number)
        case ast.Return(value=ast.expr() as value) if not _is_told_apart(value):
            yield _set(value=ast.Constant(value=None))
        case ast.If() | ast.IfExp() | ast.While():
            yield _never
        case ast.Continue():
            yield lambda _: ast.Break()
        case ast.Break():
            yield lambda _: ast.Continue()
        case ast.Raise() | ast.AugAssign() | ast.Delete():
            yield _pass
        case ast.Expr(value=ast.Call() | ast.Await()):
            yield _pass
        case ast.Expr(value=ast.Yield() | ast.YieldFrom()):
            yield _pass


def _is_told_apart(value: ast.expr) -> bool:
    """Whether a result is None already, or one that is changed into its opposite anyway."""
    return isinstance(value, ast.Constant) and (value.value is None or value.value in {True, False})


def _set(**fields: object) -> Edit:
    def edit(node: ast.AST) -> ast.AST:
        for name, value in fields.items():
            setattr(node, name, value)
        return node

    return edit


def _without(field: str, number: int) -> Edit:
    def edit(node: ast.AST) -> ast.AST:
        left = [each for at, each in enumerate(getattr(node, field)) if at != number]
        if field == "values" and len(left) == 1:
            (only,) = left
            assert isinstance(only, ast.AST)
            return only
        setattr(node, field, left)
        return node

    return edit


def _never(node: ast.AST) -> ast.AST:
    node.test = ast.Constant(value=False)  # type: ignore[attr-defined] # an if, of either kind
    return node


def _pass(_: ast.AST) -> ast.AST:
    return ast.Pass()


def _changed(definition: Definition, node: _Placed, edit: Edit) -> tuple[Definition, str, str]:
    """Return a function with one node changed, and how that node and its successor read."""
    memo: dict[int, object] = {}
    whole = copy.deepcopy(definition, memo)
    mine = memo[id(node)]
    assert isinstance(mine, ast.AST)
    before = _words(mine)
    new = edit(mine)
    if new is not mine:
        _Put(mine, new).visit(whole)
    return whole, before, _words(new)


class _Put(ast.NodeTransformer):
    """Puts a node in another's place."""

    def __init__(self, old: ast.AST, new: ast.AST) -> None:
        self._old, self._new = old, new

    def visit(self, node: ast.AST) -> ast.AST:
        if node is self._old:
            return ast.copy_location(self._new, node)
        found = self.generic_visit(node)
        assert isinstance(found, ast.AST)
        return found


def _words(node: ast.AST) -> str:
    if isinstance(node, ast.If | ast.While):
        return f"{type(node).__name__.lower()} {_cut(ast.unparse(node.test))}"
    return _cut(ast.unparse(node))


def _cut(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


# ── Into a process ───────────────────────────────────────────────────────────────────────────


def _code_of(code: CodeType, names: list[str]) -> CodeType:
    for name in names:
        code = next(
            each for each in code.co_consts if isinstance(each, CodeType) and each.co_name == name
        )
    return code


def _inner(was: CodeType, code: CodeType) -> Iterator[tuple[int, CodeType]]:
    """Yield what becomes of each function within another, by the identity of its code."""
    before, after = (
        [each for each in found.co_consts if isinstance(each, CodeType)] for found in (was, code)
    )
    if [each.co_name for each in before] == [each.co_name for each in after]:
        for one, other in zip(before, after, strict=True):
            if one.co_name not in _PASSING:
                yield id(one), other
            yield from _inner(one, other)


def _function(module: ModuleType, name: str) -> FunctionType:
    found: object = module
    for part in name.split("."):
        found = inspect.getattr_static(found, part)
    if isinstance(found, property):
        found = found.fget
    if isinstance(found, classmethod | staticmethod):
        found = found.__func__
    found = inspect.unwrap(found)  # type: ignore[arg-type] # a function, as it was defined
    assert isinstance(found, FunctionType)
    return found
