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

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from nodespec.encoding import b64decode, b64encode, canonical_json, strict_json

if TYPE_CHECKING:
    from collections.abc import Sequence

STATEMENT_TYPE = "application/vnd.in-toto+json"
"""The payload type of an in-toto Statement (in-toto attestation specification, v1)."""

MAX_BYTES = 1024 * 1024
MAX_SIGNATURES = 16
"""More signers than any threshold here asks for, few enough that verifying all costs nothing."""


class Signer(Protocol):
    """What signs: a private key, or the shared key of the compatibility scheme."""

    def sign(self, message: bytes) -> bytes:
        """Return the signature over ``message``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One signature and the hint about its key."""

    key_id: str
    value: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A payload with signatures that nobody has verified yet."""

    payload_type: str
    payload: bytes
    signatures: tuple[Signature, ...]

    @property
    def message(self) -> bytes:
        """The bytes that every signature is over."""
        return pae(self.payload_type, self.payload)

    def dump(self) -> bytes:
        """Return the file's bytes."""
        signatures = [{"keyid": item.key_id, "sig": b64encode(item.value)} for item in self.signatures]
        fields = {
            "payload": b64encode(self.payload),
            "payloadType": self.payload_type,
            "signatures": signatures,
        }
        return canonical_json(fields) + b"\n"


def pae(payload_type: str, body: bytes) -> bytes:
    """Return the pre-authentication encoding."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(body), body)


def seal(payload_type: str, payload: bytes, signers: Sequence[tuple[str, Signer]]) -> Envelope:
    """Sign ``payload`` with each (key id, signer)."""
    message = pae(payload_type, payload)
    signatures = tuple(Signature(key_id=key_id, value=signer.sign(message)) for key_id, signer in signers)
    return Envelope(payload_type=payload_type, payload=payload, signatures=signatures)


def parse(data: bytes) -> Envelope:
    """Read an envelope; raise ``ValueError`` with the reason when it is not exactly one."""
    if len(data) > MAX_BYTES:
        raise ValueError(f"it has {len(data):,} bytes; the limit is {MAX_BYTES:,}")
    fields = _object(strict_json(data), {"payload", "payloadType", "signatures"}, "the envelope")
    items = fields["signatures"]
    if not isinstance(items, list) or not 1 <= len(items) <= MAX_SIGNATURES:
        raise ValueError(f"it must have 1 to {MAX_SIGNATURES} signatures")
    signatures = tuple(_signature(item) for item in items)
    if len({signature.key_id for signature in signatures}) != len(signatures):
        raise ValueError("a key id appears twice")
    payload_type = _text(fields["payloadType"], "payloadType")
    return Envelope(
        payload_type=payload_type, payload=b64decode(_text(fields["payload"], "payload")), signatures=signatures
    )


def _signature(item: Any) -> Signature:
    fields = _object(item, {"keyid", "sig"}, "a signature")
    return Signature(key_id=_text(fields["keyid"], "keyid"), value=b64decode(_text(fields["sig"], "sig")))


def _object(value: Any, keys: set[str], what: str) -> dict[str, Any]:
    if not isinstance(value, dict) or set(value) != keys:
        raise ValueError(f"{what} must be an object with exactly the keys {', '.join(sorted(keys))}")
    return value


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name} must be text")
    return value
