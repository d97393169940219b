"""Making one key count as two.

Three hold the root, and two must sign. Mallory holds one of the three, or one of Ada's two, and tries to be two
people: her signature twice, under one id or under two; her key twice in the record that says who counts; her key once
more in another spelling. A threshold counts distinct keys.
"""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from hashlib import sha256

import pytest

from nodespec import owner, statement, trust
from nodespec.chain import record_path
from nodespec.quorum import Quorum
from nodespec.tree import TRUST, attestation_path
from tests.attacks.tampering import signature_of, with_signature, written
from tests.society import Society, new_keys, sealed, verdict

CACHE = "lab.memory/cache"


def test_one_signature_twice_under_one_id() -> None:
    society = Society()
    pair = new_keys(2)
    society.rotate(society.ada, *pair, threshold=2)
    path = society.register(CACHE, by=society.ada)
    assert verdict(society.tree()) == []
    society.sign(path, pair[0])
    value = json.loads(society.files[attestation_path(path)])
    society.files[attestation_path(path)] = written({**value, "signatures": value["signatures"] * 2}) + b"\n"
    assert verdict(society.tree()) == [("P009", path)]


def test_one_signature_under_the_ids_of_two_keys() -> None:
    """It is false for the second, and one is not enough."""
    society = Society()
    first, second = pair = new_keys(2)
    society.rotate(society.ada, *pair, threshold=2)
    path = society.register(CACHE, by=society.ada)
    assert verdict(society.tree()) == []
    society.sign(path, first)
    value = signature_of(society.files[attestation_path(path)], first)
    society.change(attestation_path(path), with_signature, second.public.key_id, value)
    assert verdict(society.tree()) == [("P017", path), ("P018", path)]


def test_two_signatures_of_one_key_over_the_same_words() -> None:
    """ML-DSA signs with randomness, so the two differ; they are still one key's."""
    society = Society()
    first, second = pair = new_keys(2)
    society.rotate(society.ada, *pair, threshold=2)
    path = society.register(CACHE, by=society.ada)
    claim = society.attestation(CACHE)
    assert claim is not None
    one, other = (sealed(statement.PAYLOAD_TYPE, claim.payload, first) for _ in range(2))
    assert signature_of(one, first) != signature_of(other, first)
    society.files[attestation_path(path)] = with_signature(one, second.public.key_id, signature_of(other, first))
    assert verdict(society.tree()) == [("P017", path), ("P018", path)]
    society.sign(path, first, second)
    assert verdict(society.tree()) == []


def test_one_key_twice_in_an_owner_s_record() -> None:
    society = Society()
    mallory = society.join("Mallory", *new_keys(2), threshold=2)
    assert verdict(society.tree()) == []
    value = json.loads(mallory.records[0].payload())
    value["keys"] = value["keys"][:1] * 2
    payload = written(value)
    path = record_path(owner.folder_of(owner.handle_of(payload)), 0)
    society.files[path] = sealed(owner.PAYLOAD_TYPE, payload, *mallory.wallets[0])
    assert verdict(society.tree()) == [("P007", path)]


@pytest.mark.parametrize("part", ["keys", "roles"])
def test_one_key_twice_in_the_trust_root(part: str) -> None:
    society = Society()
    root = society.renew()
    path = record_path(TRUST, 2)
    assert verdict(society.tree()) == []
    value = json.loads(root.payload())
    if part == "keys":
        value["keys"] = sorted([*value["keys"], value["keys"][0]], key=lambda key: key["keyid"])
    else:
        value["roles"]["root"]["keys"][1] = value["roles"]["root"]["keys"][0]
    society.files[path] = sealed(trust.PAYLOAD_TYPE, written(value), *society.keyring["root"])
    assert verdict(society.tree()) == [("P002", path)]


def test_one_key_twice_in_another_spelling() -> None:
    """The same point of the curve behind a longer length field, as BER allows: another id for the same key."""
    society = Society()
    (key,) = new_keys(1, "ed25519")
    mallory = society.join("Mallory", key, *new_keys(1), threshold=2)
    assert verdict(society.tree()) == []
    der = key.public.der
    respelled = der[:1] + b"\x81" + der[1:]
    value = json.loads(mallory.records[0].payload())
    twin = {
        "keyid": sha256(respelled).hexdigest(),
        "scheme": "ed25519",
        "public": base64.b64encode(respelled).decode(),
    }
    value["keys"] = sorted([key.public.fields, twin], key=lambda item: item["keyid"])
    payload = written(value)
    path = record_path(owner.folder_of(owner.handle_of(payload)), 0)
    society.files[path] = sealed(owner.PAYLOAD_TYPE, payload, key)
    assert verdict(society.tree()) == [("P007", path)]


def test_the_same_key_in_two_records_counts_for_the_one_that_is_named() -> None:
    """Ada needed one signature once, and needs two now: her first key is still one of them, and alone not enough."""
    society = Society()
    old, (new,) = society.ada.key, new_keys(1)
    society.rotate(society.ada, old, new, threshold=2)
    base = society.tree()
    path = society.register(CACHE, by=society.ada)
    assert verdict(society.tree(), base) == []
    society.sign(path, old)
    assert verdict(society.tree(), base) == [("P018", path)]
    society.reword(path, old, owner=society.ada.party(0))
    assert verdict(society.tree(), base) == [("C001", path)]


def test_a_quorum_is_never_made_of_one_key_twice() -> None:
    (key,) = new_keys(1)
    assert Quorum(keys=(key.public,), threshold=1)
    with pytest.raises(ValueError, match="a key is listed twice"):
        Quorum(keys=(key.public, replace(key.public)), threshold=2)
