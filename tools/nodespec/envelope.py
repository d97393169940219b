"""DSSE: a payload, its type, and signatures over both.

The bytes that are signed are the pre-authentication encoding of the Dead Simple Signing Envelope, v1
(github.com/secure-systems-lab/dsse, protocol.md)::

    PAE(type, body) = "DSSEv1" SP LEN(type) SP type SP LEN(body) SP body      LEN in ASCII decimal

The file is one JSON object, written canonically (RFC 8785) with a final newline::

    {"payload": base64, "payloadType": text, "signatures": [{"keyid": text, "sig": base64}, …]}

Reading is strict: no other keys, no duplicate keys or key ids, canonical base64, 1 to 16 signatures, at
most 1 MiB. ``keyid`` is a hint about which key to try and proves nothing. A payload is looked at only
after its signatures have been verified, and from the very bytes that were.

>>> pae("http://example.com/HelloWorld", b"hello world")
b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
"""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol

from nodespec import claims
from nodespec.encoding import b64decode, b64encode, quoted, strict_json
from nodespec.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_BYTES = 1024 * 1024
TOO_LARGE = bytes(MAX_BYTES + 1)
"""Stands for the bytes of a file that is too large to be read; it is refused as such."""
MAX_SIGNATURES = 16
"""More signers than any threshold here asks for, few enough that verifying all costs nothing."""


class Signer(Protocol):
    """What signs: a private key, or the shared key of the compatibility scheme."""

    def sign(self, message: bytes) -> bytes:
        """Return the signature over ``message``."""


@frozen
class Signature:
    """One signature and the hint about its key."""

    key_id: str
    value: bytes


@frozen
class Envelope:
    """A payload with signatures that nobody has verified yet."""

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...]

    @property
    def digest(self) -> str:
        """The hex SHA-256 of the payload: what the next record of a chain calls ``previous``."""
        return sha256(self.payload).hexdigest()

    @property
    def message(self) -> bytes:
        """The bytes that every signature is over."""
        return pae(self.payload_type, self.payload)

    def dump(self) -> bytes:
        """Return the file's bytes, with the signatures in order of key id."""
        signatures = [(item.key_id, b64encode(item.value)) for item in self.signatures]
        return _written(b64encode(self.payload), self.payload_type, signatures)

    def signed_with(self, signers: Sequence[tuple[str, Signer]]) -> Envelope:
        """Return the envelope with these signatures, new or in place of those of the same key."""
        message, names = self.message, {key_id for key_id, _ in signers}
        kept = tuple(item for item in self.signatures if item.key_id not in names)
        added = tuple(Signature(key_id=key_id, value=signer.sign(message)) for key_id, signer in signers)
        return replace(self, signatures=kept + added)


_quote = json.encoder.encode_basestring
"""Text as RFC 8785 writes it. The form is fixed and base64 needs no escapes, so a file is written out by hand: no
encoder is as fast."""


def _written(payload: str, payload_type: str, signatures: Sequence[tuple[str, str]]) -> bytes:
    """Return the file's bytes; ``payload`` and the signatures are base64 already, as (key id, signature)."""
    items = [f'{{"keyid":{_quote(key_id)},"sig":"{value}"}}' for key_id, value in sorted(signatures)]
    start = f'{{"payload":"{payload}","payloadType":{_quote(payload_type)}'
    return f'{start},"signatures":[{",".join(items)}]}}\n'.encode()


def pae(payload_type: str, body: bytes) -> bytes:
    """Return the pre-authentication encoding."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(body), body)


def seal(payload_type: str, payload: bytes, signers: Sequence[tuple[str, Signer]]) -> Envelope:
    """Sign ``payload`` with each (key id, signer)."""
    return Envelope(payload_type=payload_type, payload=payload, signatures=()).signed_with(signers)


def parse(data: bytes) -> Envelope:
    """Read an envelope; raise ``ValueError`` with the reason when it is not exactly one."""
    return _read(data)[0]


def parse_exact(data: bytes, payload_type: str) -> Envelope:
    """Read an envelope as a registry keeps it: of this payload type, and byte for byte what :meth:`dump` writes.

    Whoever may not sign may not change a byte of such a file either: not its spacing, not the order of the signatures.
    """
    envelope, fields = _read(data)
    if envelope.payload_type != payload_type:
        raise ValueError(f"its payload type is {quoted(envelope.payload_type)}, not {payload_type}")
    signatures = [(item["keyid"], item["sig"]) for item in fields["signatures"]]
    if _written(fields["payload"], payload_type, signatures) != data:
        raise ValueError("it is not written canonically (RFC 8785, signatures in order of key id, a final newline)")
    return envelope


def _read(data: bytes) -> tuple[Envelope, dict[str, Any]]:
    if len(data) > MAX_BYTES:
        raise ValueError(f"it has more than {MAX_BYTES:,} bytes")
    fields = claims.members(strict_json(data), ("payload", "payloadType", "signatures"), "the envelope")
    items = claims.items(fields["signatures"], "signatures", least=1, most=MAX_SIGNATURES)
    signatures = tuple(_signature(item) for item in items)
    if len({signature.key_id for signature in signatures}) != len(signatures):
        raise ValueError("a key id appears twice")
    payload = b64decode(claims.text(fields["payload"], "payload"))
    payload_type = claims.text(fields["payloadType"], "payloadType")
    return Envelope(payload_type=payload_type, payload=payload, signatures=signatures), fields


def _signature(item: Any) -> Signature:
    fields = claims.members(item, ("keyid", "sig"), "a signature")
    return Signature(key_id=claims.text(fields["keyid"], "keyid"), value=b64decode(claims.text(fields["sig"], "sig")))
