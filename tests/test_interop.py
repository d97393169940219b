"""DSSE between this tool and securesystemslib, which python-tuf, in-toto and sigstore use.

With Ed25519 both sides verify what the other has made. With ML-DSA they do not: this tool signs the pre-authentication
encoding itself (FIPS 204, pure, empty context), securesystemslib a digest of it behind a prefix (TUF's TAP 21). The
last tests say so exactly.
"""

from __future__ import annotations

import json
from hashlib import sha512
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from securesystemslib.dsse import Envelope as TheirEnvelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import CryptoSigner, SSlibKey

from nodespec import attestation, envelope, statement
from nodespec.keys import load_public
from nodespec.quorum import Quorum
from nodespec.tree import attestation_path
from tests.attacks.tampering import edited, flipped
from tests.society import Society, new_keys, publics, sealed

if TYPE_CHECKING:
    from nodespec.keys import PrivateKey

KIND = statement.PAYLOAD_TYPE
PAYLOAD = b'{"hello":"world"}'
PASSPHRASE = "correct horse battery"


def raw(key: PrivateKey) -> Any:
    """The private key as the library beneath both sides holds it, by way of its file."""
    return load_pem_private_key(key.pem(PASSPHRASE), PASSPHRASE.encode())


def their_key(key: PrivateKey) -> SSlibKey:
    """The public key as securesystemslib holds it, under our key id."""
    return SSlibKey.from_crypto(raw(key).public_key(), keyid=key.public.key_id)


def their_signer(key: PrivateKey) -> CryptoSigner:
    return CryptoSigner(raw(key), their_key(key))


def theirs(data: bytes) -> TheirEnvelope:
    return TheirEnvelope.from_dict(json.loads(data))


def made_by_them(*keys: PrivateKey, payload: bytes = PAYLOAD) -> bytes:
    made = TheirEnvelope(payload, KIND, {})
    for key in keys:
        made.sign(their_signer(key))
    return json.dumps(made.to_dict()).encode()


def quorum(*keys: PrivateKey, threshold: int) -> Quorum:
    return Quorum(keys=publics(*keys), threshold=threshold)


def test_both_sides_sign_the_same_bytes() -> None:
    for kind, payload in ((KIND, PAYLOAD), ("", b""), ("é", "漢".encode()), ("a b", b"\0\xff" * 1000)):
        assert TheirEnvelope(payload, kind, {}).pae() == envelope.pae(kind, payload)


def test_what_we_sign_verifies_there() -> None:
    keys = new_keys(3, "ed25519")
    data = sealed(KIND, PAYLOAD, *keys)
    accepted = theirs(data).verify([their_key(key) for key in keys], 3)
    assert sorted(accepted) == sorted(key.public.key_id for key in keys)


def test_what_we_have_not_signed_does_not_verify_there() -> None:
    key, other = new_keys(2, "ed25519")
    data = sealed(KIND, PAYLOAD, key)
    assert theirs(data).verify([their_key(key)], 1)
    for wrong in (edited(data, payload=PAYLOAD + b" "), edited(data, payload_type="text/plain")):
        with pytest.raises(VerificationError):
            theirs(wrong).verify([their_key(key)], 1)
    with pytest.raises(VerificationError):
        theirs(data).verify([their_key(other)], 1)
    with pytest.raises(VerificationError):
        theirs(data).verify([their_key(key), their_key(other)], 2)


def test_what_they_sign_verifies_here() -> None:
    keys = new_keys(3, "ed25519")
    read = envelope.parse(made_by_them(*keys))
    assert (read.payload_type, read.payload) == (KIND, PAYLOAD)
    for threshold in (1, 2, 3):
        assert quorum(*keys, threshold=threshold).counted(read).reached
    assert not quorum(*keys[:1], *new_keys(1, "ed25519"), threshold=2).counted(read).reached


def test_what_they_have_not_signed_does_not_verify_here() -> None:
    (key,) = new_keys(1, "ed25519")
    data = made_by_them(key)
    assert quorum(key, threshold=1).counted(envelope.parse(data)).reached
    value = envelope.parse(data).signatures[0].value
    wrong = edited(data, signatures=(envelope.Signature(key_id=key.public.key_id, value=flipped(value, 5)),))
    for other in (wrong, edited(data, payload=b"{}"), edited(data, payload_type="text/plain")):
        assert not quorum(key, threshold=1).counted(envelope.parse(other)).signed


def test_each_adds_a_signature_to_what_the_other_began() -> None:
    ours, other = new_keys(2, "ed25519")
    begun_here = theirs(sealed(KIND, PAYLOAD, ours))
    begun_here.sign(their_signer(other))
    begun_there = envelope.parse(made_by_them(other)).signed_with([(ours.public.key_id, ours)])
    for data in (json.dumps(begun_here.to_dict()).encode(), begun_there.dump()):
        assert quorum(ours, other, threshold=2).counted(envelope.parse(data)).reached
        assert len(theirs(data).verify([their_key(ours), their_key(other)], 2)) == 2


def test_a_registry_keeps_its_own_spelling_of_what_they_made() -> None:
    """Their JSON is good JSON; a file of the registry is written in one way, and says the same."""
    keys = new_keys(2, "ed25519")
    data = made_by_them(*keys)
    with pytest.raises(ValueError, match="not written canonically"):
        envelope.parse_exact(data, KIND)
    kept = envelope.parse(data).dump()
    assert quorum(*keys, threshold=2).counted(envelope.parse_exact(kept, KIND)).reached
    assert len(theirs(kept).verify([their_key(key) for key in keys], 2)) == 2


def test_an_attestation_of_a_registry_verifies_there() -> None:
    society = Society()
    keys = (*new_keys(1, "ed25519"), *new_keys(1))
    society.rotate(society.ada, *keys, threshold=2)
    path = society.register("lab.memory/cache", by=society.ada)
    read = theirs(society.files[attestation_path(path)])
    assert read.verify([their_key(keys[0])], 1)
    said = json.loads(read.payload)
    assert said["subject"][0]["name"] == path
    assert said["predicateType"] == attestation.PREDICATE


def test_a_key_goes_there_and_comes_back() -> None:
    for scheme in ("ed25519", "ml-dsa-44", "ml-dsa-65", "ml-dsa-87"):
        (key,) = new_keys(1, scheme)
        public = their_key(key)._crypto_key()
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        assert load_public(pem, name="theirs") == key.public


# ML-DSA: the same keys, the same mathematics, other bytes.


def tap_21(message: bytes) -> bytes:
    """What securesystemslib signs for its scheme ml-dsa-44/1: TUF's TAP 21."""
    return b"tuf\x01" + sha512(message).digest()


def test_with_ml_dsa_each_side_signs_other_bytes() -> None:
    (key,) = new_keys(1)
    data = made_by_them(key)
    read = envelope.parse(data)
    value = read.signatures[0].value
    assert key.public.verify(value, tap_21(read.message))
    assert not quorum(key, threshold=1).counted(read).signed
    assert theirs(data).verify([their_key(key)], 1)


def test_with_ml_dsa_what_we_sign_does_not_verify_there_but_over_our_bytes() -> None:
    (key,) = new_keys(1)
    data = sealed(KIND, PAYLOAD, key)
    read = envelope.parse(data)
    assert quorum(key, threshold=1).counted(read).reached
    with pytest.raises(VerificationError):
        theirs(data).verify([their_key(key)], 1)
    again = edited(
        data, signatures=(envelope.Signature(key_id=key.public.key_id, value=key.sign(tap_21(read.message))),)
    )
    assert theirs(again).verify([their_key(key)], 1)
