"""Those who watch a work tree: Git's own file system monitor, and one that says what a test makes it say.

Git has a monitor on macOS, and from 2.55 on Linux. The other one speaks the same protocol anywhere, and can answer what
Git's would not: too late, in halves, or something else altogether.
"""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.conftest import Checkout

PLACE = "fsmonitor--daemon.ipc"
Snapshot = dict[str, tuple[int, ...]]


def packet(data: bytes) -> bytes:
    """Return data as Git frames it."""
    return b"%04x%s" % (len(data) + 4, data)


def session_now() -> str:
    """Return how the tokens of a monitor begin that begins now."""
    return f"builtin:0.{os.getpid()}.{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}:"


def message(*texts: str) -> bytes:
    """Return a whole answer: each text ended by a NUL, and the end."""
    return packet("".join(f"{text}\0" for text in texts).encode("utf-8", "surrogateescape")) + b"0000"


class Listener:
    """Listens where Git's monitor would, until it is closed; ``answer`` makes an answer of a question."""

    def __init__(self, folder: Path, answer: Callable[[bytes], bytes]) -> None:
        self.asked: list[bytes] = []
        self.answer = answer
        self.interrupted = threading.Event()
        self._line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._place = folder / PLACE
        before = os.getcwd()
        try:
            os.chdir(folder)  # an address holds some hundred bytes, and a test's folder has a long name
            self._line.bind(PLACE)
        finally:
            os.chdir(before)
        self._line.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                line, _ = self._line.accept()
            except OSError:
                return
            with line, line.makefile("rb") as file:
                question = file.read(int(file.read(4), 16) - 4)
                assert file.read(4) == b"0000"
                self.asked.append(question)
                try:
                    line.sendall(self.answer(question))
                except OSError:  # whoever asked has heard enough
                    self.interrupted.set()

    def close(self) -> None:
        """Stop listening."""
        self._line.shutdown(socket.SHUT_RDWR)
        self._line.close()
        self._thread.join()
        self._place.unlink()


class Watcher:
    """A truthful monitor: it compares the files with what they were when it was last asked, each time it is told to."""

    def __init__(self, place: Checkout) -> None:
        self.root = place.path
        self.seen: list[str] = []
        self.session = session_now()
        self.was = self._files()
        self.listener = Listener(place.path / ".git", self._answer)

    def _files(self) -> Snapshot:
        found: Snapshot = {}
        for folder, below, files in os.walk(self.root):
            if ".git" in below and folder == str(self.root):
                below.remove(".git")
            for name in (*below, *files):
                path = os.path.join(folder, name)
                status = os.lstat(path)
                times = () if os.path.isdir(path) and not os.path.islink(path) else (status.st_ctime_ns, status.st_size)
                found[os.path.relpath(path, self.root)] = (status.st_mode, status.st_ino, *times)
        return found

    def _answer(self, question: bytes) -> bytes:
        now = self._files()
        self.seen += sorted(path for path in {*self.was, *now} if self.was.get(path) != now.get(path))
        self.was = now
        known = question.decode().removeprefix(self.session)
        return message(f"{self.session}{len(self.seen)}", *(self.seen[int(known) :] if known.isdigit() else ["/"]))

    def close(self) -> None:
        """Stop watching."""
        self.listener.close()


SOON_NS = 50_000_000


def rest(place: Checkout) -> None:
    """Wait until a monitor that begins now believes in every folder: until none has changed within ``SOON_NS``."""
    while any(
        os.lstat(folder).st_ctime_ns + SOON_NS >= time.time_ns() for folder, _, _ in os.walk(place.path / "registry")
    ):
        time.sleep(SOON_NS / 5e9)


@contextmanager
def watched(place: Checkout, *, by_git: bool) -> Iterator[None]:
    """Let a work tree be watched."""
    rest(place)
    if by_git:
        place.git("config", "core.fsmonitor", "true")
        subprocess.run(["git", "fsmonitor--daemon", "start"], cwd=place.path, check=True, capture_output=True)
        try:
            yield
        finally:
            stop = ["git", "fsmonitor--daemon", "stop"]
            subprocess.run(stop, cwd=place.path, check=False, capture_output=True)  # it may have ended by itself
    else:
        watcher = Watcher(place)
        try:
            yield
        finally:
            watcher.close()
