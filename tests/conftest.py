"""What many tests stand on: the command as a real process, and the example registry as a real repository."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from jsonschema import Draft7Validator

ROOT = Path(__file__).parents[1]
NODESPEC = Path(sys.executable).with_name("nodespec")
ADAPTER = "matriz.memory.adapter/memoria_adapter_v1"
ADAPTER_FILE = "registry/nodes/matriz/memory/adapter/memoria_adapter_v1.yaml"


@dataclass
class Checkout:
    """A repository with the example registry, and the command run inside it."""

    path: Path
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *arguments: str, stdin: bytes = b"", **variables: str) -> subprocess.CompletedProcess[str]:
        """Run ``nodespec`` as a process of its own, without a terminal."""
        environment = {**os.environ, **self.environment, **variables}
        done = subprocess.run(
            [NODESPEC, *arguments], cwd=self.path, env=environment, input=stdin, capture_output=True, timeout=120
        )
        assert b"Traceback" not in done.stderr, done.stderr.decode()
        return subprocess.CompletedProcess(
            done.args, done.returncode, done.stdout.decode("utf-8"), done.stderr.decode("utf-8")
        )

    def git(self, *arguments: str, date: str = "") -> str:
        """Run git here with a fixed identity; return what it prints."""
        who = {"GIT_AUTHOR_NAME": "Ada", "GIT_COMMITTER_NAME": "Ada"}
        who |= {"GIT_AUTHOR_EMAIL": "ada@example.org", "GIT_COMMITTER_EMAIL": "ada@example.org"}
        if date:
            who |= {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
        done = subprocess.run(
            ["git", *arguments], cwd=self.path, env={**os.environ, **who}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def git_input(self, *arguments: str, text: str) -> str:
        """Run git here with ``text`` on its standard input; return what it prints."""
        command = ["git", *arguments]
        done = subprocess.run(command, cwd=self.path, input=text, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def commit(self, message: str = "change", *, date: str = "") -> str:
        """Commit everything; return the commit's id."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message, date=date)
        return self.git("rev-parse", "HEAD")

    def read(self, path: str) -> str:
        return (self.path / path).read_text(encoding="utf-8")

    def write(self, path: str, text: str | bytes) -> None:
        target = self.path / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text.encode() if isinstance(text, str) else text)

    def replace(self, path: str, old: str, new: str) -> None:
        text = self.read(path)
        assert old in text
        self.write(path, text.replace(old, new, 1))

    def files(self) -> dict[str, bytes]:
        """Every file of the work tree with its bytes."""
        found = (path for path in self.path.rglob("*") if path.is_file() and ".git" not in path.parts)
        return {str(path.relative_to(self.path)): path.read_bytes() for path in found}


@pytest.fixture(scope="session", autouse=True)
def nobody(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Let no test look into, or write to, the configuration of whoever runs it."""
    os.environ["NODESPEC_HOME"] = str(tmp_path_factory.mktemp("nobody"))


@pytest.fixture
def home(tmp_path: Path) -> dict[str, str]:
    """An empty configuration folder and a passphrase, as environment variables."""
    secret = tmp_path / "passphrase"
    secret.write_text("correct horse battery staple\n")
    return {"NODESPEC_HOME": str(tmp_path / "home"), "NODESPEC_PASSPHRASE_FILE": str(secret), "NO_COLOR": "1"}


@pytest.fixture
def empty(tmp_path: Path, home: dict[str, str]) -> Checkout:
    """A folder with nothing in it."""
    folder = tmp_path / "place"
    folder.mkdir()
    return Checkout(folder, home)


@pytest.fixture
def example(empty: Checkout) -> Checkout:
    """The example registry without its seal, so that tests may change what it protects, committed once."""
    shutil.copytree(ROOT / "registry", empty.path / "registry", ignore=shutil.ignore_patterns("seal.dsse.json"))
    shutil.copytree(ROOT / "schemas", empty.path / "schemas")
    empty.git("init", "-q", "-b", "main")
    empty.commit("The example registry", date="2026-01-10T12:00:00Z")
    return empty


@pytest.fixture
def published() -> dict[str, str]:
    """The environment in which the published example keys sign."""
    keys = ROOT / "tests" / "keys"
    return {"NODESPEC_HOME": str(keys), "NODESPEC_PASSPHRASE_FILE": str(keys / "passphrase.txt")}


KILLED = """
import os, sys
left = [int(sys.argv[1])]
from contextlib import contextmanager
from nodespec.index import store
real = store.Store.writing
@contextmanager
def writing(self):
    with real(self) as database:
        def trace(statement):
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), 9)
        database.set_trace_callback(trace)
        yield database
store.Store.writing = writing
from nodespec.cli import main
main(sys.argv[2:])
"""
"""Run the command, and be killed at the statement of that number that writes into the index."""


def as_mere_owner() -> list[str]:
    """Return what makes root heed file modes, as everybody else does."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root reads everything, and there is no setpriv to stop it")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all"]


@pytest.fixture(scope="session")
def sarif() -> Draft7Validator:
    """The schema of SARIF 2.1.0 (OASIS), as a validator."""
    path = Path(__file__).parents[1] / ".cache" / "sarif" / "sarif-schema-2.1.0.json"
    if not path.is_file():
        pytest.skip("the schema of SARIF is not here; run: python tests/fetch_vectors.py")
    return Draft7Validator(json.loads(path.read_bytes()))
