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

_TOKEN = re.compile(r"builtin:[\x21-\x7e]{1,200}")
"""What is sent back as a token. Other words are commands to the process, which a damaged index must not give."""
_UNKNOWN = "builtin:none:0"
"""A token that none has given: the answer is a true one, and that anything may have changed."""
_BEGAN = re.compile(r"builtin:0\.\d+\.(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)\.(\d{6})Z:\d+", re.ASCII)
"""A token of Git: how often the process lost its thread, its number, when it began or found the thread again, and how
many changes it has seen. One that never lost its thread has watched since then."""
_SOCKET = "fsmonitor--daemon.ipc"
_FLUSH, _LENGTH = b"0000", 4
"""The end of a message, and how many hexadecimal digits say how long a packet is, themselves included."""


class Seen(NamedTuple):
    """What the monitor saw up to ``token``: the paths that may have changed, from the top of the work tree.

    ``paths`` is None where anything may have. ``began`` is when the monitor began to watch, in nanoseconds since 1970;
    None where its token does not say.

    **It may overlook changes in folders that were moved, or made anew, while it ran**: Git 2.55 on Linux goes on to
    call what is in a moved folder by its old name, and can lose sight of a folder that was replaced. It does not see
    what is written through a memory map, through another name of a file, or by another machine.
    """

    token: str
    paths: tuple[str, ...] | None
    began: int | None


class _TooLongError(ValueError):
    """More has changed than is worth reading."""


def changed_since(root: str, token: object) -> Seen | None:
    """Return what may have changed since an earlier answer, or ever; None where no monitor answers.

    ``root`` is the top of a work tree: elsewhere there is no monitor. Whoever looks at a file after this call knows it
    as it is at the new token, or later.
    """
    with suppress(OSError, ValueError):
        place = _place(root)
        if place is None:
            return None
        known = isinstance(token, str) and _TOKEN.fullmatch(token)
        try:
            return _read(_asked(place, known[0] if known else _UNKNOWN))
        except _TooLongError:
            return _read(_asked(place, _UNKNOWN))
    return None


def may_watch(root: str) -> bool:
    """Say whether a monitor that answers here would be watching this work tree, and no other."""
    with suppress(OSError, ValueError):
        return _own_folder(root) is not None
    return False


def _place(root: str) -> str | None:
    folder = _own_folder(root)
    if folder is None:
        return None
    place = os.path.join(folder, _SOCKET)
    place = min(place, os.path.relpath(place), key=len)  # an address holds some hundred bytes; a longer one is an error
    status = os.lstat(place)
    return place if stat.S_ISSOCK(status.st_mode) and status.st_uid == os.geteuid() else None


def _own_folder(root: str) -> str | None:
    """Return the Git folder that belongs to this work tree and no other; None without.

    A copy of a linked work tree, and one whose ``.git`` is a link, have the Git folder of another; and one that is
    configured to have its files elsewhere has a monitor that watches them.
    """
    pointer = os.path.join(root, ".git")
    if os.path.islink(pointer) or not os.path.lexists(pointer):
        return None
    folder = own_git_folder(root)
    if folder is None:
        return None
    if os.path.isfile(pointer):
        with open(os.path.join(folder, "gitdir"), encoding="utf-8") as file:
            back = os.path.join(folder, file.read().rstrip("\n"))
        if os.path.realpath(back) != os.path.realpath(pointer):
            return None
    for name in ("config", "config.worktree"):
        path = os.path.join(folder, name)
        if os.path.exists(path):
            with open(path, "rb") as config:
                if re.search(rb"worktree\s*=", config.read(), re.IGNORECASE):
                    return None
    return folder


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
                raise _TooLongError
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
        left = until - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer does not end")
        line.settimeout(left)
        part = line.recv(size - len(data))
        if not part:
            raise ValueError("the answer broke off")
        data += part
    return bytes(data)


def _read(answer: bytes) -> Seen:
    token, *paths = answer.decode("utf-8", "surrogateescape").split("\0")
    if not _TOKEN.fullmatch(token) or not paths or paths[-1]:  # each is followed by a NUL
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
