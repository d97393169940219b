"""The seal: the maintainers' signature over the files that decide how everybody is judged.

``registry/seal.dsse.json`` is one canonical DSSE envelope of an in-toto Statement with the predicate type
``urn:nodespec:seal:v1``. Its subjects are the protected files, in order of path, each with the
SHA-256 of its bytes: registry.yaml, the waivers, the policies, the schemas, ``.gitattributes`` (which can make a
checkout differ from what was judged), and what registry.yaml lists under ``protected``. Its predicate::

    registry_id    the registry it was made for
    sequence       0, and one more with each seal
    previous       null, or the hex SHA-256 of the payload of the seal before
    issued_at      UTC, for people; nothing is decided by it

It is signed by the threshold of the trust root's maintainer role. So approval is in the tree, not in a host's
database, and an older policy, though once sealed, does not come back: its seal is not the one that follows.

It is judged by the newest trust root: when the maintainers change, they seal again.

A registry without a seal protects nothing by it. Once it has one, it can only be followed by the next.

>>> from datetime import UTC, datetime
>>> made = Seal(
...     registry_id="acme",
...     files=(("registry/registry.yaml", "00" * 32),),
...     sequence=0,
...     previous=None,
...     issued_at=datetime(2026, 3, 14, tzinfo=UTC),
... )
>>> made.digest
'a32430ba453e10d1dec630ec8755cc290635786868d9e9522238e299e7ecdfdd'
>>> Seal.parse(made.payload()) == made
True
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any

from nodespec import claims, envelope, quorum, statement
from nodespec.encoding import printable, quoted
from nodespec.errors import RegistryError
from nodespec.frozen import frozen
from nodespec.tree import EXECUTABLE, POLICIES, REGULAR, SCHEMAS, SETTINGS_PATH, WAIVERS_PATH

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from nodespec.envelope import Envelope
    from nodespec.tree import Entry, Tree
    from nodespec.trust import Root

PREDICATE = "urn:nodespec:seal:v1"

ATTRIBUTES_PATH = ".gitattributes"

_FILES = (SETTINGS_PATH, WAIVERS_PATH, ATTRIBUTES_PATH)
_FOLDERS = (POLICIES, f"{SCHEMAS}/")

MOST_BYTES = 16 << 20
"""Bytes of a protected file beyond which it is not read."""

ALL_BELOW = "/**"
"""How registry.yaml says that all files below a folder are protected."""


@frozen
class Seal:
    """What a seal says; ``files`` are (path, hex SHA-256) in order of path."""

    registry_id: str
    files: tuple[tuple[str, str], ...]
    sequence: int
    previous: str | None
    issued_at: datetime

    def payload(self) -> bytes:
        """Return the canonical JSON that is signed."""
        subjects = [statement.subject(path, sha256=digest) for path, digest in self.files]
        predicate = {
            "registry_id": self.registry_id,
            "sequence": self.sequence,
            "previous": self.previous,
            "issued_at": claims.moment(self.issued_at),
        }
        return statement.payload(subjects, PREDICATE, predicate)

    @property
    def digest(self) -> str:
        """The hex SHA-256 of the payload: what the next seal calls ``previous``."""
        return sha256(self.payload()).hexdigest()

    @classmethod
    def parse(cls, payload: bytes) -> Seal:
        """Read a payload; raise ``ValueError`` unless it is exactly what :meth:`payload` writes."""
        subjects, predicate = statement.parse(payload, PREDICATE)
        keys = ("registry_id", "sequence", "previous", "issued_at")
        fields = claims.members(predicate, keys, "the predicate")
        previous = fields["previous"]
        found = cls(
            registry_id=claims.text(fields["registry_id"], "registry_id"),
            files=tuple(map(_file, subjects)),
            sequence=claims.count(fields["sequence"], "sequence"),
            previous=None if previous is None else claims.digest(previous, "previous"),
            issued_at=claims.parse_moment(fields["issued_at"], "issued_at"),
        )
        if (found.sequence == 0) != (found.previous is None):
            raise ValueError("sequence 0 and previous null belong together")
        paths = [path for path, _ in found.files]
        if found.payload() != payload or paths != sorted(set(paths)):
            raise ValueError("it is not in its one form: canonical JSON, subjects in order of path, each once")
        return found


def _file(value: Any) -> tuple[str, str]:
    fields = claims.members(value, ("name", "digest"), "a subject")
    digests = claims.members(fields["digest"], ("sha256",), "a subject's digest")
    return claims.text(fields["name"], "a subject's name"), claims.digest(digests["sha256"], "a subject's sha256")


def is_protected(path: str, listed: Sequence[str]) -> bool:
    """Say whether a file decides how everybody is judged; ``listed`` are registry.yaml's own.

    What stands in the place of a folder, or of a folder above one, is protected with it.

    >>> [is_protected(path, [".github/**"]) for path in (".github/workflows/gate.yml", ".github", "docs/a.md")]
    [True, True, False]
    """
    files, folders = _places(listed)
    return path in files or path.startswith(folders) or any(folder.startswith(f"{path}/") for folder in folders)


def standing(tree: Tree, listed: Sequence[str]) -> list[Entry]:
    """Return whatever stands at protected places of a tree, in order: files, and what is none in a folder's place."""
    files, folders = _places(listed)
    single = (tree.entry(path) for path in (*files, *(above for folder in folders for above in _way_to(folder))))
    below = (entry for folder in folders for entry in tree.below(folder))
    return sorted({*filter(None, single), *below})


