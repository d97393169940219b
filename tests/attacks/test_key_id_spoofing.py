"""Borrowing a name.

The key id beside a signature is a hint that anybody can write. Mallory signs with her own key and writes Ada's key
id; she swaps the ids of two signatures; she lists her own key under Ada's id. An id must never be believed.
"""

from __future__ import annotations

import json

from nodespec import owner
from nodespec.tree import attestation_path
from tests.attacks.tampering import renamed, signature_of, with_signature, written
from tests.society import Society, new_keys, sealed, verdict

CACHE, GUARD = "lab.memory/cache", "lab.memory/guard"


def test_mallory_signs_under_ada_s_id() -> None:
    society = Society()
    path = society.register(CACHE, by=society.ada)
    (mallory,) = new_keys(1)
    assert verdict(society.tree()) == []
    society.sign(path, mallory)
    society.change(attestation_path(path), renamed, mallory.public.key_id, society.ada.key.public.key_id)
    assert verdict(society.tree()) == [("P017", path)]


def test_ada_s_signature_under_another_id_is_nobody_s() -> None:
    society = Society()
    path = society.register(CACHE, by=society.ada)
    whole, key_id = society.files[attestation_path(path)], society.ada.key.public.key_id
    assert verdict(society.tree()) == []
    for other in ("", key_id.upper(), key_id[:16], f" {key_id}", f"{key_id}\n", "sha256:" + key_id, "ab" * 32):
        society.files[attestation_path(path)] = renamed(whole, key_id, other)
        assert verdict(society.tree()) == [("P015", path)]


def test_a_second_signature_under_a_stranger_s_id_is_found() -> None:
    society = Society()
    path = society.register(CACHE, by=society.ada)
    value = signature_of(society.files[attestation_path(path)], society.ada.key)
    assert verdict(society.tree()) == []
    society.change(attestation_path(path), with_signature, "ab" * 32, value)
    assert verdict(society.tree()) == [("P015", path)]


def test_the_owner_s_and_the_verifier_s_signatures_do_not_change_places() -> None:
    society = Society()
    path = society.register(GUARD, by=society.ada, tier=4, verifier=society.vera.handle)
    assert verdict(society.tree()) == []
    file, (ada, vera) = attestation_path(path), (society.ada.key.public.key_id, society.vera.key.public.key_id)
    society.change(file, renamed, ada, "for a moment")
    society.change(file, renamed, vera, ada)
    society.change(file, renamed, "for a moment", vera)
    assert verdict(society.tree()) == [("P017", path)]


def test_a_record_cannot_list_a_key_under_another_id() -> None:
    """Else whoever looks for the id that was revoked would not find it."""
    society = Society()
    mallory = society.join("Mallory")
    record = mallory.records[0]
    assert verdict(society.tree()) == []
    value = json.loads(record.payload())
    value["keys"][0]["keyid"] = society.ada.key.public.key_id
    handle = owner.handle_of(written(value))
    path = f"{owner.folder_of(handle)}0000.dsse.json"
    society.files[path] = sealed(owner.PAYLOAD_TYPE, written(value), mallory.key, society.ada.key)
    assert verdict(society.tree()) == [("P007", path)]


def test_the_true_signature_beside_a_false_one_under_the_same_id_is_refused() -> None:
    """Whoever reads the first of two and whoever reads the last would not see the same."""
    society = Society()
    path = society.register(CACHE, by=society.ada)
    assert verdict(society.tree()) == []
    whole = json.loads(society.files[attestation_path(path)])
    (item,) = whole["signatures"]
    for pair in ([item, {**item, "sig": "QQ=="}], [{**item, "sig": "QQ=="}, item], [item, item]):
        society.files[attestation_path(path)] = written({**whole, "signatures": pair}) + b"\n"
        assert verdict(society.tree()) == [("P009", path)]
