"""The progress bar: on a terminal, for work over a second, and nowhere else."""

from __future__ import annotations

import os
import pty
import subprocess
from typing import TYPE_CHECKING

import pytest

from benchmarks.generate import generate
from benchmarks.population import Population
from tests.conftest import NODESPEC

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large") / "registry"
    generate(folder, Population(seed=7, nodes=6000, types=20), 1, bare=False)
    return folder


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_bar_is_drawn_on_a_terminal_and_leaves_no_trace_in_the_answer(large: Path, jobs: str) -> None:
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [NODESPEC, "validate", "--jobs", jobs, "--color", "never"],
        cwd=large,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100"},
        stdout=subprocess.PIPE,
        stderr=follower,
    )
    os.close(follower)
    drawn = b""
    try:
        while part := os.read(leader, 65536):
            drawn += part
    except OSError:
        pass  # the other side closed: the end of the output on Linux
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert b"judging" in drawn
    assert out.startswith(b"no findings in")


def test_nothing_is_drawn_in_a_pipe(large: Path) -> None:
    done = subprocess.run([NODESPEC, "validate", "--jobs", "1"], cwd=large, capture_output=True)
    assert done.returncode == 0
    assert done.stderr == b""
