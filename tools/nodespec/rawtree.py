"""Git's tree objects, read raw: ``mode SP name NUL id(20)``, repeated (gitformat-pack, "tree").

Friendlier readers hide what a hostile object holds: of two entries with one name, ``git show`` takes the first and a
checkout the last.
"""

from __future__ import annotations

import re
from operator import lt

from nodespec.encoding import printable, quoted
from nodespec.errors import RegistryError
from nodespec.tree import EXECUTABLE, FOLDER, REGULAR, SUBMODULE, SYMLINK, Defect, folded

_PLAIN = re.compile(
    rb"(100644|100755|40000|120000|160000) ([^\x00/.~\\\x80-\xff][^\x00/~\\\x80-\xff]{0,254})\x00(.{20})", re.DOTALL
)
"""An entry about whose name there is nothing to say, unless others have it, too."""
_MODES = {b"%o" % mode: mode for mode in (REGULAR, EXECUTABLE, FOLDER, SYMLINK, SUBMODULE)}

_OCTAL = re.compile(rb"[0-7]{1,7}\Z")

MAX_NAME = 255
"""Bytes of a name that file systems can hold (ext4, APFS and NTFS alike); a longer one is only there to be printed."""


def raw_entries(data: bytes, folder: str, defects: list[Defect]) -> list[tuple[str, int, str]]:
    """Return name, mode and object id of each entry; note in ``defects`` what is malformed about the names."""
    try:
        return _plain_entries(data) or _read_entries(data, folder, defects)
    except ValueError:
        hint = "make the commit again with git itself; git fsck tells more"
        raise RegistryError(f"the tree of {printable(folder) or 'the commit'} is malformed", hint=hint) from None


def _plain_entries(data: bytes) -> list[tuple[str, int, str]]:
    """Return the entries of a tree that is as git writes it; nothing for one that has to be looked at more closely."""
    found = _PLAIN.findall(data)
    keys = [name + b"/" if mode == b"40000" else name for mode, name, _ in found]
    whole = sum([len(mode) + len(name) for mode, name, _ in found]) + 22 * len(found) == len(data)
    if not whole or not all(map(lt, keys, keys[1:])) or len({name for _, name, _ in found}) < len(found):
        return []
    return [(name.decode("utf-8", "surrogateescape"), _MODES[mode], oid.hex()) for mode, name, oid in found]


def _read_entries(data: bytes, folder: str, defects: list[Defect]) -> list[tuple[str, int, str]]:
    entries: list[tuple[str, int, str]] = []
    previous = b""
    names: set[bytes] = set()
    position = 0
    while position < len(data):
        space, end = data.index(b" ", position), data.index(b"\0", position)
        digits, raw = data[position:space], data[space + 1 : end]
        if not _OCTAL.match(digits):  # int() takes 1_00644 and 0o100644, at which git gives up
            raise ValueError("a mode is not octal")
        mode = int(digits, 8)
        position = end + 21
        if position > len(data):
            raise ValueError("an entry is cut off")
        if len(raw) > MAX_NAME:  # told, and left out
            start = raw[:20].decode("utf-8", "replace")
            defects.append(Defect(folder or start, f"it holds a name of {len(raw):,} bytes, {quoted(start)}…"))
            continue
        name = raw.decode("utf-8", "surrogateescape")
        path = f"{folder}/{name}" if folder else name
        sort_key = raw + b"/" if mode == FOLDER else raw
        if digits.startswith(b"0"):
            defects.append(
                Defect(path, "its mode is written with a zero in front; readers disagree about the tree's id")
            )
        if raw in names:
            defects.append(Defect(path, "the tree names this twice; readers disagree about which one counts"))
        elif sort_key < previous:
            defects.append(Defect(path, "the tree's entries are out of order"))
        if raw in (b"", b".", b"..") or b"/" in raw or _is_git_folder(name):
            defects.append(Defect(path, "the tree holds a name that no checkout may create"))
        names.add(raw)
        previous = sort_key
        entries.append((name, _mode(mode), data[end + 1 : position].hex()))
    return entries


def _is_git_folder(name: str) -> bool:
    """Say whether some file system takes a name for ``.git``: its short name and streams (NTFS), or folded (HFS+)."""
    return any(part.partition(":")[0].rstrip(" .") in (".git", "git~1") for part in folded(name).split("\\"))


def _mode(mode: int) -> int:
    return mode if mode in (REGULAR, EXECUTABLE, SYMLINK, SUBMODULE, FOLDER) else mode | 0o100000
