"""Two must sign, and Mallory has one key: he signs twice, or lists his key twice."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from nodespec import envelope, trust
from nodespec.chain import record_path
from nodespec.encoding import canonical_json
from nodespec.quorum import Quorum
from nodespec.tree import TRUST
from tests.village import SCOUT, Village, key, sealed, village


def two_of_two() -> Village:
    s = village()
    both = [key("Bob"), key("Bob b")]
    s.add_record("Bob", both, both, threshold=2)
    s.put(SCOUT, "Bob", version="1.1.0")
    return s


def test_two_keys_reach_a_threshold_of_two() -> None:
    assert two_of_two().codes() == []


def test_one_key_that_signs_twice_counts_once() -> None:
    s = two_of_two()
    (first, _) = s.signed(SCOUT).signatures
    again = replace(first, value=key("Bob").sign(s.signed(SCOUT).message))
    s.files[s.attestation_file(SCOUT)] = replace(s.signed(SCOUT), signatures=(first, again)).dump()
    assert s.codes() == ["P009"]
    with pytest.raises(ValueError, match="a key id appears twice"):
        envelope.parse(s.files[s.attestation_file(SCOUT)])


def test_one_key_under_two_names_counts_once() -> None:
    s = two_of_two()
    mine = next(item for item in s.signed(SCOUT).signatures if item.key_id == key("Bob").public.key_id)
    twin = replace(mine, key_id=key("Bob b").public.key_id)
    s.replace_signed(SCOUT, replace(s.signed(SCOUT), signatures=(mine, twin)))
    assert set(s.codes()) == {"P017", "P018"}


def test_a_quorum_cannot_list_one_key_twice() -> None:
    with pytest.raises(ValueError, match="a key is listed twice"):
        Quorum(keys=(key("Bob").public, key("Bob").public), threshold=2)


def test_a_root_role_that_lists_one_key_twice_is_refused() -> None:
    s = village()
    root = s.next_root()
    assert s.codes() == []
    value = json.loads(root.payload())
    value["roles"]["root"]["keys"].append(value["roles"]["root"]["keys"][-1])
    path = record_path(TRUST, root.version)
    s.files[path] = sealed(trust.PAYLOAD_TYPE, canonical_json(value), s.root_keys[0][:2])
    assert s.codes() == ["P002"]
