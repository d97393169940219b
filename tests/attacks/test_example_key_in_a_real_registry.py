"""Signing with a key that everybody has.

The private keys of the example registry stand in this repository. Somebody copies its trust root, or one of its
owners, into a registry that matters, or makes the same key "their own". From then on whoever can read can sign.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from nodespec import keys
from nodespec.chain import record_path
from nodespec.tree import TRUST
from tests.conftest import ROOT
from tests.society import Society, new_keys, published_key, quorum_of, verdict

CACHE, GUARD = "lab.memory/cache", "lab.memory/guard"
SECOND = record_path(TRUST, 2)


@pytest.mark.parametrize("role", ["root", "checkpoint", "maintainer"])
def test_no_role_of_a_real_trust_root_lists_a_published_key(role: str) -> None:
    for key in (*new_keys(1), published_key()):
        for example in (False, True):
            society = Society(example=example)
            wallet = (*society.keyring[role], key)
            keyring = {**society.keyring, role: wallet}
            roles = {**society.root.roles, role: quorum_of(wallet, 2)}
            root = replace(society.next_root(), roles=roles)
            society.write_root(root, keyring, society.root_signers())
            wrong = key.public.published and not example
            assert verdict(society.tree()) == ([("P004", SECOND)] if wrong else [])


def test_an_owner_with_a_published_key_is_found_and_so_is_what_it_signs() -> None:
    for example in (False, True):
        society = Society(example=example)
        society.rotate(society.ada, published_key())
        path = society.register(CACHE, by=society.ada)
        assert verdict(society.tree()) == ([] if example else [("P004", path), ("P004", society.ada.path())])


def test_a_stranger_signs_with_the_key_that_ada_forgot_to_take_out() -> None:
    """Ada has two keys, and needs one. Her own still counts; the published one does not, though her record lists it."""
    society = Society()
    everybody, (own,) = published_key(), new_keys(1)
    society.rotate(society.ada, everybody, own)
    path = society.register(CACHE, by=society.ada)
    society.sign(path, own)
    record = [("P004", society.ada.path())]
    assert verdict(society.tree()) == record
    society.sign(path, everybody)
    assert verdict(society.tree()) == [("P004", path), *record]
    society.rotate(society.ada, own)
    assert verdict(society.tree()) == [("P004", path)]
    society.sign(path, own)
    assert verdict(society.tree()) == []


def test_a_verifier_with_a_published_key_vouches_for_nothing() -> None:
    society = Society()
    society.rotate(society.vera, published_key())
    path = society.register(GUARD, by=society.ada, tier=4, verifier=society.vera.handle)
    society.rotate(society.vera)
    assert verdict(society.tree()) == [("P004", path)]
    society.update(GUARD)
    assert verdict(society.tree()) == []


def test_every_key_of_the_example_is_known_to_be_published() -> None:
    files = sorted((ROOT / "tests" / "keys" / "keys").glob("*.pub.pem"))
    assert len(files) == len(keys.PUBLISHED_KEY_IDS)
    assert all(keys.load_public(file.read_bytes(), name=file.name).published for file in files)
    assert not any(key.public.published for key in new_keys(3))
