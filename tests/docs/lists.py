"""What the tests list that are about one promise, in words: each list is read where it stands."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from tests.audit_attacks.test_structure import ATTACKS
from tests.crashes.registry import MECHANISMS, STORES
from tests.fleet.test_attackers import GETS
from tests.hostile.parsers import PARSERS
from tests.model.lifecycle_model import AS_BUILT

# ── Markdown ─────────────────────────────────────────────────────────────────────────────────


def as_table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(map(_cell, line))} |\n" for line in (heading, *rows)]
    return "".join([lines[0], f"{'|---' * len(heading)}|\n", *lines[1:]])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def as_list(intro: str, what: Sequence[str]) -> str:
    return f"{intro}\n\n" + "".join(f"* {each}\n" for each in what)


# ── Lists ────────────────────────────────────────────────────────────────────────────────────


def _killed() -> str:
    mechanisms = ", ".join(f"`{each.name}`" for each in MECHANISMS)
    stores = " and ".join(f"`{each.name}`" for each in STORES)
    return (
        "A real process is killed (SIGKILL) before each call of its store and each request that it"
        f" sends to a cloud, by [tests/crashes](../tests/crashes): a lifetime by {mechanisms},"
        f" each with its record in {stores}. `make test` does so before some, and `make test-long`"
        " before all of them.\n"
    )


def _attacked() -> str:
    alike: dict[tuple[str, str, str], list[str]] = {}
    for each in ATTACKS:
        kind = re.sub(r"[0-9]+", "", each.name)
        outcome = kind, _seen(each.unseen), _seen(each.unseen_in_export)
        alike.setdefault(outcome, []).append(each.name)
    rows = [(_and_more(names), *seen) for (_, *seen), names in alike.items()]
    heading = ("what somebody does to the record", "without checkpoints", "in an export without")
    return f"With [checkpoints](anchors.md) each of these is found:\n\n{as_table(heading, rows)}"


def _and_more(names: Sequence[str]) -> str:
    first, *others = names
    return f"{first}, and {len(others)} more like it" if others else first


def _seen(unseen: str) -> str:
    return "not seen, and the report says so" if unseen else "found"


def _stolen() -> str:
    rows = [(f"`{name}`", ", ".join(sorted(gets))) for name, gets in GETS.items()]
    heading = ("function of the fleet", "all that its stolen role was let do")
    return "Of all that [tests/fleet](../tests/fleet/thefts.py) tries:\n\n" + as_table(
        heading, rows
    )


def _handed_nonsense() -> str:
    names = "; ".join(each.name for each in PARSERS)
    return f"[tests/hostile](../tests/hostile) hands hostile input to: {names}.\n"


def _known_difference() -> str:
    if not AS_BUILT:
        return (
            "[Driven along the model's own traces](../tests/model/tie.py), the code does what the "
            "model does.\n"
        )
    known = "".join(f"* {_DIFFERS[name]}\n" for name in sorted(AS_BUILT))
    return f"The code is known to differ from the model:\n\n{known}"


_DIFFERS = {
    "trust a list after a call without an answer": (
        "A list that still shows what a removal has taken is believed too soon where that removal "
        "got no answer, or its driver died. Whoever joins the place just then may be said to be "
        "in, and is not; nobody has what they should not. A comparison reports it as missing."
    ),
}
"""What each difference between model and code that is known would do to somebody."""


OF_ONE: Mapping[str, Callable[[], str]] = {
    "P2": _killed,
    "P7": _known_difference,
    "P9": _attacked,
    "P11": _stolen,
    "P13": _handed_nonsense,
}
"""What is listed of the tests of one promise alone."""
