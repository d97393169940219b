"""Carrying a signature from one registry to another.

Ada publishes in the laboratory and in the factory, with the same keys. What she tries out in the laboratory is not
meant for the factory. Mallory copies it there, file and attestation; or copies the whole registry and renames it.
"""

from __future__ import annotations

from dataclasses import replace

from nodespec import owner, statement
from nodespec.chain import record_path
from nodespec.tree import SEAL_PATH, SETTINGS_PATH, TRUST, attestation_path
from tests.society import Society, delegation, new_keys, quorum_of, sealed, verdict

CACHE = "lab.memory/cache"


def factory(laboratory: Society) -> Society:
    """Another registry in which Ada, with her own chain, holds the same type."""
    society = Society(registry_id="lab.factory")
    folder = owner.folder_of(laboratory.ada.handle)
    society.files |= {path: data for path, data in laboratory.files.items() if path.startswith(folder)}
    society.owners[laboratory.ada.handle] = laboratory.ada
    society.renew(delegations=(delegation(laboratory.ada, "lab.memory"),))
    return society


def test_an_attestation_for_one_registry_says_nothing_in_another() -> None:
    laboratory = Society()
    path = laboratory.register(CACHE, by=laboratory.ada)
    assert verdict(laboratory.tree()) == []
    target = factory(laboratory)
    for name in (path, attestation_path(path)):
        target.files[name] = laboratory.files[name]
    assert verdict(target.tree()) == [("P010", path)]
    target.reword(path, registry_id="lab.factory")
    assert verdict(target.tree()) == []


def test_a_registry_that_is_copied_under_another_name_has_nobody_to_believe() -> None:
    laboratory = Society()
    laboratory.register(CACHE, by=laboratory.ada)
    assert verdict(laboratory.tree()) == []
    laboratory.change(SETTINGS_PATH, bytes.replace, b"lab.society", b"lab.factory")
    assert verdict(laboratory.tree()) == [("P002", record_path(TRUST, 1))]


def test_a_seal_is_for_one_registry() -> None:
    """The same maintainers seal in both, and the sealed files are the same."""
    society = Society()
    society.seal()
    assert verdict(society.tree()) == []
    made = society.provenance().seal
    assert made is not None
    payload = made.payload().replace(b"lab.society", b"lab.factory")
    society.files[SEAL_PATH] = sealed(statement.PAYLOAD_TYPE, payload, society.keyring["maintainer"][0])
    assert verdict(society.tree()) == [("P030", SEAL_PATH)]


def test_a_recovery_is_in_one_registry() -> None:
    """The factory's root keys are the laboratory's, too, and give Ada back there what she lost here."""
    laboratory = Society()
    target = factory(laboratory)
    roles = {**target.root.roles, "root": quorum_of(laboratory.keyring["root"], 2)}
    keyring = {**target.keyring, "root": laboratory.keyring["root"]}
    signers = (*target.root_signers(), *laboratory.root_signers())
    target.write_root(replace(target.next_root(), roles=roles), keyring, signers)
    assert verdict(target.tree()) == []
    laboratory.recover(laboratory.ada, *new_keys(1))
    assert verdict(laboratory.tree()) == []
    target.files[laboratory.ada.path()] = laboratory.files[laboratory.ada.path()]
    assert verdict(target.tree()) == [("P007", laboratory.ada.path())]
