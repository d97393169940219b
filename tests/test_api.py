"""The Python API: what the commands do, as functions and values."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

import nodespec
from nodespec import Registry, RegistryError, UsageError, api
from nodespec.tree import attestation_path, node_path
from tests.lab import CACHE, LOOM, Lab

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Checkout


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return Lab.found(tmp_path_factory.mktemp("api") / "registry")


def test_every_public_name_is_listed_and_can_be_had() -> None:
    assert set(nodespec.__all__) <= set(dir(nodespec))
    for name in nodespec.__all__:
        assert getattr(nodespec, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        _ = nodespec.Nothing


def test_validate_judges_a_snapshot_and_the_step_from_another(lab: Lab) -> None:
    registry = Registry.open(lab.repository.path)
    alone = api.validate(registry.at(lab.base))
    assert (alone.findings, alone.families["C"]) == ((), "not run")
    step = api.validate(registry.at(lab.base), base=registry.at(f"{lab.base}~1"))
    assert (step.findings, step.families["C"]) == ((), "run")
    assert api.validate(registry.at(lab.base), select=["S"]).families["P"] == "ignored"
    late = api.validate(registry.at(lab.base), now=datetime(2199, 1, 1, tzinfo=UTC))
    assert "P003" in {item.code for item in late.findings}
    with pytest.raises(UsageError, match="no rule is called"):
        api.validate(registry.at(lab.base), ignore=["nothing"])


def test_gate_judges_a_pull_request_by_its_revisions(lab: Lab) -> None:
    people = lab.fork()
    people.update(CACHE, version="1.2.0")
    judgement = api.gate(lab.repository.path, base=lab.base, head=lab.act(people))
    assert judgement.exit_code() == 0
    assert [(change.id, change.kind) for change in judgement.nodes] == [(CACHE, "changed")]
    unsigned = lab.commit({attestation_path(node_path(CACHE)): None}, lab.base)
    assert api.gate(lab.repository.path, base=lab.base, head=unsigned).exit_code() == 1
    with pytest.raises(UsageError, match="no commit is called"):
        api.gate(lab.repository.path, base="nowhere", head=lab.base)
    with pytest.raises(RegistryError, match="share no commit"):
        api.gate(lab.repository.path, base=lab.base, head=lab.commit({"README.md": b"alone\n"}))


def test_verify_shows_who_stands_behind_a_node_or_its_tombstone(lab: Lab) -> None:
    snapshot = Registry.open(lab.repository.path).at(lab.base)
    assert api.verify(snapshot, CACHE).held
    assert api.verify(snapshot, LOOM).held, "its tombstone is signed, too"
    with pytest.raises(UsageError, match="no node is called"):
        api.verify(snapshot, "lab.memory/nobody_v1")
    broken = lab.commit({node_path(CACHE): lab.people.files[node_path(CACHE)] + b"# more\n"}, lab.base)
    assert not api.verify(Registry.open(lab.repository.path).at(broken), CACHE).held


def test_a_registry_is_closed_at_the_end_of_a_block(example: Checkout, tmp_path: Path) -> None:
    with Registry.open(example.path, index=str(tmp_path / "index")) as registry:
        assert len(registry.at().query(signal="memory_stored")) > 0
        assert "store" in vars(registry)
    assert "store" not in vars(registry)


def test_nodes_are_counted_by_what_is_known_of_them(example: Checkout) -> None:
    snapshot = Registry.open(example.path).at()
    assert sum(snapshot.counts("lane").values()) == len(snapshot)
    with pytest.raises(UsageError, match='not counted by "colour"'):
        snapshot.counts("colour")  # type: ignore[arg-type]
