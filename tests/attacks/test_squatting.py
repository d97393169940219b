"""Settling on somebody else's land.

Newt is new here, and a key costs nothing. He publishes under a type that is delegated to Ada, where people would take
his node for hers; or more than newcomers may; or he has an owner hand him a node that he could not have registered.
"""

from __future__ import annotations

import pytest

from nodespec.tree import node_path
from tests.society import Society, delegation, verdict

PLOT = "garden/plot"


@pytest.mark.parametrize(
    "node_type", ["lab.memory", "lab.memory.cache", "lab.memory.adapter.v1", "lab.dream", "lab.audit"]
)
def test_a_delegated_type_is_closed_to_newcomers_with_everything_below(node_type: str) -> None:
    society = Society()
    path = society.register(f"{node_type}/thing", by=society.newt)
    assert verdict(society.tree()) == [("P026", path)]
    society.grant(society.newt, node_type)
    assert verdict(society.tree()) == []


@pytest.mark.parametrize("node_type", ["lab", "lab.memories", "lab.garden", "memory", "garden"])
def test_what_nobody_holds_is_open(node_type: str) -> None:
    """A prefix above a delegated type as well; whoever wants to close it delegates it."""
    society = Society()
    path = society.register(f"{node_type}/thing", by=society.newt)
    assert verdict(society.tree()) == []
    society.grant(society.ada, node_type)
    assert verdict(society.tree()) == [("P026", path)]


@pytest.mark.parametrize(
    ("traits", "good"),
    [
        ({"tier": 0}, True),
        ({"tier": 1}, True),
        ({"tier": 2}, False),
        ({"lane": "lukhas"}, False),
        ({"lane": "products"}, False),
    ],
)
def test_newcomers_stay_within_what_is_open(traits: dict[str, object], good: bool) -> None:
    society = Society()
    path = society.register(PLOT, by=society.newt, **traits)
    assert verdict(society.tree()) == ([] if good else [("P026", path)])


def test_a_newcomer_does_not_grow_out_of_it_by_an_update() -> None:
    society = Society()
    path = society.register(PLOT, by=society.newt)
    base = society.tree()
    society.update(PLOT)
    assert verdict(society.tree(), base) == []
    base = society.tree()
    society.update(PLOT, tier=3)
    assert verdict(society.tree(), base) == [("P026", path)]


def test_a_newcomer_is_not_let_in_by_the_back_door() -> None:
    """Ada hands a node over. Both sign, and still the type is not Newt's to publish under."""
    society = Society()
    society.register("lab.memory/cache", by=society.ada)
    base = society.tree()
    granted = society.fork()
    granted.grant(granted.newt, "lab.memory")
    granted.transfer("lab.memory/cache", to=granted.newt)
    assert verdict(granted.tree(), base) == []
    path = society.transfer("lab.memory/cache", to=society.newt)
    assert verdict(society.tree(), base) == [("P026", path)]


def test_a_delegation_ends_with_the_version_that_ends_it() -> None:
    """Bob published while the type was his. Now it is not, and his node is a finding until somebody decides."""
    society = Society()
    path = society.register("lab.dream/loom", by=society.bob)
    assert verdict(society.tree()) == []
    society.renew(delegations=(delegation(society.ada, "lab.dream", "lab.memory"),))
    assert verdict(society.tree()) == [("P026", path)]


def test_an_owner_with_a_delegation_is_no_newcomer_elsewhere() -> None:
    """Who has land of their own does not camp on the common."""
    society = Society()
    path = society.register(PLOT, by=society.ada)
    assert verdict(society.tree()) == [("P026", path)]
    society.remove(path)
    society.register(PLOT, by=society.newt)
    assert verdict(society.tree()) == []


def test_a_quota_counts_nodes_of_one_owner_and_tombstones_free_it() -> None:
    society = Society()
    paths = [society.register(f"garden/plot-{number}", by=society.newt) for number in range(3)]
    society.register("garden/other", by=society.join("Somebody else"))
    assert verdict(society.tree()) == [("P027", path) for path in paths]
    society.deregister("garden/plot-1")
    assert verdict(society.tree()) == []


def test_the_quota_of_newcomers_does_not_bind_who_holds_something() -> None:
    society = Society()
    for number in range(4):
        society.register(f"lab.memory/cache-{number}", by=society.ada)
    assert verdict(society.tree()) == []
    assert node_path("lab.memory/cache-3") in society.files
