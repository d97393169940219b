"""The progress bar: on a terminal, for work that takes long, and nowhere else.

How long is long is set to nothing here, so that no machine is too quick to be shown one.
"""

from __future__ import annotations

import os
import pty
import select
import subprocess
from typing import TYPE_CHECKING

import pytest

from benchmarks.generate import generate
from benchmarks.population import Population
from tests.conftest import NODESPEC

if TYPE_CHECKING:
    from pathlib import Path

UNSIGNED = ["--ignore", "P"]
"""The generator signs nothing."""

IMPATIENT = """
import sys
from nodespec.cli import main, terminal
terminal.PATIENCE = 0.0
main(sys.argv[1:])
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large") / "registry"
    generate(folder, Population(seed=7, nodes=3_000, types=30), 1, bare=False)
    return folder


@pytest.mark.parametrize(
    ("command", "word", "answer"),
    [
        (["validate", *UNSIGNED, "--jobs", "1", "--no-index"], b"judging", b"no findings in"),
        (["validate", *UNSIGNED, "--jobs", "2", "--no-index"], b"judging", b"no findings in"),
        (["query", "--no-index", "--format", "ids"], b"reading", b"matriz."),
        (["query", "--index", "{new}", "--format", "ids"], b"reading", b"matriz."),
        (["query", "--index", "{new}", "--format", "ids", "--at", "HEAD"], b"reading", b"matriz."),
    ],
    ids=["validate, one process", "validate, two", "query", "the index is built", "and of a commit"],
)
def test_a_bar_is_drawn_on_a_terminal_and_leaves_no_trace_in_the_answer(
    large: Path, tmp_path: Path, command: list[str], word: bytes, answer: bytes
) -> None:
    words = [part.replace("{new}", str(tmp_path / "index")) for part in command]
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [NODESPEC.with_name("python"), "-c", IMPATIENT, *words],
        cwd=large,
        env={**os.environ, "TERM": "xterm", "NO_COLOR": "1", "COLUMNS": "100"},
        stdout=subprocess.PIPE,
        stderr=follower,
    )
    os.close(follower)
    assert process.stdout is not None
    out, drawn = b"", b""
    waiting = {leader, process.stdout.fileno()}
    while waiting:
        for ready in select.select(list(waiting), [], [], 60)[0]:
            try:
                part = os.read(ready, 65536)
            except OSError:  # the other side of a terminal closed: the end of the output on Linux
                part = b""
            waiting -= set() if part else {ready}
            out, drawn = (out, drawn + part) if ready == leader else (out + part, drawn)
    os.close(leader)
    process.stdout.close()
    assert process.wait(timeout=60) == 0
    assert word in drawn
    assert out.startswith(answer)
    assert b"\x1b" not in out


def test_nothing_is_drawn_in_a_pipe(large: Path) -> None:
    command = [NODESPEC.with_name("python"), "-c", IMPATIENT, "validate", *UNSIGNED, "--no-index"]
    done = subprocess.run(command, cwd=large, capture_output=True)
    assert done.returncode == 0
    assert done.stderr == b""
