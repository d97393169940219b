"""Hiding a version behind a later one.

Version 2 of the trust root took Mallory's keys away. She still holds those of version 1, and writes a version 3 that
follows from version 1, as if version 2 had never been. In the same way a thief jumps over the record with which Ada
revoked the stolen key.
"""

from __future__ import annotations

from dataclasses import replace

from nodespec.chain import record_path
from nodespec.tree import TRUST
from tests.society import Society, digest_of, new_keys, verdict


def test_a_version_follows_from_the_one_right_before_it() -> None:
    society = Society()
    mallory = society.root_signers()
    society.renew(root_keys=new_keys(3))
    honest = society.fork()
    honest.renew()
    assert verdict(honest.tree()) == []
    first = society.roots[0]
    third = replace(first, version=3, previous=digest_of(first.payload()))
    path = society.write_root(third, society.keyrings[0], mallory)
    assert verdict(society.tree()) == [("P002", path)]


def test_the_numbers_go_up_by_one() -> None:
    """Nothing is hidden here, and still there is no version 3 without a version 2."""
    society = Society()
    third = replace(society.next_root(), version=3)
    path = society.write_root(third, society.keyring, society.root_signers())
    assert verdict(society.tree()) == [("P002", path)]
    del society.files[path]
    society.roots.pop()
    society.keyrings.pop()
    society.renew()
    society.renew()
    assert verdict(society.tree()) == []


def test_a_file_s_name_is_not_its_number() -> None:
    """Version 3, under the name of version 2."""
    society = Society()
    society.renew()
    society.renew()
    assert verdict(society.tree()) == []
    society.files[record_path(TRUST, 2)] = society.files.pop(record_path(TRUST, 3))
    assert verdict(society.tree()) == [("P002", record_path(TRUST, 2))]


def test_version_three_needs_the_keys_of_version_two() -> None:
    society = Society()
    past, new = society.root_signers(), new_keys(3)
    society.renew(root_keys=new)
    root = society.next_root()
    for signers, good in ((new, True), ((*past, *new[:1]), False), (past, False)):
        trial = society.fork()
        path = trial.write_root(root, trial.keyring, signers)
        assert verdict(trial.tree()) == ([] if good else [("P002", path)])


def test_an_owner_s_records_go_up_by_one() -> None:
    society = Society()
    society.rotate(society.ada)
    society.rotate(society.ada)
    assert verdict(society.tree()) == []
    del society.files[society.ada.path(1)]
    assert verdict(society.tree()) == [("P007", society.ada.path(2))]


def test_a_thief_does_not_jump_over_a_revocation() -> None:
    society = Society()
    stolen = society.ada.key
    society.revoke(society.ada, stolen, "compromised")
    assert verdict(society.tree()) == []
    mallory = new_keys(1)
    genesis = society.ada.records[0]
    loot = replace(society.next_record(society.ada, genesis.quorum), previous=digest_of(genesis.payload()))
    path = society.write_record(society.ada, loot, mallory, (stolen,))
    assert verdict(society.tree()) == [("P007", path)]
