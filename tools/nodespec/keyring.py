"""The user's own keys, as files in the configuration folder.

``NODESPEC_HOME`` names the folder (by default ``~/.config/nodespec``, or below ``XDG_CONFIG_HOME``). A
key called ``main`` is one pair of files for each scheme::

    keys/main.ml-dsa-44.key.pem     encrypted PKCS#8, mode 0600
    keys/main.ml-dsa-44.pub.pem     SubjectPublicKeyInfo

An existing key is never overwritten.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from nodespec import keys
from nodespec.encoding import printable, quoted
from nodespec.errors import UsageError
from nodespec.frozen import frozen
from nodespec.keys import SCHEMES
from nodespec.tree import SEGMENT

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from nodespec.keys import PrivateKey, PublicKey


@frozen
class KeyFile:
    """One public key with its name and place; the private half may stand beside it."""

    name: str
    public: PublicKey
    path: Path

    @property
    def private_path(self) -> Path:
        """Where the private half is, if it is here."""
        return self.path.with_name(self.path.name.removesuffix(".pub.pem") + ".key.pem")


def home(environment: Mapping[str, str]) -> Path:
    """Return the configuration folder that the environment names."""
    if environment.get("NODESPEC_HOME"):
        return Path(environment["NODESPEC_HOME"])
    base = environment.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "nodespec"


def create(folder: Path, name: str, schemes: Sequence[str], passphrase: str) -> list[KeyFile]:
    """Make a new key pair for each scheme; raise ``UsageError`` when one with this name exists."""
    if not SEGMENT.match(name):
        raise UsageError(f"{quoted(name)} is not a key name", hint="use a-z, 0-9, - and _, as in: release-2026")
    keys.check_passphrase(passphrase)
    place = folder / "keys"
    taken = [path for scheme in schemes for path in _paths(place, name, scheme) if path.exists()]
    if taken:
        raise UsageError(f"{printable(str(taken[0]))} exists; keys are never overwritten", hint="choose another name")
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        return [_create_one(place, name, scheme, passphrase) for scheme in schemes]
    except OSError as error:
        raise UsageError(f"{printable(str(place))} cannot be written: {error.strerror}") from None


def _create_one(place: Path, name: str, scheme: str, passphrase: str) -> KeyFile:
    private_path, public_path = _paths(place, name, scheme)
    private = keys.generate(scheme)
    _write_new(private_path, private.pem(passphrase), 0o600)
    _write_new(public_path, private.public.pem, 0o644)
    return KeyFile(name=name, public=private.public, path=public_path)


def _paths(place: Path, name: str, scheme: str) -> tuple[Path, Path]:
    return place / f"{name}.{scheme}.key.pem", place / f"{name}.{scheme}.pub.pem"


def _write_new(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def listing(folder: Path, name: str | None = None) -> list[KeyFile]:
    """Return the public keys in the folder, by name and scheme; raise ``UsageError`` when ``name`` has none."""
    found = []
    for path in sorted((folder / "keys").glob("*.pub.pem")):
        stem, _, scheme = path.name.removesuffix(".pub.pem").partition(".")
        if scheme in SCHEMES and name in (None, stem):
            found.append(KeyFile(name=stem, public=read_public(path), path=path))
    if name is not None and not found:
        raise UsageError(f"no key is called {quoted(name)}", hint=f"make it with: nodespec keys new {printable(name)}")
    return found


def read_public(path: Path) -> PublicKey:
    """Read a public key file; raise ``UsageError`` when it is not one."""
    try:
        return keys.load_public(path.read_bytes(), name=printable(str(path)))
    except OSError as error:
        raise UsageError(f"{printable(str(path))} cannot be read: {error.strerror}") from None


def unlock(files: Sequence[KeyFile], passphrase: Callable[[], str]) -> list[PrivateKey]:
    """Open the private halves; ``passphrase`` is asked once. Refuses files that others can read."""
    opened = []
    secret = passphrase()
    for file in files:
        path = file.private_path
        shown = printable(str(path))
        try:
            mode = path.stat().st_mode
            pem = path.read_bytes()
        except OSError as error:
            raise UsageError(f"{shown} cannot be read: {error.strerror}") from None
        if mode & 0o077 and not file.public.published:
            raise UsageError(f"{shown} can be read by others (mode {mode & 0o777:o})", hint=f"chmod 600 {shown}")
        private = keys.load_private(pem, secret, name=shown)
        if private.public != file.public:
            raise UsageError(f"{shown} is not the other half of {printable(str(file.path))}")
        opened.append(private)
    return opened
