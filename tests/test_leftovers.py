"""What a command leaves behind when it ends, however it ends: no process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.generate import generate
from benchmarks.population import Population
from tests.conftest import NODESPEC, Checkout

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")


def session(leader: int) -> list[int]:
    """The processes of a session that have not ended."""
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = place.read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        if int(fields[3]) == leader and fields[0] != "Z":
            found.append(int(place.parent.name))
    return found


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("many") / "registry"
    generate(folder, Population(seed=3, nodes=3_000, types=8), 1)
    return folder


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_command_that_is_ended_takes_everybody_along(
    registry: Path, home: dict[str, str], how: signal.Signals
) -> None:
    command = [NODESPEC, "validate", "--at", "HEAD", "--jobs", "2", "--ignore", "P", "--no-index"]
    process = subprocess.Popen(
        command, cwd=registry, env={**os.environ, **home}, start_new_session=True, stdout=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while len(session(process.pid)) < 5:  # git, the sandbox, and two workers
        assert process.poll() is None, "it ended before all were there"
        assert time.monotonic() < deadline
    process.send_signal(how)
    process.wait(timeout=60)
    while session(process.pid):
        assert time.monotonic() < deadline, "somebody is still there"


def test_a_command_that_ends_by_itself_leaves_nobody(example: Checkout) -> None:
    for words in (("validate",), ("validate", "--at", "HEAD"), ("query", "--at", "HEAD"), ("validate", "nowhere")):
        process = subprocess.Popen(
            [NODESPEC, *words],
            cwd=example.path,
            env={**os.environ, **example.environment},
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        process.wait(timeout=60)
        assert session(process.pid) == [], words


@pytest.mark.parametrize(
    ("words", "code"),
    [(("validate",), 0), (("validate", "--at", "nothing"), 2), (("query", "--signal", "nothing"), 4), (("-x",), 2)],
)
def test_a_full_standard_error_does_not_change_the_exit_code(
    example: Checkout, words: tuple[str, ...], code: int
) -> None:
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = subprocess.run(
            [NODESPEC, *words],
            cwd=example.path,
            env={**os.environ, **example.environment},
            stdout=subprocess.DEVNULL,
            stderr=full,
            check=False,
        )
    assert done.returncode == code
