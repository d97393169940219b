"""The user's own keys, as files in the configuration folder (:mod:`nodespec.home`).

A key called ``main`` is one pair of files for each scheme::

    keys/main.ml-dsa-44.key.pem     encrypted PKCS#8, mode 0600
    keys/main.ml-dsa-44.pub.pem     SubjectPublicKeyInfo

An existing key is never overwritten.
"""

from __future__ import annotations

import os
from glob import escape, iglob
from typing import TYPE_CHECKING

from nodespec import keys
from nodespec.encoding import printable, quoted
from nodespec.errors import UsageError
from nodespec.frozen import frozen
from nodespec.keys import SCHEMES
from nodespec.tree import SEGMENT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from nodespec.keys import PrivateKey, PublicKey

_PRIVATE, _PUBLIC = ".key.pem", ".pub.pem"


@frozen
class KeyFile:
    """One public key with its name and place; the private half may stand beside it."""

    name: str
    public: PublicKey
    path: str

    @property
    def private_path(self) -> str:
        """Where the private half is, if it is here."""
        return self.path.removesuffix(_PUBLIC) + _PRIVATE

    @property
    def is_whole(self) -> bool:
        """Whether the private half is here."""
        return os.path.exists(self.private_path)


def create(folder: str, name: str, schemes: Sequence[str], passphrase: str) -> list[KeyFile]:
    """Make a new key pair for each scheme; raise ``UsageError`` when one with this name exists."""
    if not SEGMENT.match(name):
        raise UsageError(f"{quoted(name)} is not a key name", hint="use a-z, 0-9, - and _, as in: release-2026")
    keys.check_passphrase(passphrase)
    place = os.path.join(folder, "keys")
    taken = [path for scheme in schemes for path in _paths(place, name, scheme) if os.path.lexists(path)]
    if taken:
        raise UsageError(f"{printable(taken[0])} exists; keys are never overwritten", hint="choose another name")
    try:
        os.makedirs(place, mode=0o700, exist_ok=True)
        return [_create_one(place, name, scheme, passphrase) for scheme in schemes]
    except OSError as error:
        raise UsageError(f"{printable(place)} cannot be written: {error.strerror}") from None


def _create_one(place: str, name: str, scheme: str, passphrase: str) -> KeyFile:
    private_path, public_path = _paths(place, name, scheme)
    private = keys.generate(scheme)
    _write_new(private_path, private.pem(passphrase), 0o600)
    _write_new(public_path, private.public.pem, 0o644)
    return KeyFile(name=name, public=private.public, path=public_path)


def _paths(place: str, name: str, scheme: str) -> tuple[str, str]:
    stem = os.path.join(place, f"{name}.{scheme}")
    return stem + _PRIVATE, stem + _PUBLIC


def _write_new(path: str, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def listing(folder: str, name: str | None = None) -> list[KeyFile]:
    """Return the public keys in the folder, by name and scheme; raise ``UsageError`` when ``name`` has none."""
    found = []
    for path in sorted(iglob(os.path.join(escape(folder), "keys", f"*{_PUBLIC}"))):
        stem, _, scheme = os.path.basename(path).removesuffix(_PUBLIC).partition(".")
        if scheme in SCHEMES and name in (None, stem):
            found.append(KeyFile(name=stem, public=read_public(path), path=path))
    if name is not None and not found:
        raise UsageError(f"no key is called {quoted(name)}", hint=f"make it with: nodespec keys new {printable(name)}")
    return found


def read_public(path: str) -> PublicKey:
    """Read a public key file; raise ``UsageError`` when it is not one."""
    try:
        with open(path, "rb") as file:
            return keys.load_public(file.read(), name=printable(path))
    except OSError as error:
        raise UsageError(f"{printable(path)} cannot be read: {error.strerror}") from None


def unlock(files: Sequence[KeyFile], passphrase: Callable[[], str]) -> list[PrivateKey]:
    """Open the private halves; ``passphrase`` is asked once. Refuses files that others can read."""
    opened = []
    secret = passphrase()
    for file in files:
        path = file.private_path
        shown = printable(path)
        try:
            with open(path, "rb") as stream:
                mode = os.fstat(stream.fileno()).st_mode
                pem = stream.read()
        except OSError as error:
            raise UsageError(f"{shown} cannot be read: {error.strerror}") from None
        if mode & 0o077 and not file.public.published:
            raise UsageError(f"{shown} can be read by others (mode {mode & 0o777:o})", hint=f"chmod 600 {shown}")
        private = keys.load_private(pem, secret, name=shown)
        if private.public != file.public:
            raise UsageError(f"{shown} is not the other half of {printable(str(file.path))}")
        opened.append(private)
    return opened
