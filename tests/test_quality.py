"""Lint, types and generated documents, as tests: what `make lint` runs."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
        ["zizmor", "--offline", "--quiet", ".github/workflows"],
        ["check-jsonschema", "--builtin-schema", "vendor.github-workflows", ".github/workflows/ci.yml"],
        ["python", "tools/pages.py", "--check"],
    ],
    ids=lambda command: " ".join(command[:2]),
)
def test_the_house_is_in_order(command: list[str]) -> None:
    done = subprocess.run([BIN / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_locks_carry_hashes_and_name_every_dependency() -> None:
    for name in ("runtime", "dev"):
        lock = (ROOT / "locks" / f"{name}.txt").read_text(encoding="utf-8")
        pins = [line for line in lock.splitlines() if line and not line.startswith((" ", "#"))]
        assert pins
        assert all("==" in pin and pin.rstrip().endswith("\\") for pin in pins)
        assert lock.count("--hash=sha256:") >= len(pins)
        assert "://" not in lock
