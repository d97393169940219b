"""Signing with something weaker.

A file promises ML-DSA-44. Mallory has come by Ada's old Ed25519 key, or expects to break Ed25519 one day, and signs
with that. She may also relabel keys, or claim a scheme in the message. The scheme is a property of the trusted key,
never of the message; the file's promise must be kept; and what the trust root does not allow does not count.
"""

from __future__ import annotations

import json

import pytest

from nodespec import owner, statement
from nodespec.keys import HMAC_SCHEME, SCHEMES, HmacKey, PublicKey, generate
from nodespec.tree import attestation_path
from tests.attacks.tampering import parsed, renamed, spelled, with_signature, written
from tests.society import Society, new_keys, sealed, verdict

CACHE, GUARD = "lab.memory/cache", "lab.memory/guard"


@pytest.mark.parametrize("scheme", [scheme for scheme in SCHEMES if scheme != "ml-dsa-44"])
def test_another_key_of_the_owner_does_not_keep_the_file_s_promise(scheme: str) -> None:
    society = Society()
    (other,), (promised,) = new_keys(1, scheme), new_keys(1)
    society.rotate(society.ada, other, promised)
    society.renew(attestation_schemes=SCHEMES)
    path = society.register(CACHE, by=society.ada)
    society.sign(path, promised)
    assert verdict(society.tree()) == []
    society.sign(path, other)
    assert verdict(society.tree()) == [("P021", path)]


@pytest.mark.parametrize("scheme", [scheme for scheme in SCHEMES if scheme != "ml-dsa-44"])
def test_a_scheme_that_the_trust_root_does_not_allow_does_not_count(scheme: str) -> None:
    """Two must sign. One of them with a scheme that is allowed in one registry, and not in the other."""
    for allowed, expected in ((SCHEMES, []), (("ml-dsa-44",), ["P020"])):
        society = Society()
        society.rotate(society.ada, *new_keys(1), *new_keys(1, scheme), threshold=2)
        society.renew(attestation_schemes=allowed)
        society.register(CACHE, by=society.ada)
        assert [code for code, _ in verdict(society.tree())] == expected


def test_a_verifier_s_scheme_must_be_allowed_as_well() -> None:
    for allowed, expected in ((("ml-dsa-44", "ed25519"), []), (("ml-dsa-44",), ["P020"])):
        society = Society()
        society.rotate(society.vera, *new_keys(1, "ed25519"))
        society.renew(attestation_schemes=allowed)
        society.register(GUARD, by=society.ada, tier=4, verifier=society.vera.handle)
        assert [code for code, _ in verdict(society.tree())] == expected


def test_a_message_has_no_place_to_claim_a_scheme() -> None:
    society = Society()
    path = society.register(CACHE, by=society.ada)
    whole = society.files[attestation_path(path)]
    assert verdict(society.tree()) == []
    for label in ("alg", "scheme", "sig_alg"):
        value = json.loads(whole)
        value["signatures"][0][label] = "none"
        society.files[attestation_path(path)] = written(value) + b"\n"
        assert verdict(society.tree()) == [("P009", path)]


def test_a_key_in_a_record_is_of_the_scheme_that_its_bytes_say() -> None:
    """A record that calls an Ed25519 key ML-DSA-44 is none, whoever signed it."""
    society = Society()
    weak = generate("ed25519")
    record = society.rotate(society.ada, weak)
    signers = (society.ada.wallets[0][0], weak)
    assert verdict(society.tree()) == []
    for scheme, good in (("ed25519", True), ("ml-dsa-44", False), ("dilithium2", False), ("none", False)):
        value = json.loads(record.payload())
        value["keys"][0]["scheme"] = scheme
        society.files[society.ada.path()] = sealed(owner.PAYLOAD_TYPE, written(value), *signers)
        assert verdict(society.tree()) == ([] if good else [("P007", society.ada.path())])


def test_an_ed25519_signature_is_no_ml_dsa_signature() -> None:
    """The same words signed by a weak key, and put under the strong key's id."""
    society = Society()
    path = society.register(CACHE, by=society.ada)
    weak, strong = generate("ed25519"), society.ada.key
    value = weak.sign(parsed(society.files[attestation_path(path)]).message)
    assert verdict(society.tree()) == []
    society.change(attestation_path(path), with_signature, strong.public.key_id, value)
    assert verdict(society.tree()) == [("P017", path)]


def test_a_shared_secret_is_no_key_of_an_owner() -> None:
    """HMAC with the public key as the secret: the classic confusion. There is nothing to confuse it with here."""
    society = Society()
    path = society.register(CACHE, by=society.ada)
    public, whole = society.ada.key.public, society.files[attestation_path(path)]
    assert verdict(society.tree()) == []
    value = HmacKey(secret=public.der).sign(parsed(whole).message)
    for key_id, code in ((public.key_id, "P017"), (HMAC_SCHEME, "P015")):
        society.files[attestation_path(path)] = renamed(
            with_signature(whole, public.key_id, value), public.key_id, key_id
        )
        assert verdict(society.tree()) == [(code, path)]


def test_a_public_key_says_its_scheme_itself() -> None:
    for scheme in SCHEMES:
        public = generate(scheme).public
        assert PublicKey.from_fields(public.fields) == public
        for other in SCHEMES:
            if other != scheme:
                with pytest.raises(ValueError, match="keyid or scheme is not that of its bytes"):
                    PublicKey.from_fields({**public.fields, "scheme": other})


def test_the_payload_type_is_part_of_what_is_signed() -> None:
    """What Ada signed as an attestation is no owner's record, and the other way round."""
    society = Society()
    path = society.register(CACHE, by=society.ada)
    assert verdict(society.tree()) == []
    claim = society.attestation(CACHE)
    assert claim is not None
    society.files[attestation_path(path)] = spelled(
        sealed(owner.PAYLOAD_TYPE, claim.payload, society.ada.key),
        lambda value: written({**value, "payloadType": statement.PAYLOAD_TYPE}) + b"\n",
    )
    assert verdict(society.tree()) == [("P017", path)]
