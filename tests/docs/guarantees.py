"""``python -m tests.docs.guarantees --write``: the parts of docs/guarantees.md that tests say.

What is written by hand says how a promise is kept and what remains outside; what stands between
two marks is made here, from the tests and from the code. Without ``--write`` it only says which
parts are no longer true.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from tests.docs import evidence, figures
from tests.docs.lists import OF_ONE, as_list, as_table
from tests.docs.pages import ROOT, table
from tests.mutations.patches import PROMISES, Patch
from tests.simulation import overstay

PAGE = "docs/guarantees.md"
THREATS = "docs/threat-model.md"

_PART = re.compile(
    r"<!-- made by the tests: (?P<name>[\w ]+) -->\n(?P<text>.*?)<!-- so much for that -->\n",
    re.DOTALL,
)
_HEADING = re.compile(r"^## (?P<text>(?P<promise>P[0-9]+): .+)$", re.MULTILINE)


def parts() -> Mapping[str, Callable[[str], str]]:
    """What is made of a page, by the name of the part; each may read the page."""
    return {
        "overview": _overview,
        "mechanisms": _mechanisms,
        "places": _places,
        "figures": _figures,
        **{f"{promise} in words": partial(_in_words, promise) for promise in PROMISES},
        **{f"{promise} in tests": partial(_in_tests, promise) for promise in PROMISES},
    }


def made(page: str) -> str:
    """Return a page with each of its parts made anew."""
    known = parts()

    def anew(part: re.Match[str]) -> str:
        name = part["name"]
        return f"<!-- made by the tests: {name} -->\n{known[name](page)}<!-- so much for that -->\n"

    return _PART.sub(anew, page)


def by_hand(page: str) -> str:
    """Return what of a page is written by hand."""
    return _PART.sub("", page)


def names_in(page: str) -> list[str]:
    """Which parts a page has."""
    return [part["name"] for part in _PART.finditer(page)]


def section(page: str, promise: str) -> str:
    """Return what is written by hand of one promise."""
    _, _, rest = by_hand(page).partition(f"\n## {promise}: ")
    return rest.partition("\n## ")[0]


# ── All promises ─────────────────────────────────────────────────────────────────────────────


def _overview(page: str) -> str:
    rows = []
    for heading in _HEADING.finditer(page):
        promise = heading["promise"]
        looked = (evidence.looked_for_in_the_simulation(), evidence.modelled())
        rows.append(
            (
                f"[{heading['text']}](#{_anchor(heading['text'])})",
                str(len(evidence.bugs().get(promise, ()))),
                *(str(len(each.get(promise, ())) or "") for each in looked),
                ", ".join(_folders(promise)),
            )
        )
    columns = ("promise", "seeded bugs", "in the simulation", "in the model", "tests that catch")
    return as_table(columns, rows)


def _folders(promise: str) -> list[str]:
    bugs = evidence.bugs().get(promise, ())
    files = {test.partition("::")[0] for bug in bugs for test in bug.caught_by}
    folders = sorted({"/".join(file.split("/")[:2]) for file in files})
    return [f"[{folder.removeprefix('tests/')}](../{folder})" for folder in folders]


def _anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


# ── One promise ──────────────────────────────────────────────────────────────────────────────


def _in_words(promise: str, _: str) -> str:
    """The words of the threat model, which says of each promise whether it is kept."""
    row = next(r for r in table(THREATS, "", "promise", "status", "tested in") if r[""] == promise)
    status = row["status"].replace("](#", "](threat-model.md#")
    return f"> {row['promise']}\n>\n> *Status:* {status}\n"


def _in_tests(promise: str, _: str) -> str:
    heading = ("bug that is put in", "what it would do", "caught by")
    bugs = evidence.bugs()[promise]
    shown = [as_table(heading, [_bug(bug) for bug in bugs])]
    shown += [
        as_list(intro, what)
        for intro, what in (
            (_SIMULATED, evidence.simulated().get(promise, ())),
            (_MODELLED, evidence.modelled().get(promise, ())),
            ("The tests say:", tuple(map(_claim, evidence.claims().get(promise, ())))),
        )
        if what
    ]
    more = OF_ONE.get(promise)
    return "\n".join([*shown, *(() if more is None else [more()])])


_SIMULATED = "[The simulation](../tests/simulation) looks after every step, and would say:"
_MODELLED = "[The model](../tests/model/README.md) looks in every state there is, and would say:"


def _bug(bug: Patch) -> Sequence[str]:
    caught = (_test(test) for test in bug.caught_by)
    number = f"[{bug.name[:3]}](../tests/mutations/{bug.name}.patch)"
    return f"{number}: {bug.bug}", bug.harm, ", ".join(caught)


def _test(test: str) -> str:
    path, *names = test.split("::")
    return f"[`{names[-1] if names else path}`](../{path})"


def _claim(claim: evidence.Claim) -> str:
    return f"{claim.text} ([{claim.file}](../{claim.file}))"


# ── Seconds ──────────────────────────────────────────────────────────────────────────────────


def _mechanisms(_: str) -> str:
    rows = [
        (
            f"`{held.name}`",
            "the cloud" if held.by_cloud else "jitcloud",
            _overstay(held),
            ", ".join(held.killed_on),
        )
        for held in figures.mechanisms()
    ]
    heading = ("mechanism", "deadline held by", "over at the latest", "killed at each step on")
    bound = next(
        line.strip() for line in (overstay.__doc__ or "").splitlines() if "overstay <=" in line
    )
    return (
        f"{as_table(heading, rows)}\n"
        "The bound that [the simulation](../tests/simulation/overstay.py) holds every access to: "
        f"`{bound}`.\n"
    )


def _overstay(held: figures.Held) -> str:
    after = f"{figures.words(held.overstay)} after the deadline"
    if held.by_cloud:
        return f"{after}, whatever jitcloud does"
    takes = ", the time that the cloud itself takes" if held.takes_its_time else ""
    return f"{after}{takes}, and by as much as the sweep comes late"


def _places(_: str) -> str:
    rows = [
        (
            f"`{kind.name}`",
            "gives access" if kind.grants else "denies it",
            figures.words(kind.timeout),
            figures.words(figures.claim_of(kind)),
            figures.words(kind.settle),
            figures.words(figures.believed_after(kind)),
        )
        for kind in figures.kinds()
    ]
    heading = (
        "place",
        "what is there",
        "a call takes",
        "its claim lasts",
        "`settle`",
        "nothing is believed for",
    )
    return as_table(heading, rows)


def _figures(_: str) -> str:
    rows = [
        (f"`{each.name}`", figures.words(each.value), each.what)
        for each in figures.figures().values()
    ]
    return as_table(("name", "is", "what it is"), rows)


# ── Writing ──────────────────────────────────────────────────────────────────────────────────


def stale(page: str) -> Iterator[str]:
    """Name the parts of a page that are not what would be made."""
    now = dict(_texts(made(page)))
    return (name for name, text in _texts(page) if now[name] != text)


def _texts(page: str) -> Iterator[tuple[str, str]]:
    return ((part["name"], part["text"]) for part in _PART.finditer(page))


def main(arguments: Sequence[str]) -> int:
    path = ROOT / PAGE
    page = path.read_text("utf-8")
    old = list(stale(page))
    if "--write" in arguments and old:
        path.write_text(made(page), "utf-8")
    verb = "made anew" if "--write" in arguments else "no longer true"
    sys.stdout.write("".join(f"{verb}: {name}\n" for name in old))
    return 0 if "--write" in arguments or not old else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
