"""DSSE envelopes as others make and verify them: securesystemslib, which python-tuf and in-toto stand on.

Its ML-DSA signs a digest with a prefix (TAP 21) and not the bytes themselves, so Ed25519 is what both have in common.
"""

from __future__ import annotations

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from securesystemslib.dsse import Envelope as TheirEnvelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey

from nodespec import attestation, envelope, keys, statement
from nodespec.quorum import Quorum
from tests.village import SCOUT, key, village

PAYLOAD = b'{"claim":"\xc3\xa9","n":[1,2]}'


def as_theirs(public: keys.PublicKey) -> SSlibKey:
    """Return our public key as securesystemslib's, under our key id."""
    return SSlibKey.from_crypto(load_pem_public_key(public.pem), keyid=public.key_id)


def test_our_envelope_verifies_with_their_code() -> None:
    ours = key("interop", "ed25519")
    data = envelope.seal("text/claim", PAYLOAD, [(ours.public.key_id, ours)]).dump()
    theirs = TheirEnvelope.from_dict(json.loads(data))
    assert theirs.payload == PAYLOAD
    assert theirs.verify([as_theirs(ours.public)], 1).keys() == {ours.public.key_id}


def test_their_envelope_verifies_with_ours() -> None:
    private = Ed25519PrivateKey.generate()
    public = keys.load_public(as_pem(private), name="theirs")
    signer = CryptoSigner(private, as_theirs(public))
    theirs = TheirEnvelope(PAYLOAD, "text/claim", {})
    theirs.sign(signer)
    ours = envelope.parse(json.dumps(theirs.to_dict()).encode())
    assert ours.payload == PAYLOAD
    assert Quorum(keys=(public,), threshold=1).counted(ours).reached


def as_pem(private: Ed25519PrivateKey) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def test_both_refuse_the_same_change() -> None:
    ours = key("interop", "ed25519")
    sealed = envelope.seal("text/claim", PAYLOAD, [(ours.public.key_id, ours)])
    fields = json.loads(sealed.dump())
    fields["payloadType"] = "text/other"
    with pytest.raises(VerificationError):
        TheirEnvelope.from_dict(json.loads(json.dumps(fields))).verify([as_theirs(ours.public)], 1)
    changed = envelope.parse(json.dumps(fields).encode())
    assert not Quorum(keys=(ours.public,), threshold=1).counted(changed).reached


def test_a_whole_attestation_is_an_in_toto_statement_to_them() -> None:
    s = village()
    weak = key("Bob interop", "ed25519")
    s.add_record("Bob", [key("Bob"), weak], [key("Bob"), weak])
    s.put(SCOUT, "Bob", version="1.1.0")
    data = s.files[s.attestation_file(SCOUT)]
    theirs = TheirEnvelope.from_dict(json.loads(data))
    assert theirs.payload_type == statement.PAYLOAD_TYPE
    assert theirs.verify([as_theirs(weak.public)], 1).keys() == {weak.public.key_id}
    assert json.loads(theirs.payload)["_type"] == "https://in-toto.io/Statement/v1"
    assert attestation.read(data)[1].payload == theirs.payload


def test_pre_authentication_encodings_agree() -> None:
    for kind, body in (("", b""), ("a", b"b"), ("text/é", b"\x00\xff" * 300)):
        assert envelope.pae(kind, body) == TheirEnvelope(body, kind, {}).pae()
