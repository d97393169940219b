"""Loosening the rules by which everybody is judged.

A policy was made stricter and sealed. Mallory restores the lax one, with the seal that the maintainers once signed;
edits a policy under the present seal; adds a schema that nobody sealed; takes the seal off; or seals with her own
key.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from nodespec import envelope, statement
from nodespec.tree import NODE_SCHEMA_PATH, POLICIES, SEAL_PATH, SETTINGS_PATH
from tests.society import Society, new_keys, publics, sealed, verdict

POLICY = f"{POLICIES}lab.care.cel.yaml"
LAX = b"policy: lab.care\nrules: [{id: kind, expr: 'true', message: Be kind.}]\n"
STRICT = LAX.replace(b"'true'", b"'false'")


def tightened() -> tuple[Society, Society]:
    """The registry with the lax policy, and with the strict one; both sealed in their time."""
    lax = Society()
    lax.files[POLICY] = LAX
    lax.seal()
    strict = lax.fork()
    strict.files[POLICY] = STRICT
    strict.seal()
    assert verdict(strict.tree(), lax.tree()) == []
    return lax, strict


def test_a_policy_and_its_old_seal_do_not_come_back() -> None:
    lax, strict = tightened()
    assert verdict(lax.tree()) == []
    assert verdict(lax.tree(), strict.tree()) == [("C008", SEAL_PATH)]


def test_the_maintainers_may_loosen_it_again_in_the_open() -> None:
    _, strict = tightened()
    base = strict.tree()
    strict.files[POLICY] = LAX
    assert verdict(strict.tree(), base) == [("P031", POLICY)]
    strict.seal()
    assert verdict(strict.tree(), base) == []


def test_a_sealed_file_is_neither_edited_nor_removed_nor_joined_by_another() -> None:
    _, strict = tightened()
    base = strict.tree()
    for path in (POLICY, SETTINGS_PATH):
        trial = strict.fork()
        trial.files[path] += b"# harmless\n"
        assert verdict(trial.tree(), base) == [("P031", path)]
    trial = strict.fork()
    del trial.files[POLICY]
    assert verdict(trial.tree(), base) == [("P031", POLICY)]
    waivers = b"{schema_version: waivers.v1, waivers: []}\n"
    more = {f"{POLICIES}lab.more.cel.yaml": LAX.replace(b"lab.care", b"lab.more")}
    new = {**more, "schemas/lab.extra.json": b"{}\n", "registry/waivers.yaml": waivers}
    for path, data in (*new.items(), (".gitattributes", b"* text\n")):
        trial = strict.fork()
        trial.files[path] = data
        assert verdict(trial.tree(), base) == [("P031", path)]
        trial.seal()
        assert verdict(trial.tree(), base) == []


def test_taking_the_seal_off_is_no_way_out() -> None:
    _, strict = tightened()
    base = strict.tree()
    del strict.files[SEAL_PATH]
    strict.files[POLICY] = LAX
    assert verdict(strict.tree()) == []
    assert verdict(strict.tree(), base) == [("C008", SEAL_PATH)]


@pytest.mark.parametrize("who", ["a stranger", "a root key", "an owner", "a past maintainer"])
def test_only_maintainers_seal(who: str) -> None:
    _, strict = tightened()
    past = strict.keyring["maintainer"][0]
    fresh = new_keys(2)
    roles = {**strict.root.roles, "maintainer": replace(strict.root.roles["maintainer"], keys=publics(*fresh))}
    root = replace(strict.next_root(), roles=roles)
    strict.write_root(root, {**strict.keyring, "maintainer": fresh}, strict.root_signers())
    base = strict.tree()
    strict.seal()
    assert verdict(strict.tree(), base) == []
    made = strict.provenance().seal
    assert made is not None
    key = {
        "a stranger": new_keys(1)[0],
        "a root key": strict.root_signers()[0],
        "an owner": strict.ada.key,
        "a past maintainer": past,
    }[who]
    strict.files[SEAL_PATH] = sealed(statement.PAYLOAD_TYPE, made.payload(), key)
    assert verdict(strict.tree(), base) == [("P030", SEAL_PATH)]


def test_nobody_rides_along_on_a_seal() -> None:
    society = Society()
    society.seal()
    assert verdict(society.tree()) == []
    (stranger,) = new_keys(1)
    pairs = [(stranger.public.key_id, stranger)]
    society.change(SEAL_PATH, lambda data: envelope.parse(data).signed_with(pairs).dump())
    assert verdict(society.tree()) == [("P030", SEAL_PATH)]


def test_the_first_seal_is_the_maintainers_as_well() -> None:
    society = Society()
    base = society.tree()
    society.seal()
    assert verdict(society.tree(), base) == []
    made = society.provenance().seal
    assert made is not None
    assert NODE_SCHEMA_PATH in dict(made.files)
    society.files[SEAL_PATH] = sealed(statement.PAYLOAD_TYPE, made.payload(), *new_keys(1))
    assert verdict(society.tree(), base) == [("P030", SEAL_PATH)]
