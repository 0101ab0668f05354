"""How a program is run: in what surroundings, for how long, and what is left of it."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
from pydantic import BaseModel

from jitcloud.errors import Misconfigured, Unavailable
from jitcloud.programs import LAST_WORDS, LONGEST_ANSWER, OperatorProgram, passed_on
from tests.operator_programs import Lifeline, script, written


class Said(BaseModel):
    said: str = ""


@pytest.fixture
def lifeline(tmp_path: Path) -> Iterator[Lifeline]:
    line = Lifeline(tmp_path)
    yield line
    line.close()


def ask(program: OperatorProgram) -> str:
    return program.ask({"q": 1}, Said).said


def until_started(program: OperatorProgram) -> OperatorProgram:
    """The same, whose time is up as soon as it has written the file ``started``."""
    started = program.folder / "started"
    return replace(program, timer=lambda: 1e9 if started.exists() else 0.0)


def python(folder: Path, text: str) -> OperatorProgram:
    written(folder, text)
    return OperatorProgram(
        command=[sys.executable, "-I", "program"],
        folder=folder,
        timeout=timedelta(seconds=30),
        environment={},
    )


# ── Surroundings ──


def test_no_shell_reads_the_arguments(tmp_path: Path) -> None:
    arguments = ["$(touch gone)", "*", "; exit 1", "a b", "", "'\"\\", "ß\n\x1b"]
    text = "import json, sys; print(json.dumps({'said': json.dumps(sys.argv[1:])}))"
    program = python(tmp_path, text)
    program = replace(program, command=[*program.command, *arguments])
    assert json.loads(ask(program)) == arguments
    assert not (tmp_path / "gone").exists()


def test_it_runs_in_the_folder_in_a_session_of_its_own_with_nothing_else_open(
    tmp_path: Path,
) -> None:
    text = (
        "import json, os; said = [os.getcwd(), os.getsid(0) == os.getpid(),"
        " sorted(map(int, os.listdir('/dev/fd')))[:3], len(os.listdir('/dev/fd'))];"
        " print(json.dumps({'said': json.dumps(said)}))"
    )
    with (tmp_path / "other").open("w") as other:
        fcntl.fcntl(other, fcntl.F_SETFD, 0)
        said = json.loads(ask(python(tmp_path, text)))
    assert said == [str(tmp_path.resolve()), True, [0, 1, 2], 4]  # and the list itself


def test_a_relative_path_begins_at_the_folder_wherever_jitcloud_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "srv"
    (folder / "bin").mkdir(parents=True)
    program = script(folder / "bin", """echo '{"said": "here"}'""")
    monkeypatch.chdir(tmp_path)
    for where in (folder, Path("srv")):
        assert ask(replace(program, command=["bin/program"], folder=where)) == "here"
        assert ask(replace(program, command=["./bin/program"], folder=where)) == "here"


def test_a_name_alone_is_looked_for_on_the_path_and_not_in_the_folder(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    program = replace(script(tmp_path, """echo '{"said": "here"}'"""), command=["program"])
    with pytest.raises(Misconfigured, match="cannot be started"):
        ask(program)
    environment = {"PATH": f"{tmp_path}{os.pathsep}{os.defpath}"}
    assert ask(replace(program, folder=other, environment=environment)) == "here"
    assert ask(replace(program, command=[str(tmp_path / "program")], folder=other)) == "here"


def test_it_gets_what_it_is_given_and_nothing_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hunter2")
    text = "import json, os; print(json.dumps({'said': ' '.join(sorted(os.environ))}))"
    program = replace(python(tmp_path, text), environment={"TZ": "UTC", "OKTA_TOKEN": "secret"})
    assert set(ask(program).split()) - {"LC_CTYPE"} == {"TZ", "OKTA_TOKEN"}
    assert "secret" not in repr(program)


def test_only_what_is_named_is_passed_on() -> None:
    ours = {
        "PATH": "/bin", "HOME": "/home", "LC_ALL": "C", "https_proxy": "http://proxy",
        "AWS_SECRET_ACCESS_KEY": "s", "AWS_PROFILE": "s", "AZURE_CLIENT_SECRET": "s",
        "GOOGLE_APPLICATION_CREDENTIALS": "s", "JITCLOUD_CONFIG": "s", "OKTA_TOKEN": "t",
        "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "s", "PYTHONPATH": "s", "LD_PRELOAD": "s", "XLC_": "s",
    }  # fmt: skip
    assert passed_on(ours).keys() == {"PATH", "HOME", "LC_ALL", "https_proxy"}
    assert passed_on(ours, ["OKTA_TOKEN", "MISSING"]).keys() - passed_on(ours).keys() == {
        "OKTA_TOKEN"
    }


# ── What it says, and does not say ──


def test_what_it_writes_to_standard_error_means_nothing_while_it_ends_well(tmp_path: Path) -> None:
    assert ask(script(tmp_path, """echo warning >&2; echo '{"said": "yes"}'""")) == "yes"


def test_it_need_not_read_the_question(tmp_path: Path) -> None:
    assert ask(script(tmp_path, """exec <&-; echo '{"said": "yes"}'""")) == "yes"


def test_the_end_of_the_question_can_be_waited_for(tmp_path: Path) -> None:
    assert ask(script(tmp_path, """cat > question; cat > more; echo '{"said": "yes"}'""")) == "yes"
    assert json.loads((tmp_path / "question").read_text()) == {"q": 1}
    assert (tmp_path / "more").read_text() == ""


def test_an_answer_may_come_in_pieces_and_before_the_end(tmp_path: Path) -> None:
    text = """printf '{"said":'; echo x >&2; printf '"yes"}'; exec >&- 2>&-; : > "$0.done" """
    assert ask(script(tmp_path, text)) == "yes"
    assert (tmp_path / "program.done").exists()


def test_a_large_answer_is_read_and_a_larger_one_is_not(tmp_path: Path) -> None:
    (tmp_path / "answer").write_text(json.dumps({"said": "x" * 2_000_000}))
    assert len(ask(script(tmp_path, "cat answer"))) == 2_000_000
    with pytest.raises(Unavailable, match=f"more than {LONGEST_ANSWER} bytes"):
        ask(script(tmp_path, "exec cat /dev/zero"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("exit 3", "ended with exit code 3 without a word; mend it"),
        ("kill -9 $$", "ended by signal 9 without a word; mend it"),
        ("echo first >&2; echo 'ldap: no route' >&2; exit 1", 'code 1 and said "ldap: no route";'),
        ("printf 'last\\n \\n\\n' >&2; exit 1", 'and said "last";'),
        (
            "printf '\\033[31mred\\a \\377 \\342\\200\\256' >&2; exit 1",
            "\\x1b[31mred\\x07 � \\u202e",
        ),
        ("""echo '{"said": "yes"}'; exit 1""", "ended with exit code 1"),
        ("yes word | head -c 300000 >&2; echo end >&2; exit 1", 'and said "end";'),
        (f"head -c {3 * LAST_WORDS} /dev/zero | tr '\\0' x >&2; exit 1", "x" * 200 + "…"),
    ],
    ids=["code", "signal", "last-line", "blank-lines", "escapes", "answer-too", "much", "no-line"],
)
def test_a_failure_is_told_by_its_last_line(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(Unavailable, match=r'^The program "\./program" ended') as caught:
        ask(script(tmp_path, text))
    assert said in str(caught.value)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


def test_of_all_that_it_complains_only_the_end_is_kept(tmp_path: Path) -> None:
    program = script(tmp_path, "yes word | head -c 20000000 >&2; echo end >&2; exit 1")
    tracemalloc.start()
    try:
        with pytest.raises(Unavailable, match='and said "end"'):
            ask(program)
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ["missing", "not-executable", "no-interpreter", "folder", "data"])
def test_what_cannot_be_started_is_for_an_operator(tmp_path: Path, kind: str) -> None:
    program = script(tmp_path, "exit 0")
    path = tmp_path / "program"
    match kind:
        case "missing":
            path.unlink()
        case "not-executable":
            path.chmod(0o600)
        case "no-interpreter":
            path.write_text("#!/nowhere/python3\n")
        case "folder":
            path.unlink()
            path.mkdir()
        case _:
            path.write_text("no program\n")
    with pytest.raises(Misconfigured, match=r'"\./program" cannot be started \(') as caught:
        ask(program)
    assert not isinstance(caught.value, Unavailable)


def test_what_cannot_be_started_for_now_may_be_later(tmp_path: Path) -> None:
    program = script(tmp_path, """echo '{"said": "yes"}'""")
    # A program that is being written cannot be run: ETXTBSY.
    binary = tmp_path / "busy"
    binary.write_bytes(Path("/bin/sh").read_bytes())
    binary.chmod(0o700)
    busy = replace(program, command=["./busy", "./program"])
    with (
        binary.open("r+b"),
        pytest.raises(Unavailable, match=os.strerror(errno.ETXTBSY)),
    ):
        ask(busy)
    assert ask(busy) == "yes"


# ── Its end ──


def test_a_program_that_takes_too_long_is_killed(tmp_path: Path, lifeline: Lifeline) -> None:
    text = "trap '' TERM INT; exec 9> lifeline; echo >&9; : > started; while :; do sleep 60; done"
    with pytest.raises(Unavailable, match="no answer within 30 seconds; see what it waits for"):
        ask(until_started(script(tmp_path, text)))
    assert lifeline.was_held()


def test_so_is_one_that_has_answered_and_does_not_end(tmp_path: Path, lifeline: Lifeline) -> None:
    text = """exec 9> lifeline; echo >&9; echo '{"said": "yes"}'; exec >&- 2>&-; : > started"""
    with pytest.raises(Unavailable, match="no answer within"):
        ask(until_started(script(tmp_path, f"{text}; sleep 60")))
    assert lifeline.was_held()


@pytest.mark.skipif(not hasattr(os, "waitid"), reason="macOS before Python 3.13 leaves it alone")
def test_what_it_leaves_behind_is_killed_and_not_waited_for(
    tmp_path: Path, lifeline: Lifeline
) -> None:
    # It holds both outputs open.
    text = """exec 9> lifeline; echo >&9; sleep 3600 & echo '{"said": "yes"}'"""
    assert ask(script(tmp_path, text)) == "yes"
    assert lifeline.was_held()


def test_one_that_gets_away_is_not_waited_for_either(tmp_path: Path) -> None:
    program = python(
        tmp_path,
        "import os, subprocess\n"
        "away = subprocess.Popen(['sleep', '3600'], start_new_session=True)\n"
        'print(\'{"said": "%d"}\' % away.pid, flush=True)\n'
        "os._exit(0)\n",
    )
    away = int(ask(replace(program, environment={"PATH": os.defpath})))
    os.kill(away, signal.SIGKILL)  # it is there to be killed


def test_one_that_never_stops_writing_is_heard_for_its_time_alone(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no answer within"):
        ask(until_started(script(tmp_path, ": > started; exec yes complaint >&2")))


def test_time_passes_by_itself(tmp_path: Path) -> None:
    program = replace(script(tmp_path, "sleep 60"), timeout=timedelta(milliseconds=50))
    with pytest.raises(Unavailable, match=r"within 0\.05 seconds"):
        ask(program)


def test_whoever_interrupts_jitcloud_interrupts_it_too(tmp_path: Path, lifeline: Lifeline) -> None:
    ticks = count()

    def interrupting() -> float:
        if (tmp_path / "started").exists():
            raise KeyboardInterrupt
        return float(next(ticks)) / 1e6

    text = "exec 9> lifeline; echo >&9; : > started; sleep 60"
    with pytest.raises(KeyboardInterrupt):
        ask(replace(script(tmp_path, text), timer=interrupting))
    assert lifeline.was_held()


def test_an_end_that_nobody_saw_is_no_success(tmp_path: Path) -> None:
    script(tmp_path, """echo '{"said": "yes"}'; exit 1""")
    code = """
import signal
from datetime import timedelta
from pathlib import Path
from pydantic import BaseModel
from jitcloud.errors import Misconfigured
from jitcloud.programs import OperatorProgram

class Said(BaseModel):
    said: str

signal.signal(signal.SIGCHLD, signal.SIG_IGN)
program = OperatorProgram(
    command=["./program"], folder=Path(), timeout=timedelta(seconds=30), environment={}
)
try:
    program.ask({}, Said)
except Misconfigured as exc:
    print(exc)
"""
    ran = subprocess.run(  # noqa: S603 - our own interpreter and text
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "ended cannot be told" in ran.stdout
    assert ran.stderr == ""


def test_nothing_is_left_open(tmp_path: Path) -> None:
    program = script(tmp_path, """echo '{"said": "yes"}'""")
    before = _open_here()
    for text in ("exit 1", "kill -9 $$", """echo '{"said": "yes"}'"""):
        with suppress(Unavailable):
            ask(script(tmp_path, text))
    (tmp_path / "program").unlink()
    with suppress(Misconfigured):
        ask(program)
    assert _open_here() == before


def _open_here() -> int:
    return len(list(Path("/dev/fd").iterdir()))
