"""Another program, spoken to over one socket that is its standard input and output.

A socket and not a pipe: whoever writes to a program that has ended gets an error here, where a pipe would send SIGPIPE,
of which a command of the terminal is to die. The program ends with whoever holds it, and has nothing to lose. A process
that is forked meanwhile has to let go of it (:func:`let_go`), or the program would outlive its holder.
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
