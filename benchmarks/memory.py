"""How much memory the largest process of a command takes: judging everything, building the index, remembering."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.promises import program
from benchmarks.whole import UNSIGNED, unsigned

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_WATCHED = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(done.returncode, used if sys.platform == "darwin" else used * 1024)
"""
"""Run a command, and say its exit code and the most bytes that it, or a process that it waited for, had in memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A command's most resident bytes in one process."""

    name: str
    most: int


def measure(folder: Path, nodes: int) -> Iterator[Held]:
    """Measure a registry of so many nodes."""
    registry = unsigned(folder, nodes)
    index = ("--index", f"{folder}/memory.sqlite3")
    commands = {
        "validate --no-index --jobs 2": ("validate", "--no-index", "--jobs", "2", *UNSIGNED),
        "query, the index being built": ("query", "--at", "HEAD", "--format", "ids", *index),
        "validate, its verdict being kept": ("validate", "--at", "HEAD", *index, *UNSIGNED),
    }
    for name, words in commands.items():
        asked = [sys.executable, "-c", _WATCHED, program("nodespec"), *words]
        done = subprocess.run(asked, cwd=registry, capture_output=True, text=True, check=True)
        code, used = map(int, done.stdout.split())
        if code:
            raise RuntimeError(f"nodespec {name} ended with {code}")
        yield Held(name=f"nodespec {name}, {nodes:,} nodes", most=used)
