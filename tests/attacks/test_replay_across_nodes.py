"""Using one node's attestation for another.

Ada signed for her cache. Mallory puts that attestation beside a node that Ada never signed: a copy under another
name, the same file under another type, a tombstone.
"""

from __future__ import annotations

from nodespec.tree import attestation_path, node_path, tombstone_path
from tests.society import Node, Society, findings, verdict

CACHE, TWIN = "lab.memory/cache", "lab.memory/cache-twin"


def test_a_copied_attestation_does_not_vouch_for_another_node() -> None:
    society = Society()
    path, twin = society.register(CACHE, by=society.ada), node_path(TWIN)
    society.files[twin] = Node(id=TWIN, owner=society.ada.handle).text()
    society.files[attestation_path(twin)] = society.files[attestation_path(path)]
    assert sorted(verdict(society.tree())) == [("P011", twin), ("P013", twin)], "both the name and the bytes are others"
    society.register(TWIN, by=society.ada)
    assert verdict(society.tree()) == []


def test_the_same_file_at_another_path_is_another_node() -> None:
    """Even byte for byte: the path is the id."""
    society = Society()
    path, elsewhere = society.register(CACHE, by=society.ada), node_path("lab.memory.deep/cache")
    assert verdict(society.tree()) == []
    for name, other in ((path, elsewhere), (attestation_path(path), attestation_path(elsewhere))):
        society.files[other] = society.files[name]
    assert verdict(society.tree()) == [("P011", elsewhere)]


def test_words_about_another_node_cannot_be_put_into_a_signed_attestation() -> None:
    society = Society()
    path = society.register(CACHE, by=society.ada)
    twin = Node(id=TWIN, owner=society.ada.handle)
    claim = society.claim(twin, "register", node_path(TWIN), twin.text())
    assert verdict(society.tree()) == []
    society.files[node_path(TWIN)] = twin.text()
    society.files[attestation_path(node_path(TWIN))] = society.files[attestation_path(path)]
    society.forge(node_path(TWIN), path=claim.path, node_id=claim.node_id, sha256=claim.sha256)
    assert verdict(society.tree()) == [("P017", node_path(TWIN))]
    society.attest(claim)
    assert verdict(society.tree()) == []


def test_an_attestation_of_a_node_does_not_bury_it() -> None:
    """Ada signed an update. Mallory puts a tombstone in the node's place, and the update beside it."""
    society = Society()
    society.register(CACHE, by=society.ada)
    base = society.tree()
    honest = society.fork()
    update = society.update(CACHE)
    stolen = society.files[attestation_path(update)]
    stone = honest.deregister(CACHE)
    assert verdict(honest.tree(), base) == []
    honest.files[attestation_path(stone)] = stolen
    found = verdict(honest.tree(), base)
    assert {path for _, path in found} == {stone}
    assert {code for code, _ in found} == {"P011", "P013"}
    assert stone == tombstone_path(CACHE)


def test_two_nodes_attestations_do_not_change_places() -> None:
    society = Society()
    one, other = (society.register(identifier, by=society.ada) for identifier in (CACHE, TWIN))
    assert verdict(society.tree()) == []
    files = attestation_path(one), attestation_path(other)
    society.files |= dict(zip(files, [society.files[name] for name in reversed(files)], strict=True))
    found = findings(society.tree())
    assert sorted((item.code, item.path) for item in found) == [
        (code, path) for code in ("P011", "P013") for path in sorted((one, other))
    ]
    assert any("another file" in item.message for item in found)
