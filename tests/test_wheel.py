"""What is installed from a wheel works without the checkout: its schemas and templates are in it."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from tests.conftest import ROOT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The contents of a wheel that was built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(installed: Path, where: Path, *words: str) -> subprocess.CompletedProcess[str]:
    secret = where / "passphrase"
    secret.write_text("four random words are best\n")
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(installed),
        "HOME": str(where),
        "NODESPEC_HOME": str(where / "home"),
        "NODESPEC_PASSPHRASE_FILE": str(secret),
    }
    return subprocess.run(words, cwd=where, env=environment, capture_output=True, text=True)


def test_a_wheel_founds_and_judges_a_registry(installed: Path, tmp_path: Path) -> None:
    where = run(installed, tmp_path, sys.executable, "-c", "import nodespec; print(nodespec.__file__)")
    assert where.stdout.startswith(str(installed))
    for words in (["init", "acme"], ["validate", "--repo", "acme"], ["ci", "gitlab", "--repo", "acme"], ["rules"]):
        done = run(installed, tmp_path, sys.executable, "-m", "nodespec", *words)
        assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "acme/schemas/nodespec.v1.schema.json").read_bytes() == (
        ROOT / "schemas/nodespec.v1.schema.json"
    ).read_bytes()


def test_a_wheel_is_typed_and_has_the_command(installed: Path) -> None:
    assert (installed / "nodespec/py.typed").exists()
    (metadata,) = installed.glob("*.dist-info")
    assert "nodespec = nodespec.__main__:run" in (metadata / "entry_points.txt").read_text()
    assert not list(installed.glob("tests"))
