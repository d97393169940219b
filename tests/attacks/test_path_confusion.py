"""Two names for one file.

An attestation names its subject's path, the node's id, and stands beside a file: three texts that should agree.
Mallory has a node of her own, and hopes that some reader compares only two of them, or tidies a path up before it
compares.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from nodespec import statement
from nodespec.judge import judge
from nodespec.tree import attestation_path, node_path, tombstone_path
from tests.society import NOW, Node, Society, sealed, verdict

CACHE = "lab.memory/cache"


@pytest.mark.parametrize(
    "path",
    [
        "registry/nodes/lab/memory/../memory/cache.yaml",
        "registry/nodes/lab/memory/./cache.yaml",
        "./registry/nodes/lab/memory/cache.yaml",
        "/registry/nodes/lab/memory/cache.yaml",
        "registry//nodes/lab/memory/cache.yaml",
        "registry/nodes/lab/memory/cache.yaml/",
        "registry/nodes/lab/memory/CACHE.yaml",
        "Registry/nodes/lab/memory/cache.yaml",
        "registry/nodes/lab/memory/cache.yml",
        "registry/nodes/lab/memory/cache",
        "registry/nodes/lab/memory/cache.yaml.yaml",
        "registry/nodes/lab/memory/cache.dsse.json",
        "registry/nodes/lab.memory/cache.yaml",
        "registry/tombstones/lab/memory/cache.yaml",
        "registry/nodes/registry/nodes/lab/memory/cache.yaml",
        "registry/nodes/lab/memory/cache.yaml\x00",
        "registry/nodes/lab/memory/cache.yaml ",
        "registry\\nodes\\lab\\memory\\cache.yaml",
        "registry/nodes/lab/memory/c%61che.yaml",
        "registry/nodes/lab/memory/c\u0430che.yaml",
        "file:registry/nodes/lab/memory/cache.yaml",
        "cache.yaml",
        "",
    ],
)
def test_the_subject_is_exactly_the_file(path: str) -> None:
    society = Society()
    home = society.register(CACHE, by=society.ada)
    society.files[attestation_path(home)] = resealed(society, home, CACHE)
    assert verdict(society.tree()) == []
    society.files[attestation_path(home)] = resealed(society, path, CACHE)
    assert verdict(society.tree()) == [("P011", home)]


@pytest.mark.parametrize(
    "identifier",
    ["lab.memory.cache", "lab/memory/cache", "lab.memory/CACHE", "lab.memory/cache ", "memory/cache", "cache", "/", ""],
)
def test_the_id_is_exactly_the_node_s(identifier: str) -> None:
    society = Society()
    home = society.register(CACHE, by=society.ada)
    assert verdict(society.tree()) == []
    society.files[attestation_path(home)] = resealed(society, home, identifier)
    assert verdict(society.tree()) == [("P011", home)]


def resealed(society: Society, path: str, identifier: str) -> bytes:
    """What Ada would sign if she were told that her cache stands at this path and has this id."""
    claim = society.attestation(CACHE)
    assert claim is not None
    return sealed(statement.PAYLOAD_TYPE, replace(claim, path=path, node_id=identifier).payload, society.ada.key)


def test_path_and_id_must_agree_with_each_other_and_with_the_file() -> None:
    """Mallory's own node, attested by herself under the name of Ada's, and the other way round."""
    society = Society()
    victim, own = node_path(CACHE), society.register("garden/plot", by=society.newt)
    assert verdict(society.tree()) == []
    for path, identifier in ((victim, "garden/plot"), (own, CACHE), (victim, CACHE)):
        fork = society.fork()
        claim = fork.attestation("garden/plot")
        assert claim is not None
        payload = replace(claim, path=path, node_id=identifier).payload
        fork.files[attestation_path(own)] = sealed(statement.PAYLOAD_TYPE, payload, fork.newt.key)
        assert verdict(fork.tree()) == [("P011", own)]


def test_a_file_at_another_path_than_its_id_is_no_node_of_that_id() -> None:
    """Newt's file says that it is Ada's cache; it stands elsewhere, and he has signed it as either."""
    for identifier in (CACHE, "garden/plot"):
        society = Society()
        society.register(CACHE, by=society.ada)
        home = node_path("garden/plot")
        node = Node(id=CACHE, owner=society.newt.handle)
        society.files[home] = node.text()
        claim = society.claim(Node(id=identifier, owner=society.newt.handle), "register", home, node.text())
        society.attest(claim)
        codes = {(item.code, item.path) for item in judge(society.tree(), now=NOW).findings}
        assert ("N001", home) in codes
        assert ("P011", home) in codes
        assert {path for _, path in codes} == {home}


def test_a_dot_in_a_folder_s_name_is_no_way_to_the_same_id() -> None:
    """registry/nodes/lab.memory/cache.yaml would have the id of Ada's cache, if folders could have dots."""
    society = Society()
    home = society.register(CACHE, by=society.ada)
    twin = "registry/nodes/lab.memory/cache.yaml"
    assert judge(society.tree(), now=NOW).findings == ()
    for name, other in ((home, twin), (attestation_path(home), attestation_path(twin))):
        society.files[other] = society.files[name]
    codes = {(item.code, item.path) for item in judge(society.tree(), now=NOW).findings}
    assert {("T004", twin), ("N001", twin), ("P011", twin)} <= codes
    assert home not in {path for _, path in codes}


def test_a_tombstone_locks_one_name_whatever_path_it_claims() -> None:
    """Newt's tombstone says that it buries Ada's cache; it stands where his own would."""
    society = Society()
    society.register(CACHE, by=society.ada)
    society.register("garden/plot", by=society.newt)
    path = society.deregister("garden/plot")
    assert judge(society.tree(), now=NOW).findings == ()
    society.change(path, lambda data: data.replace(b'"garden"', b'"lab.memory"').replace(b'"plot"', b'"cache"'))
    codes = {(item.code, item.path) for item in judge(society.tree(), now=NOW).findings}
    assert codes == {("N001", path)}
    assert path == tombstone_path("garden/plot")
