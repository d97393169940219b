"""Who must sign: some keys, and how many of them.

A threshold counts distinct keys whose signatures verify, never signatures. The key comes from here, the side that
is trusted, and brings its scheme along; an envelope's ``keyid`` is only a hint about which of them to try.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nodespec import claims
from nodespec.encoding import printable
from nodespec.envelope import MAX_SIGNATURES
from nodespec.frozen import frozen
from nodespec.keys import PublicKey

if TYPE_CHECKING:
    from collections.abc import Iterable

    from nodespec.envelope import Envelope


@dataclass(frozen=True, slots=True, kw_only=True)
class Quorum:
    """``threshold`` of these keys."""

    keys: tuple[PublicKey, ...]
    threshold: int

    def __post_init__(self) -> None:
        if len({key.key_id for key in self.keys}) != len(self.keys):
            raise ValueError("a key is listed twice")
        if not 1 <= self.threshold <= len(self.keys):
            raise ValueError(f"a threshold of {self.threshold} with {len(self.keys)} keys")

    def counted(self, envelope: Envelope) -> Tally:
        """Say which of these keys have validly signed."""
        return Tally(signed=frozenset(valid_signers(envelope, self.keys)), needed=self.threshold)


@frozen
class Tally:
    """The ids of the keys that signed, and how many are needed."""

    signed: frozenset[str]
    needed: int

    @property
    def reached(self) -> bool:
        """Whether enough have signed."""
        return len(self.signed) >= self.needed

    def __str__(self) -> str:
        """Return it in words, such as ``1 of 2 needed signatures``."""
        return f"{len(self.signed)} of {self.needed} needed signature{'s' * (self.needed != 1)}"


def valid_signers(envelope: Envelope, keys: Iterable[PublicKey]) -> set[str]:
    """Return the ids of the keys, among these, whose signature is in the envelope and verifies."""
    message = envelope.message
    by_id = {signature.key_id: signature.value for signature in envelope.signatures}
    return {key.key_id for key in keys if key.key_id in by_id and key.verify(by_id[key.key_id], message)}


def refuse_strangers(envelope: Envelope, keys: Iterable[PublicKey]) -> None:
    """Raise ``ValueError`` when a signature is by none of these keys, or does not verify.

    Whoever has no say cannot ride along: a file that people read is signed by those who count, and by nobody else.
    """
    known = {key.key_id: key for key in keys}
    valid = valid_signers(envelope, known.values())
    for signature in envelope.signatures:
        if signature.key_id not in known:
            raise ValueError(f"key {short(signature.key_id)} signed it, too, and has no say in it")
        if signature.key_id not in valid:
            raise ValueError(f"the signature by key {short(signature.key_id)} does not verify")


def parse_keys(value: Any) -> tuple[PublicKey, ...]:
    """Read a list of 1 to 16 keys in order of their ids; raise ``ValueError``."""
    keys = tuple(PublicKey.from_fields(item) for item in claims.items(value, "keys", least=1, most=MAX_SIGNATURES))
    ids = [key.key_id for key in keys]
    if ids != sorted(set(ids)):
        raise ValueError("keys must be listed once each, in order of their ids")
    return keys


def in_order(keys: Iterable[PublicKey]) -> tuple[PublicKey, ...]:
    """Return keys as records list them: once each, in order of their ids."""
    return tuple(sorted({key.key_id: key for key in keys}.values(), key=lambda key: key.key_id))


def short(key_id: str) -> str:
    """Return a key id or a handle as messages show it: 16 of its 64 digits.

    >>> short("ab" * 32), short("GLYMPH:" + "cd" * 32)
    ('abababababababab…', 'GLYMPH:cdcdcdcdcdcdcdcd…')
    """
    digits = 16 + len("GLYMPH:") * key_id.startswith("GLYMPH:")
    return f"{printable(key_id[:digits])}…"