def protected(tree: Tree, listed: Sequence[str]) -> list[Entry]:
    """Return the regular files of a tree that decide how everybody is judged, in order."""
    return [entry for entry in standing(tree, listed) if entry.mode in (REGULAR, EXECUTABLE)]


def _way_to(folder: str) -> list[str]:
    """Return a folder, given with its final ``/``, and every folder above it.

    >>> _way_to(".github/workflows/")
    ['.github', '.github/workflows']
    """
    parts = folder.rstrip("/").split("/")
    return ["/".join(parts[:length]) for length in range(1, len(parts) + 1)]


def _places(listed: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the protected files, and the folders (each ends in ``/``) of which all files are."""
    files = tuple(path for path in listed if not path.endswith(ALL_BELOW))
    folders = tuple(path.removesuffix(ALL_BELOW) + "/" for path in listed if path.endswith(ALL_BELOW))
    return _FILES + files, _FOLDERS + folders


def read(data: bytes) -> tuple[Envelope, Seal]:
    """Return a seal as a registry keeps it, its signatures not verified; raise ``ValueError``."""
    sealed = envelope.parse_exact(data, statement.PAYLOAD_TYPE)
    return sealed, Seal.parse(sealed.payload)


def verify(data: bytes, roots: Sequence[Root], registry_id: str) -> Seal:
    """Return a seal that verifies; raise ``ValueError`` otherwise. ``roots`` are the trust root's versions.

    1. It is one canonical envelope, signed by the threshold of the newest root's maintainer role.
    2. Nobody else has signed it who never was a maintainer, and no signature is false.
    3. Its payload, now believed, is a seal in its one form, for this registry.

    What the caller still owes: that the files are those (:func:`differences`), and that it follows from the base's.
    """
    sealed = envelope.parse_exact(data, statement.PAYLOAD_TYPE)
    tally = roots[-1].roles["maintainer"].counted(sealed)  # 1
    if not tally.reached:
        raise ValueError(f"it has {tally} by the maintainers")
    quorum.refuse_strangers(sealed, (key for root in roots for key in root.roles["maintainer"].keys))  # 2
    found = Seal.parse(sealed.payload)  # 3
    if found.registry_id != registry_id:
        raise ValueError(f"it was made for registry {quoted(found.registry_id)}, and this is {quoted(registry_id)}")
    return found


def digests(tree: Tree, listed: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return (path, hex SHA-256) of the protected files of a tree, in order.

    Raises ``RegistryError`` where one is larger than any is read.
    """
    files = protected(tree, listed)
    for entry in files:
        if tree.size(entry) > MOST_BYTES:
            message = (
                f"{printable(entry.path)} has {tree.size(entry):,} bytes; a protected file has {MOST_BYTES:,} at most"
            )
            raise RegistryError(message, hint="keep large files apart from those that registry.yaml protects")
    return tuple((entry.path, sha256(tree.read(entry)).hexdigest()) for entry in files)


def differences(sealed: Sequence[tuple[str, str]], here: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return (path, what is wrong) for each file that is not as it was sealed."""
    was, now = dict(sealed), dict(here)
    found = []
    for path in sorted(was.keys() | now.keys()):
        if path not in now:
            found.append((path, "this file is sealed, and gone"))
        elif path not in was:
            found.append((path, "the maintainers have not sealed this file"))
        elif was[path] != now[path]:
            found.append((path, "this file is not the one that the maintainers sealed"))
    return found
