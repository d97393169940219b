"""What people do in a registry, and what thieves do: each act changes the files of a society, by dice.

An act that finds nothing to act upon does nothing, or raises one of :data:`IN_VAIN`: a thief may have taken away what
it begins with.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from nodespec.tree import ATTESTATION_SUFFIX, NODES, SEAL_PATH, SETTINGS_PATH, node_path
from tests.lab import POLICY_PATH, WORKFLOW
from tests.society import new_keys

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable

    from tests.lab import Changes, Lab, People
    from tests.society import Owner

    Act = Callable[[random.Random, People, Lab], None]

SIGNALS = ("memory_stored", "dream_woven", "rain_fell", "clock_ticked")


# What people do.


def somebody(rng: random.Random, people: People) -> Owner:
    return rng.choice([people.ada, people.bob, people.vera, people.newt])


def a_node(rng: random.Random, people: People) -> str | None:
    there = sorted(name for name in people.nodes if node_path(name) in people.files)
    return rng.choice(there) if there else None


def some(rng: random.Random) -> tuple[str, ...]:
    return tuple(rng.sample(SIGNALS, rng.choice([0, 0, 1, 1, 2])))


def registers(rng: random.Random, people: People, _lab: Lab) -> None:
    who = somebody(rng, people)
    kind = {people.ada.handle: "memory", people.bob.handle: "dream", people.vera.handle: "audit"}.get(
        who.handle, "open"
    )
    name = f"lab.{kind}/n{rng.randrange(6)}_v1"
    if node_path(name) not in people.files:
        people.register(name, by=who, emits=some(rng), hears=some(rng)[:1])


def updates(rng: random.Random, people: People, _lab: Lab) -> None:
    if name := a_node(rng, people):
        traits = rng.choice([{}, {"emits": some(rng)}, {"hears": some(rng)}, {"lane": "core"}, {"remark": "more"}])
        version = people.nodes[name].version
        major = int(version.partition(".")[0]) + 1
        people.update(name, version=rng.choice([f"{major}.0.0", version.rpartition(".")[0] + ".9"]), **traits)


def hands_over(rng: random.Random, people: People, _lab: Lab) -> None:
    if name := a_node(rng, people):
        people.transfer(name, to=somebody(rng, people))


def deregisters(rng: random.Random, people: People, _lab: Lab) -> None:
    if name := a_node(rng, people):
        people.deregister(name)


def rotates(rng: random.Random, people: People, _lab: Lab) -> None:
    people.rotate(somebody(rng, people))


def arrives(rng: random.Random, people: People, _lab: Lab) -> None:
    name = f"Guest {rng.randrange(4)}"
    guest = people.join(name)
    if rng.random() < 0.7:
        people.register(f"lab.guest/g{rng.randrange(9)}_v1", by=guest, tier=rng.choice([0, 1, 2]))


def seals_other_settings(rng: random.Random, people: People, _lab: Lab) -> None:
    old = people.files[SETTINGS_PATH]
    people.files[SETTINGS_PATH] = rng.choice(
        [
            old + b"# a remark\n",
            old.replace(b"nodes_per_owner: 5", b"nodes_per_owner: %d" % rng.randrange(1, 9)),
            old.replace(b"max_tier: 1", b"max_tier: %d" % rng.randrange(3)),
            old.replace(b"registry_id", b"external_signals: [rain_fell]\nregistry_id")
            if b"external" not in old
            else old,
        ]
    )
    people.seal()


def seals_a_workflow(rng: random.Random, people: People, _lab: Lab) -> None:
    people.files[WORKFLOW] = b"on: push # %d\n" % rng.randrange(9)
    people.seal()


def writes_docs(rng: random.Random, people: People, _lab: Lab) -> None:
    people.files[f"docs/{rng.randrange(3)}.md"] = b"%d\n" % rng.randrange(100)


HONEST = [registers, registers, updates, updates, updates, hands_over, deregisters, rotates, arrives, writes_docs]
SEALED = [seals_other_settings, seals_a_workflow]


# What thieves do.


def any_file(rng: random.Random, people: People) -> str:
    return rng.choice(sorted(people.files))


def removes_a_file(rng: random.Random, people: People, _lab: Lab) -> None:
    del people.files[any_file(rng, people)]


def copies_a_file(rng: random.Random, people: People, _lab: Lab) -> None:
    suffix = rng.choice([".yaml", ATTESTATION_SUFFIX])
    files = [path for path in sorted(people.files) if path.endswith(suffix)]
    people.files[rng.choice(files)] = people.files[rng.choice(files)]


def brings_back_what_was(rng: random.Random, people: People, lab: Lab) -> None:
    past = rng.choice(lab.past)
    for path in rng.sample(sorted(past), 3):
        people.files[path] = past[path]


def brings_back_all_that_was(rng: random.Random, people: People, lab: Lab) -> None:
    folder = rng.choice([NODES, "registry/owners/", "registry/tombstones/", ".github/", "registry/"])
    past = rng.choice(lab.past)
    for path in [path for path in people.files if path.startswith(folder)]:
        del people.files[path]
    people.files |= {path: data for path, data in past.items() if path.startswith(folder)}


def edits_a_text(rng: random.Random, people: People, _lab: Lab) -> None:
    path = any_file(rng, people)
    words = [b"lane: candidate", b"tier: 1", b"emits: [", b"max_nodes: 2", b"1.", b"A", b"]"]
    old = rng.choice([word for word in words if word in people.files[path]] or [b""])
    people.files[path] = people.files[path].replace(old, rng.choice([b"lane: core", b"tier: 3", b"", b"x"]), 1)


def signs_for_others(rng: random.Random, people: People, _lab: Lab) -> None:
    if name := a_node(rng, people):
        people.sign(people.update(name), somebody(rng, people).key)


def claims_what_is_not_theirs(rng: random.Random, people: People, _lab: Lab) -> None:
    if name := a_node(rng, people):
        people.update(name, owner=somebody(rng, people).handle)


def writes_an_odd_file(rng: random.Random, people: People, _lab: Lab) -> None:
    path = rng.choice(
        [
            "registry/nodes/lab/memory/CACHE_v1.yaml",
            "registry/nodes/lab/memory/cache_v1.yaml/x.yaml",
            "registry/nodes",
            "registry/notes.txt",
            "registry/owners/abc/0000.dsse.json",
            "Registry/registry.yaml",
            ".github",
            ".GitHub/workflows/gate.yml",
            "schemas/Other.json",
            "registry/nodes/lab/open/orphan_v1.dsse.json",
            "registry/trust/0009.dsse.json",
            "registry/waivers.yaml",
            ".gitattributes",
        ]
    )
    for below in [name for name in people.files if name.startswith(f"{path}/") or path.startswith(f"{name}/")]:
        del people.files[below]
    people.files[path] = rng.choice([b"{}\n", b"x: y\n", people.files.get(SETTINGS_PATH, b"")])


def rewrites_the_root(rng: random.Random, people: People, _lab: Lab) -> None:
    people.keyrings[-1] = {**people.keyring, "root": new_keys(3)}
    people.renew(root_keys=new_keys(1))


def takes_the_seal_off(rng: random.Random, people: People, _lab: Lab) -> None:
    people.files.pop(SEAL_PATH, None)
    people.files[rng.choice([WORKFLOW, POLICY_PATH])] = b"policy: none\n"


FALSE = [
    removes_a_file,
    copies_a_file,
    brings_back_what_was,
    brings_back_all_that_was,
    edits_a_text,
    edits_a_text,
    signs_for_others,
    claims_what_is_not_theirs,
    writes_an_odd_file,
    writes_an_odd_file,
    rewrites_the_root,
    takes_the_seal_off,
]


# What comes of it.

IN_VAIN = (KeyError, IndexError, ValueError, AssertionError)


def carry_out(acts: Iterable[Act], rng: random.Random, people: People, lab: Lab) -> Changes:
    """Let these people act; return what that changes in their files."""
    old = dict(people.files)
    for act in acts:
        with suppress(*IN_VAIN):
            act(rng, people, lab)
    changes: Changes = dict.fromkeys(old.keys() - people.files.keys())
    return changes | {path: data for path, data in people.files.items() if old.get(path) != data}
