"""Git's file system monitor, asked which paths of a work tree may have changed.

Where a user has switched it on (``git config core.fsmonitor true``), a process of Git watches the work tree, and
``git status`` asks it instead of looking at every file. It listens at a socket in the Git folder and answers, in
pkt-lines (gitprotocol-common), with a token and the paths that have changed since another token: the answer of a
fsmonitor hook, version 2 (githooks). Before it answers, it has seen every change that was made before the question.

Nothing is started here, and no program that a repository's configuration names is run: either the socket is there, this
user's own, and somebody answers at once, or the files are looked at.
"""

from __future__ import annotations

import os
import re
import stat
import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from nodespec.worktree import own_git_folder

if TYPE_CHECKING:
    import socket

PATIENCE = 1.5
"""Seconds to wait for an answer. Git's own process gives up after one, and then says that anything may have changed."""
LIMIT = 1 << 20
"""Bytes of an answer, some ten thousand paths. Beyond it, looking at every file is no slower."""

_BEGAN = re.compile(r"builtin:0\.\d+\.(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)\.(\d{6})Z:\d+", re.ASCII)
"""A token of Git: how often the process has lost its thread, its number, when it began, and how many changes ago."""
_SOCKET = "fsmonitor--daemon.ipc"
_PREFIX = "builtin:"
"""How a token begins. Other words are commands to the process, which a damaged index must not be able to give."""
_UNKNOWN = f"{_PREFIX}none:0"
"""A token that none has given: the answer is a true one, and that anything may have changed."""
_FLUSH, _LENGTH = b"0000", 4
"""The end of a message, and how many hexadecimal digits say how long a packet is, themselves included."""


class Seen(NamedTuple):
    """What the monitor saw up to ``token``: the paths that may have changed, from the top of the work tree.

    ``paths`` is None where anything may have. ``began`` is when the monitor began to watch, in nanoseconds since 1970;
    None where its token does not say.

    **It may overlook changes in folders that were moved, or made anew, while it ran**: Git 2.55 on Linux goes on to
    call what is in a moved folder by its old name, and can lose sight of a folder that was replaced.
    """

    token: str
    paths: tuple[str, ...] | None
    began: int | None


def changed_since(root: str, token: str | None) -> Seen | None:
    """Return what may have changed since an earlier answer, or ever; None where no monitor answers.

    ``root`` is the top of a work tree: elsewhere there is no monitor. Whoever looks at a file after this call knows it
    as it is at the new token, or later.
    """
    with suppress(OSError, ValueError):
        place = _place(root)
        if place is not None:
            return _read(_asked(place, token if token and token.startswith(_PREFIX) else _UNKNOWN))
    return None


def is_running(root: str) -> bool:
    """Say whether a monitor answers here."""
    return changed_since(root, None) is not None


def _place(root: str) -> str | None:
    folder = own_git_folder(root)
    if folder is None:
        return None
    place = os.path.join(folder, _SOCKET)
    place = min(place, os.path.relpath(place), key=len)  # an address holds some hundred bytes
    status = os.lstat(place)
    return place if stat.S_ISSOCK(status.st_mode) and status.st_uid == os.geteuid() else None


def _asked(place: str, token: str) -> bytes:
    """Send a token and return the answer; raise ``OSError`` or ``ValueError`` when there is none in time."""
    import socket  # late: few have a monitor

    until = time.monotonic() + PATIENCE
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(PATIENCE)
        line.connect(place)
        message = token.encode("ascii")
        line.sendall(b"%04x%s%s" % (len(message) + _LENGTH, message, _FLUSH))
        answer = bytearray()
        while (packet := _packet(line, until)) is not None:
            answer += packet
            if len(answer) > LIMIT:
                raise ValueError("more has changed than is worth reading")
        return bytes(answer)


def _packet(line: socket.socket, until: float) -> bytes | None:
    """Read a packet's contents; None at the end of the message."""
    head = _exactly(line, _LENGTH, until)
    if head == _FLUSH:
        return None
    length = int(head, 16)
    if length < _LENGTH:
        raise ValueError("this packet is none of an answer")
    return _exactly(line, length - _LENGTH, until)


def _exactly(line: socket.socket, size: int, until: float) -> bytes:
    data = bytearray()
    while len(data) < size:
        line.settimeout(max(until - time.monotonic(), 0.001))
        part = line.recv(size - len(data))
        if not part:
            raise ValueError("the answer broke off")
        data += part
    return bytes(data)


def _read(answer: bytes) -> Seen:
    token, *paths = answer.decode("utf-8", "surrogateescape").split("\0")
    if not token.startswith(_PREFIX) or not paths or paths[-1]:  # each is followed by a NUL
        raise ValueError("this is no answer")
    return Seen(token, None if "/" in paths else tuple(paths[:-1]), _began(token))


def _began(token: str) -> int | None:
    from datetime import UTC, datetime  # late, as above

    found = _BEGAN.fullmatch(token)
    if found is None:
        return None
    year, month, day, hour, minute, second, micros = map(int, found.groups())
    moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    return int(moment.timestamp()) * 1_000_000_000 + micros * 1_000
