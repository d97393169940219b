"""The subject's name and the file's path are two texts. Mallory makes them differ where some reader overlooks it."""

from __future__ import annotations

import pytest

from nodespec.tree import node_path
from tests.village import SCOUT, village


@pytest.mark.parametrize(
    "path",
    [
        "registry/nodes/lab/dream/../dream/scout.yaml",
        "./registry/nodes/lab/dream/scout.yaml",
        "registry//nodes/lab/dream/scout.yaml",
        "registry/nodes/lab/dream/SCOUT.yaml",
        "registry/nodes/lab/dream/scout.yml",
        "registry/nodes/lab/dream/scout",
        "registry/tombstones/lab/dream/scout.yaml",
        "registry/nodes/lab/dream/scout.yaml\x00",
        "registry\\nodes\\lab\\dream\\scout.yaml",
        "",
    ],
)
def test_the_subject_is_exactly_the_file(path: str) -> None:
    s = village()
    s.attest(SCOUT, "Bob", path=path)
    assert s.codes() == ["P011"]
    s.attest(SCOUT, "Bob", path=node_path(SCOUT), action="update")
    assert s.codes() == []


@pytest.mark.parametrize("identifier", ["lab.dream.scout", "lab/dream/scout", "lab.dream/SCOUT", "lab.dream/scout "])
def test_the_id_is_exactly_the_nodes(identifier: str) -> None:
    s = village()
    s.attest(SCOUT, "Bob", node_id=identifier)
    assert s.codes() == ["P011"]
