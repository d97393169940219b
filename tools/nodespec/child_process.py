"""A helper process, spoken to over one socket that is its standard input and output.

It is a socket and not a pipe, because writing to a process that has ended must be an error here: a pipe would raise
SIGPIPE, which ends the command line by design. The helper ends when its holder closes the socket, and holds no state
worth saving. A process that is forked meanwhile must close its copy (:func:`let_go`), or the helper would live on.
"""

from __future__ import annotations

import os
import socket
import subprocess
import weakref
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import IO

_QUIET = getattr(socket, "MSG_NOSIGNAL", 0)
_SO_NOSIGPIPE = 0x1022
"""Darwin's option for what Linux does with MSG_NOSIGNAL (sys/socket.h)."""


_RUNNING: weakref.WeakSet[Child] = weakref.WeakSet()


def let_go() -> None:
    """End every program that this process speaks to; one that was started by whom it was forked from goes on there."""
    running = list(_RUNNING)
    for child in running:  # all at once, and then each is waited for
        if child.holder == os.getpid() and child.end.alive:
            child.process.kill()
    for child in running:
        child.end()


class Child:
    """A running program.

    ``socket`` is our end of what it reads and writes, and ``output`` the same to read lines from. Only the process that
    started it, the ``holder``, may use them.
    """

    def __init__(self, command: Sequence[str], *, folder: str, environment: Mapping[str, str]) -> None:
        """Start a program in a folder, in this environment; raise ``OSError`` when it cannot be started."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                if not _QUIET:
                    ours.setsockopt(socket.SOL_SOCKET, _SO_NOSIGPIPE, 1)
                self.process = subprocess.Popen(
                    command,
                    stdin=theirs.fileno(),
                    stdout=theirs.fileno(),
                    stderr=subprocess.DEVNULL,
                    cwd=folder,
                    env=environment,
                )
            except OSError:
                ours.close()
                raise
        self.socket = ours
        self.holder = os.getpid()
        self.output = ours.makefile("rb")
        self.end = weakref.finalize(self, _end, self.process, (self.output, ours), self.holder)
        _RUNNING.add(self)

    def send(self, data: bytes) -> None:
        """Write all of ``data``; raise ``OSError`` when the program has ended."""
        self.socket.sendall(data, _QUIET)


def _end(process: subprocess.Popen[bytes], ours: Iterable[IO[bytes] | socket.socket], holder: int) -> None:
    """Let nothing stay behind; a fork of the holder only lets go of it."""
    for stream in ours:
        with suppress(OSError):
            stream.close()
    if os.getpid() == holder:
        process.kill()
        process.wait()
