"""What a deployment on Lambda is made of: code, and a layer with the configuration.

``python -m jitcloud.packaging FOLDER`` writes both to ``build/`` of a checkout; ``make package``
adds the libraries. Nothing is fetched here, and nothing secret is taken in: in a fleet of
functions no file holds a key, and whoever may read the layer reads all of it.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import BaseModel

from jitcloud import adapters
from jitcloud.catalog import Catalog
from jitcloud.clock import utc_now
from jitcloud.errors import JitError, Misconfigured
from jitcloud.files import MIB
from jitcloud.function_rights import stack
from jitcloud.settings import FILE, Settings, read_settings
from jitcloud.text import printable

ROOT = Path(__file__).parents[1]
"""Of the checkout: functions and template are no part of the installed package."""

NOT_DEPLOYED = ("cli", "emulators", "starter")
"""Folders of the package that no function needs."""

LAYER = "jitcloud"
"""Lambda unpacks a layer at /opt: the functions find the configuration at /opt/jitcloud."""

MOST_FILES = 2000
MOST_BYTES = 50 * MIB
"""Of the configuration. Lambda takes 250 MB unzipped, of code and layers together."""

_PRIVATE = b"PRIVATE KEY-----"
_SQLITE = b"SQLite format 3\0"
_RECORDS = (".db", ".db-wal", ".db-shm")


def code(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield what of our own the functions run: the name of each file there, and where it is.

    Raises ``Misconfigured`` where there is no checkout.
    """
    if not (root / "functions").is_dir():
        raise Misconfigured(
            f"There are no functions in {printable(str(root))}; run this in a checkout of jitcloud."
        )
    for path in sorted((root / "functions").glob("*.py")):
        yield f"functions/{path.name}", path
    package = root / "jitcloud"
    for path in sorted(package.rglob("*")):
        inside = path.relative_to(package)
        is_ours = inside.parts[0] not in NOT_DEPLOYED and "__pycache__" not in inside.parts
        if path.is_file() and is_ours:
            yield f"jitcloud/{inside.as_posix()}", path


def configuration(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files of a deployment's folder, hidden ones left out.

    Raises ``Misconfigured`` with all that must not be in a layer.
    """
    wrong: list[str] = []
    found: list[tuple[str, Path]] = []
    total = 0
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        if any(part.startswith(".") or part == "__pycache__" for part in inside.parts):
            continue
        if path.is_symlink() or path.is_file():
            why = _unfit(path)
            total += 0 if why else path.stat().st_size
            found.append((inside.as_posix(), path))
            if why:
                wrong.append(f"{printable(inside.as_posix())} {why}")
        if len(found) > MOST_FILES or total > MOST_BYTES:
            raise Misconfigured(
                f"{printable(str(folder))} holds more than {MOST_FILES:,} files or"
                f" {MOST_BYTES // MIB} MiB; name the folder of {FILE}, with nothing else in it."
            )
    if wrong:
        raise Misconfigured("\n".join(wrong))
    return iter(found)


def _unfit(path: Path) -> str:
    if path.is_symlink():
        return "is a symbolic link; put the file itself there."
    if path.name.endswith(_RECORDS):
        return "is the record of one machine; move it elsewhere, functions keep theirs in a table."
    try:
        with path.open("rb") as file:
            begin = file.read(MIB)
    except OSError as exc:
        return f"cannot be read ({exc.strerror})."
    if begin.startswith(_SQLITE):
        return "is a database; move it elsewhere."
    if _PRIVATE in begin:
        return "holds a private key; move it elsewhere, functions sign with a key of KMS."
    return ""


def check(settings: Settings) -> None:
    """Raise ``Misconfigured`` with all in it that functions cannot work with."""
    wrong = []
    if settings.store.kind != "dynamodb":
        wrong.append('store: functions have no disk; write kind = "dynamodb".')
    if settings.signing.kind != "kms":
        wrong.append('signing: functions hold no key; write kind = "kms".')
    if settings.sign_in is None:
        wrong.append("sign_in: nobody could say who they are; see docs/sign-in.md.")
    if settings.trial.unsafe_act_as_anyone:
        wrong.append("trial.unsafe_act_as_anyone: this is no trial; take it out.")
    if settings.journal is not None and settings.journal.path is not None:
        wrong.append("journal: functions have no disk; name a bucket instead of a path.")
    if settings.anchors is not None and settings.anchors.path is not None:
        wrong.append("anchors: functions have no disk; name a bucket instead of a path.")
    wrong += [
        f"{name}: whoever may read a layer reads all of it; name a variable instead."
        for name in _secret_files(settings, "")
    ]
    if wrong:
        raise Misconfigured("\n".join(f"{FILE}: {line}" for line in wrong))


def _secret_files(of: BaseModel, begins: str) -> Iterator[str]:
    """Yield the keys that say in which file a secret is."""
    for key in sorted(of.model_fields_set):
        value = getattr(of, key)
        if key.endswith("_file") and value:
            yield f"{begins}{key}"
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, BaseModel):
                yield from _secret_files(part, f"{begins}{key}.")


def package(folder: Path, build: Path, root: Path = ROOT) -> Sequence[str]:
    """Write code, configuration and rights of a deployment to ``build``; return what to know.

    What an earlier call wrote there is taken away first. Raises ``Misconfigured``.
    """
    settings = read_settings(folder / FILE)
    check(settings)
    files = list(configuration(folder))
    template, notes = rights(folder, settings)
    _write(build / "code", code(root))
    _write(build / "configuration" / LAYER, files)
    (build / "rights.json").write_text(json.dumps(template, indent=2) + "\n", "utf-8")
    return notes


def rights(folder: Path, settings: Settings) -> tuple[Mapping[str, object], Sequence[str]]:
    """Return a template with what the functions may do in clouds, and what to know about that.

    Raises ``Misconfigured``.
    """
    mechanisms, _ = adapters.clouds(settings, utc_now)
    catalog = Catalog.load(folder / settings.catalog, mechanisms)
    written, notes = adapters.rights_of(settings, catalog, to_end=False)
    return stack(written.get("aws", {})), notes


def _write(into: Path, files: Iterator[tuple[str, Path]] | Sequence[tuple[str, Path]]) -> None:
    if into.exists():
        shutil.rmtree(into)
    for name, path in files:
        target = into / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)


def main(arguments: Sequence[str]) -> int:
    """Package the folder that is named; say what is wrong on standard error."""
    if len(arguments) != 1:
        sys.stderr.write("jitcloud: say which folder has jitcloud.toml, and no more than that.\n")
        return 2
    try:
        notes = package(Path(arguments[0]), ROOT / "build")
    except JitError as exc:
        sys.stderr.write(f"jitcloud: {exc}\n")
        return 1
    for note in notes:
        sys.stderr.write(f"jitcloud: {note}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
