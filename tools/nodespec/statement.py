"""in-toto Statement v1: what somebody says about some artifacts.

A payload of type ``application/vnd.in-toto+json`` is canonical JSON of exactly these keys (in-toto attestation
specification, v1)::

    _type          "https://in-toto.io/Statement/v1"
    subject        [{"name": text, "digest": {algorithm: hex}}, …]
    predicateType  a URI that says what the predicate means
    predicate      an object, specified by the module that owns the predicate type

>>> payload([subject("a.txt", sha256="00" * 32)], "urn:example:claim", {"good": True})[:60]
b'{"_type":"https://in-toto.io/Statement/v1","predicate":{"goo'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nodespec import claims
from nodespec.encoding import plain_json, quoted, strict_json

if TYPE_CHECKING:
    from collections.abc import Sequence

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT = "https://in-toto.io/Statement/v1"


def subject(name: str, **digest: str) -> dict[str, Any]:
    """Return one artifact: its name, and its digests by algorithm."""
    return {"name": name, "digest": digest}


def payload(subjects: Sequence[dict[str, Any]], predicate_type: str, predicate: dict[str, Any]) -> bytes:
    """Return the canonical JSON that is signed; the predicate holds text, whole numbers, and keys in ASCII."""
    return plain_json(
        {
            "_type": STATEMENT,
            "subject": list(subjects),
            "predicateType": predicate_type,
            "predicate": predicate,
        }
    )


def parse(data: bytes, predicate_type: str) -> tuple[list[Any], Any]:
    """Return the subjects and the predicate of a statement of this type; raise ``ValueError``."""
    fields = claims.members(strict_json(data), ("_type", "subject", "predicateType", "predicate"), "the statement")
    if fields["_type"] != STATEMENT:
        raise ValueError(f"its _type is {quoted(fields['_type'])}, not {STATEMENT}")
    if fields["predicateType"] != predicate_type:
        raise ValueError(f"its predicateType is {quoted(fields['predicateType'])}, not {predicate_type}")
    return claims.items(fields["subject"], "subject", least=1), fields["predicate"]
