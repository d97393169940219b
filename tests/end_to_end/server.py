"""A Git server on loopback, and what a client sees of a push."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.conftest import NODESPEC

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_TRIES = 5
"""Ports that are tried: between asking for a free one and using it, somebody else may take it."""

_PATIENCE = 20.0
"""Seconds until a server that starts at all has started, on a busy machine, too."""


@dataclass(frozen=True)
class Pushed:
    """What came of a push: whether everything was accepted, and what the client's terminal shows."""

    accepted: bool
    shown: str


@dataclass(frozen=True)
class Server:
    """``git daemon`` over a folder of bare repositories."""

    folder: Path
    port: int

    def url(self, name: str) -> str:
        return f"git://127.0.0.1:{self.port}/{name}"

    def host(self, name: str, source: Path, *hooks: str) -> Path:
        """Put a copy of a repository on the server, with these hooks (each as the words of an installation)."""
        path = self.folder / name
        git(source, "clone", "-q", "--bare", str(source), str(path))
        for words in hooks:
            self.install(name, *words.split())
        return path

    def install(self, name: str, *words: str) -> None:
        done = subprocess.run(
            [NODESPEC, "hooks", "install", *words, "--repo", str(self.folder / name)], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr

    def refs(self, name: str) -> str:
        """Every ref with the object that it names, and HEAD."""
        path = self.folder / name
        return git(path, "for-each-ref") + "\n" + git(path, "symbolic-ref", "HEAD")

    def push(self, client: Path, name: str, *words: str) -> Pushed:
        """Push from a client's repository, as a real ``git push`` over the network."""
        environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            ["git", "push", self.url(name), *words], cwd=client, capture_output=True, env=environment, timeout=120
        )
        return Pushed(done.returncode == 0, done.stderr.decode("utf-8", "surrogateescape"))


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def daemon() -> str:
    """Return the path of ``git daemon`` itself; skip where Git came without it."""
    folder = subprocess.run(["git", "--exec-path"], capture_output=True, text=True, check=True).stdout.strip()
    found = shutil.which("git-daemon", path=folder)
    if found is None:
        pytest.skip("this Git came without git daemon")
    return found


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """Serve a folder on a free port of this machine, for as long as the block runs."""
    program = daemon()
    folder.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    for _ in range(_TRIES):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        words = ["--reuseaddr", "--listen=127.0.0.1", f"--port={port}", "--export-all", "--enable=receive-pack"]
        process = subprocess.Popen(
            [program, *words, f"--base-path={folder}", str(folder)], env=environment, stderr=subprocess.DEVNULL
        )
        try:
            if _answers(process, port):
                yield Server(folder, port)
                return
        finally:
            process.terminate()
            process.wait(timeout=10)
    pytest.fail("no port of this machine could be served")


def _answers(process: subprocess.Popen[bytes], port: int) -> bool:
    """Wait until the server takes connections; say no when it has ended instead."""
    deadline = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return process.poll() is None
        time.sleep(0.01)  # between two attempts, so that a slow start does not take the whole core
    return False
