"""Every push that a thief can think of, over a real server on loopback: refused, and no ref of the server moves.

The server is ``git daemon`` over a bare repository whose only guard is the pre-receive hook. Nobody is asked who they
are, so whoever reaches the port can push: what holds is what is signed. A case makes the commit that is pushed to
``main``, and says what the client must read in the refusal: mostly the code of a rule.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import pytest

from nodespec.chain import record_path
from nodespec.owner import folder_of
from nodespec.seal import ATTRIBUTES_PATH
from nodespec.tree import (
    NODE_SCHEMA_PATH,
    NODES,
    SEAL_PATH,
    SETTINGS_PATH,
    TRUST,
    WAIVERS_PATH,
    attestation_path,
    node_path,
    tombstone_path,
)
from tests.end_to_end.server import Server, git, serving
from tests.lab import CACHE, INDEX, LOOM, POLICY_PATH, PROBE, WEAVER, WORKFLOW, Lab, Odd
from tests.society import new_keys, published_key, quorum_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.lab import Changes, People

NAME = "lab.git"
NEW = "lab.memory/new_v1"


@dataclass(frozen=True)
class World:
    """A server with the lab's registry on it, and a thief's own repository, which has all of its objects."""

    lab: Lab
    server: Server

    def refuses(self, *words: str) -> str:
        """Push something that must be refused; return what the client reads, made into one line of words."""
        before = self.server.refs(NAME)
        pushed = self.server.push(self.lab.repository.path, NAME, *words)
        after = self.server.refs(NAME)
        if after != before:  # so that the next case begins where this one should have ended
            git(self.server.folder / NAME, "update-ref", "refs/heads/main", self.lab.base)
        assert not pushed.accepted, pushed.shown
        assert after == before
        assert "Traceback" not in pushed.shown
        assert "internal error" not in pushed.shown
        return pushed.shown


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("hostile")
    lab = Lab.found(folder / "client")
    with serving(folder / "server") as server:
        server.host(NAME, lab.repository.path, "pre-receive")
        yield World(lab, server)


class Case(NamedTuple):
    """What a thief commits, and what the refusal says."""

    name: str
    make: Callable[[Lab], str]
    says: tuple[str, ...]


CASES: list[Case] = []


def hostile(*says: str) -> Callable[[Callable[[Lab], str]], Callable[[Lab], str]]:
    """Add a case; its name is the function's."""

    def add(make: Callable[[Lab], str]) -> Callable[[Lab], str]:
        CASES.append(Case(make.__name__.replace("_", " "), make, says))
        return make

    return add


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_hostile_push_is_refused_with_its_reason_and_no_ref_moves(world: World, case: Case) -> None:
    shown = world.refuses(f"+{case.make(world.lab)}:refs/heads/main")
    for words in case.says:
        assert words in shown, shown


def test_there_are_more_hostile_pushes_than_were_asked_for() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names)) >= 25


def path_of(identifier: str) -> str:
    return node_path(identifier)


# Who signed.


@hostile("P008")
def a_node_that_nobody_signed(lab: Lab) -> str:
    thief = lab.fork()
    path = thief.register(NEW, by=thief.ada)
    del thief.files[attestation_path(path)]
    return lab.act(thief)


@hostile("P013")
def a_node_edited_under_its_old_signature(lab: Lab) -> str:
    path = path_of(CACHE)
    text = lab.past[-1][path].replace(b"tier: 1", b"tier: 6").replace(b"version: 1.1.0", b"version: 2.0.0")
    return lab.commit({path: text}, lab.base)


@hostile("P015")
def a_node_signed_by_somebody_else(lab: Lab) -> str:
    thief = lab.fork()
    path = thief.update(CACHE)
    thief.sign(path, thief.newt.key)
    return lab.act(thief)


@hostile("P026", "C003")
def a_node_stolen_by_editing_its_owner_line(lab: Lab) -> str:
    thief = lab.fork()
    thief.update(CACHE, owner=thief.newt.handle)
    return lab.act(thief)


@hostile("P022")
def a_transfer_that_only_the_taker_signed(lab: Lab) -> str:
    thief = lab.fork()
    path = thief.transfer(PROBE, to=thief.ada)
    thief.sign(path, thief.ada.key)
    return lab.act(thief)


@hostile("C002", "C013")
def an_old_version_replayed_with_its_own_signature(lab: Lab) -> str:
    path = path_of(CACHE)
    return lab.commit({name: lab.past[0][name] for name in (path, attestation_path(path))}, lab.base)


@hostile("C002")
def an_attestation_that_does_not_follow_from_the_last(lab: Lab) -> str:
    thief = lab.fork()
    path = thief.update(CACHE)
    thief.reword(path, previous="00" * 32)
    return lab.act(thief)


@hostile("P010")
def a_signature_for_another_registry(lab: Lab) -> str:
    thief = lab.fork()
    thief.reword(thief.update(CACHE), registry_id="lab.elsewhere")
    return lab.act(thief)


@hostile("P011")
def a_signature_for_another_node(lab: Lab) -> str:
    thief = lab.fork()
    path = thief.update(CACHE)
    thief.files[attestation_path(path)] = thief.files[attestation_path(thief.update(INDEX))]
    return lab.act(thief)


@hostile("C001")
def a_signature_by_a_key_that_was_rotated_away(lab: Lab) -> str:
    thief = lab.fork()
    path = thief.update(WEAVER)
    thief.reword(path, owner=thief.bob.party(0))
    return lab.act(thief)


@hostile("P026", "delegated to somebody else")
def a_name_in_a_space_that_is_somebody_elses(lab: Lab) -> str:
    thief = lab.fork()
    thief.register("lab.memory/squat_v1", by=thief.newt)
    return lab.act(thief)


@hostile("P026")
def a_newcomer_above_the_tier_of_newcomers(lab: Lab) -> str:
    thief = lab.fork()
    thief.register("lab.open/high_v1", by=thief.newt, tier=2)
    return lab.act(thief)


@hostile("P027")
def a_newcomer_with_more_nodes_than_newcomers_may_hold(lab: Lab) -> str:
    thief = lab.fork()
    thief.register("lab.open/second_v1", by=thief.newt)
    thief.register("lab.open/third_v1", by=thief.newt)
    return lab.act(thief)


@hostile("P024")
def a_node_that_calls_itself_verified(lab: Lab) -> str:
    thief = lab.fork()
    thief.update(CACHE, version="2.0.0", tier=5, verifier=thief.ada.handle, verified=True)
    return lab.act(thief)


@hostile("orphan-attestation")
def an_attestation_without_a_node(lab: Lab) -> str:
    thief = lab.fork()
    path = thief.register(NEW, by=thief.ada)
    del thief.files[path]
    return lab.act(thief)


# What may change.


@hostile("C013")
def a_change_without_a_higher_version(lab: Lab) -> str:
    thief = lab.fork()
    thief.update(CACHE, version="1.1.0", remark="nothing to see here")
    return lab.act(thief)


@hostile("C014", 'has no input "page"')
def a_breaking_change_without_a_major_step(lab: Lab) -> str:
    thief = lab.fork()
    thief.update(CACHE, version="1.2.0", inputs=("leaf",))
    return lab.act(thief)


@hostile("C016")
def a_jump_over_a_lane(lab: Lab) -> str:
    thief = lab.fork()
    thief.update(WEAVER, lane="lukhas")
    return lab.act(thief)


@hostile("C016")
def a_new_node_that_begins_at_the_top(lab: Lab) -> str:
    thief = lab.fork()
    thief.register(NEW, by=thief.ada, lane="products")
    return lab.act(thief)


@hostile("C015")
def another_day_of_birth(lab: Lab) -> str:
    thief = lab.fork()
    thief.update(CACHE, born="2020-01-01")
    return lab.act(thief)


@hostile("C005")
def a_node_that_vanishes(lab: Lab) -> str:
    path = path_of(PROBE)
    return lab.commit({path: None, attestation_path(path): None}, lab.base)


@hostile("C006")
def a_tombstone_that_vanishes(lab: Lab) -> str:
    path = tombstone_path(LOOM)
    return lab.commit({path: None, attestation_path(path): None}, lab.base)


@hostile("C006", "P013")
def a_tombstone_that_tells_another_story(lab: Lab) -> str:
    path = tombstone_path(LOOM)
    return lab.commit({path: lab.past[-1][path].replace(b"no longer needed", b"quite as needed")}, lab.base)


@hostile("name-locked")
def a_node_that_comes_back_beside_its_tombstone(lab: Lab) -> str:
    thief = lab.fork()
    path = path_of(LOOM)
    thief.files |= {name: lab.past[0][name] for name in (path, attestation_path(path))}
    return lab.act(thief)


@hostile("G001", 'no node emits "memory_stored"', path_of(INDEX), path_of(WEAVER))
def an_emitter_that_leaves_its_subscribers_waiting(lab: Lab) -> str:
    thief = lab.fork()
    thief.deregister(CACHE)
    return lab.act(thief)


@hostile("C018", "one may touch 8")
def more_nodes_at_once_than_the_quota(lab: Lab) -> str:
    thief = lab.fork()
    for number in range(9):
        thief.register(f"lab.{('memory', 'dream', 'audit')[number % 3]}/many_{number}_v1", by=_holder(thief, number))
    return lab.act(thief)


def _holder(people: People, number: int) -> object:
    return (people.ada, people.bob, people.vera)[number % 3]


@hostile("G005")
def more_nodes_than_one_owner_may_hold(lab: Lab) -> str:
    thief = lab.fork()
    for number in range(4):
        thief.register(f"lab.memory/many_{number}_v1", by=thief.ada)
    return lab.act(thief)


# What decides about everybody.


@hostile("C012", WORKFLOW)
def the_workflow_that_runs_the_gate(lab: Lab) -> str:
    return lab.commit({WORKFLOW: b"on: never\n"}, lab.base)


@hostile("C012", WORKFLOW)
def the_workflow_removed(lab: Lab) -> str:
    return lab.commit({WORKFLOW: None}, lab.base)


@hostile("C012", "no file that could be sealed")
def the_folder_of_workflows_as_a_symbolic_link(lab: Lab) -> str:
    return lab.commit({WORKFLOW: None, ".github": Odd.link("docs")}, lab.base)


@hostile("T006", ".GitHub/workflows/gate.yml")
def a_workflow_in_a_folder_that_differs_in_case(lab: Lab) -> str:
    return lab.commit({".GitHub/workflows/gate.yml": b"on: never\n"}, lab.base)


@hostile("C012", POLICY_PATH)
def a_policy_that_lets_everything_through(lab: Lab) -> str:
    return lab.commit({POLICY_PATH: lab.past[-1][POLICY_PATH].replace(b"<= 6", b"<= 7")}, lab.base)


@hostile("C012", "N010")
def a_policy_removed_while_a_node_refers_to_it(lab: Lab) -> str:
    return lab.commit({POLICY_PATH: None}, lab.base)


@hostile("C012", SETTINGS_PATH, "P026")
def settings_loosened_for_oneself(lab: Lab) -> str:
    thief = lab.fork()
    thief.files[SETTINGS_PATH] = thief.files[SETTINGS_PATH].replace(b"max_tier: 1", b"max_tier: 7")
    thief.register("lab.open/high_v1", by=thief.newt, tier=2)
    return lab.act(thief)


@hostile("C012", NODE_SCHEMA_PATH, "no seal of the maintainers")
def a_contract_that_accepts_anything(lab: Lab) -> str:
    thief = lab.fork()
    thief.files[NODE_SCHEMA_PATH] = b'{"$schema": "https://json-schema.org/draft/2020-12/schema"}\n'
    path = thief.register(NEW, by=thief.ada)
    thief.files[path] += b"backdoor: true\n"
    return lab.act(thief)


@hostile("C012", NODE_SCHEMA_PATH)
def a_contract_that_takes_for_ever(lab: Lab) -> str:
    """Forty levels, each of which asks for the next one twice."""
    levels = {f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(40)} | {"a40": {"type": "object"}}
    draft = "https://json-schema.org/draft/2020-12/schema"
    data = json.dumps({"$schema": draft, "$ref": "#/$defs/a0", "$defs": levels}).encode()
    return lab.commit({NODE_SCHEMA_PATH: data}, lab.base)


@hostile("C012", ATTRIBUTES_PATH)
def attributes_that_rewrite_what_is_checked_out(lab: Lab) -> str:
    return lab.commit({ATTRIBUTES_PATH: b"registry/** filter=evil eol=crlf ident\n"}, lab.base)


@hostile("T001", "registry/nodes/.gitattributes")
def attributes_inside_of_the_registry(lab: Lab) -> str:
    return lab.commit({"registry/nodes/.gitattributes": b"*.yaml -diff\n"}, lab.base)


@hostile("C012", WAIVERS_PATH, "G001")
def a_waiver_brought_along(lab: Lab) -> str:
    thief = lab.fork()
    path = thief.register(NEW, by=thief.ada, hears=("nobody_calls",))
    one = {"code": "G001", "path": path, "reason": "soon", "owner": thief.ada.handle, "until": "2999-12-31"}
    thief.files[WAIVERS_PATH] = json.dumps({"schema_version": "waivers.v1", "waivers": [one]}).encode() + b"\n"
    return lab.act(thief)


@hostile("C008")
def the_seal_removed(lab: Lab) -> str:
    return lab.commit({SEAL_PATH: None}, lab.base)


@hostile("C008")
def an_older_seal_with_what_it_sealed(lab: Lab) -> str:
    return lab.commit({path: lab.past[0][path] for path in (SEAL_PATH, WORKFLOW)}, lab.base)


@hostile("seal-broken")
def a_seal_by_somebody_who_is_no_maintainer(lab: Lab) -> str:
    thief = lab.fork()
    thief.files[WORKFLOW] = b"on: never\n"
    thief.keyrings[-1] = {**thief.keyring, "maintainer": new_keys(1)}
    thief.seal()
    return lab.act(thief)


@hostile("C004", "P002")
def the_trust_root_edited(lab: Lab) -> str:
    path = record_path(TRUST, 2)
    return lab.commit({path: lab.past[-1][path].replace(b"A", b"B", 1)}, lab.base)


@hostile("C004", "P002")
def the_first_version_of_the_trust_root_removed(lab: Lab) -> str:
    return lab.commit({record_path(TRUST, 1): None}, lab.base)


@hostile("C004")
def the_trust_root_rewound(lab: Lab) -> str:
    return lab.commit({record_path(TRUST, 2): None}, lab.base)


@hostile("P002")
def a_new_trust_root_by_the_thief(lab: Lab) -> str:
    thief = lab.fork()
    thief.keyrings[-1] = {**thief.keyring, "root": new_keys(3)}
    thief.renew(root_keys=new_keys(3))
    return lab.act(thief)


@hostile("P002", "C012")
def a_registry_that_calls_itself_an_example(lab: Lab) -> str:
    thief = lab.fork()
    thief.files[SETTINGS_PATH] += b"example: true\n"
    thief.keyrings[-1] = {**thief.keyring, "root": (published_key(),)}
    thief.renew(root_keys=(published_key(),))
    return lab.act(thief)


# Owners.


@hostile("P007")
def a_record_that_its_owner_did_not_sign(lab: Lab) -> str:
    thief = lab.fork()
    wallet = new_keys(1)
    thief.write_record(thief.ada, thief.next_record(thief.ada, quorum_of(wallet, 1), ()), wallet, wallet)
    return lab.act(thief)


@hostile("P007")
def a_new_owner_whom_nobody_signed(lab: Lab) -> str:
    thief = lab.fork()
    eve = thief.join("Eve")
    thief.write_record(eve, eve.records.pop(), eve.wallets.pop(), new_keys(1))
    return lab.act(thief)


@hostile("P006")
def a_genesis_in_the_folder_of_another_handle(lab: Lab) -> str:
    thief = lab.fork()
    eve = thief.join("Eve")
    thief.files[record_path(folder_of("GLYMPH:" + "ab" * 32), 0)] = thief.files.pop(eve.path())
    return lab.act(thief)


@hostile("C004")
def an_owner_rewound_to_an_older_key(lab: Lab) -> str:
    return lab.commit({lab.people.bob.path(): None}, lab.base)


@hostile("C004")
def an_owner_removed(lab: Lab) -> str:
    return lab.commit({lab.people.vera.path(0): None}, lab.base)


@hostile("C011", "is called")
def a_new_owner_with_a_name_that_looks_like_anothers(lab: Lab) -> str:
    thief = lab.fork()
    thief.join("A.D.A")
    return lab.act(thief)


@hostile("C011", "is called")
def a_new_owner_with_a_name_in_letters_of_another_script(lab: Lab) -> str:
    thief = lab.fork()
    thief.join("\u0410d\u0430")
    return lab.act(thief)


@hostile("T001")
def a_stray_file_in_an_owners_folder(lab: Lab) -> str:
    return lab.commit({f"{folder_of(lab.people.ada.handle)}notes.txt": b"mine\n"}, lab.base)


# Paths and modes.


@hostile("C005", "N001")
def a_node_renamed_so_that_a_filter_does_not_see_it(lab: Lab) -> str:
    old, new = path_of(PROBE), path_of("lab.open/other_v1")
    moved: Changes = {old: None, attestation_path(old): None}
    moved |= {new: lab.past[-1][old], attestation_path(new): lab.past[-1][attestation_path(old)]}
    return lab.commit(moved, lab.base)


@hostile("N001", "P011")
def a_second_file_with_the_id_of_a_node(lab: Lab) -> str:
    old, new = path_of(CACHE), path_of("lab.memory/copy_v1")
    copied = {new: lab.past[-1][old], attestation_path(new): lab.past[-1][attestation_path(old)]}
    return lab.commit(copied, lab.base, lab.commit(copied, lab.base))


@hostile("T003")
def a_change_of_nothing_but_the_mode(lab: Lab) -> str:
    return lab.commit({path_of(CACHE): Odd.executable(lab.past[-1][path_of(CACHE)])}, lab.base)


@hostile("T002")
def a_symbolic_link_as_a_node(lab: Lab) -> str:
    return lab.commit({path_of(NEW): Odd.link("../../../../../etc/passwd")}, lab.base)


@hostile("T002")
def a_submodule_as_a_node(lab: Lab) -> str:
    return lab.commit({path_of(NEW): Odd.module(lab.base)}, lab.base)


@hostile("T002", "C005")
def all_nodes_as_a_submodule(lab: Lab) -> str:
    gone = dict.fromkeys(path for path in lab.past[-1] if path.startswith(NODES))
    modules = f'[submodule "nodes"]\n\tpath = {NODES[:-1]}\n\turl = ../evil\n'.encode()
    return lab.commit({**gone, NODES.rstrip("/"): Odd.module(lab.base), ".gitmodules": modules}, lab.base)


@hostile("T002", "C005")
def all_nodes_as_a_symbolic_link(lab: Lab) -> str:
    gone = dict.fromkeys(path for path in lab.past[-1] if path.startswith(NODES))
    kept = {path.replace(NODES, "docs/nodes/"): lab.past[-1][path] for path in gone}
    return lab.commit({**gone, **kept, NODES.rstrip("/"): Odd.link("../docs/nodes")}, lab.base)


@hostile("T001", "C005")
def all_nodes_as_a_file(lab: Lab) -> str:
    gone = dict.fromkeys(path for path in lab.past[-1] if path.startswith(NODES))
    return lab.commit({**gone, NODES.rstrip("/"): b"nothing\n"}, lab.base)


@hostile("T008")
def the_whole_registry_gone(lab: Lab) -> str:
    gone = [path for path in lab.past[-1] if path.startswith(("registry/", "schemas/"))]
    return lab.commit(dict.fromkeys(gone), lab.base)


@hostile("T008")
def the_whole_registry_as_a_submodule(lab: Lab) -> str:
    gone = dict.fromkeys(path for path in lab.past[-1] if path.startswith("registry/"))
    return lab.commit({**gone, "registry": Odd.module(lab.base)}, lab.base)


@hostile("T008", SETTINGS_PATH)
def the_settings_gone(lab: Lab) -> str:
    return lab.commit({SETTINGS_PATH: None}, lab.base)


@hostile("T006")
def a_twin_that_differs_in_case(lab: Lab) -> str:
    path = path_of(CACHE)
    return lab.commit({path.replace("cache_v1", "CACHE_v1"): lab.past[-1][path]}, lab.base)


@hostile("T006", "Registry/nodes/lab/memory/cache_v1.yaml")
def a_second_registry_that_differs_in_case(lab: Lab) -> str:
    path = path_of(CACHE)
    return lab.commit({path.replace("registry", "Registry", 1): lab.past[-1][path]}, lab.base)


@hostile("T006")
def a_second_registry_that_differs_in_what_nobody_sees(lab: Lab) -> str:
    path = path_of(CACHE)
    return lab.commit({path.replace("registry", "reg\u200cistry", 1): lab.past[-1][path]}, lab.base)


@hostile("T001")
def a_node_with_a_suffix_that_nobody_reads(lab: Lab) -> str:
    return lab.commit({path_of(NEW).replace(".yaml", ".yml"): b"{}\n"}, lab.base)


@hostile("T005")
def a_node_with_the_name_of_a_device(lab: Lab) -> str:
    thief = lab.fork()
    thief.register("lab.memory/con", by=thief.ada)
    return lab.act(thief)


@hostile("T007", "twice")
def a_tree_that_names_a_node_twice(lab: Lab) -> str:
    entries = lab.tree(lab.base, "registry/nodes/lab/memory")
    evil = lab.repository.blob(b"tier: 7\n")
    doubled = [one for entry in entries for one in ([("100644", entry[1], evil)] if b"cache" in entry[1] else [])]
    return lab.graft(
        lab.with_folder(lab.base, "registry/nodes/lab/memory", lab.repository.raw_tree(*doubled, *entries))
    )


@hostile("T007", "order")
def a_tree_out_of_order(lab: Lab) -> str:
    entries = lab.tree(lab.base, "registry/nodes/lab/memory")
    return lab.graft(lab.with_folder(lab.base, "registry/nodes/lab/memory", lab.repository.raw_tree(*entries[::-1])))


@hostile("T007", "no checkout may create")
def a_tree_that_leads_outside(lab: Lab) -> str:
    entries = lab.tree(lab.base, "registry/nodes/lab")
    up = ("40000", b"..", lab.repository.raw_tree(("100755", b"evil", lab.repository.blob(b"#!/bin/sh\n"))))
    return lab.graft(lab.with_folder(lab.base, "registry/nodes/lab", lab.repository.raw_tree(up, *entries)))


@hostile("T007", "twice")
def a_tree_that_names_the_workflows_twice(lab: Lab) -> str:
    entries = lab.tree(lab.base, ".github")
    evil = lab.repository.raw_tree(("100644", b"gate.yml", lab.repository.blob(b"on: never\n")))
    return lab.graft(
        lab.with_folder(lab.base, ".github", lab.repository.raw_tree(("40000", b"workflows", evil), *entries))
    )


@hostile("T007", "twice")
def a_tree_that_names_a_guide_twice_while_all_is_judged(lab: Lab) -> str:
    people = lab.fork()
    people.rotate(people.ada)
    rotated = lab.act(people)
    doubled = lab.repository.raw_tree(*lab.tree(rotated, "docs") * 2)
    return lab.graft(lab.with_folder(rotated, "docs", doubled))


@hostile("deep")
def folders_deeper_than_anybody_reads(lab: Lab) -> str:
    return lab.commit({f"registry/nodes/{'a/' * 3000}x_v1.yaml": b"{}\n"}, lab.base)


@hostile("T004")
def a_type_of_more_parts_than_a_name_has(lab: Lab) -> str:
    return lab.commit({f"registry/nodes/{'a/' * 9}x_v1.yaml": b"{}\n"}, lab.base)


@hostile("F0")
def a_node_of_many_megabytes(lab: Lab) -> str:
    return lab.commit({path_of(NEW): b"a: " + b"x" * 20_000_000 + b"\n"}, lab.base)


@hostile("P009")
def an_attestation_of_many_megabytes(lab: Lab) -> str:
    return lab.commit({attestation_path(path_of(CACHE)): b"{" + b" " * 20_000_000 + b"}"}, lab.base)


@hostile("F0")
def a_bomb_of_aliases(lab: Lab) -> str:
    lines = [b"a0: &a0 [x, x, x, x, x, x, x, x, x]\n"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n".encode() for n in range(1, 9)]
    return lab.commit({path_of(NEW): b"".join(lines)}, lab.base)


@hostile("F0")
def a_text_that_two_readers_read_differently(lab: Lab) -> str:
    thief = lab.fork()
    thief.update(CACHE, version="1.2.0", remark="one")
    thief.files[path_of(CACHE)] += b"identity: {tier: 7}\n"
    return lab.act(thief)


@hostile("T0", r"\udce9")
def a_name_in_another_encoding(lab: Lab) -> str:
    return lab.commit({"registry/nodes/lab/memory/caf\udce9.yaml": b"{}\n"}, lab.base)


# History.


@hostile("would lose")
def another_history(lab: Lab) -> str:
    return lab.commit(dict(lab.past[-1]))


@hostile("would lose")
def the_history_rewound(lab: Lab) -> str:
    return lab.repository.git("rev-parse", f"{lab.base}~1")


@hostile("would lose")
def the_last_commit_amended(lab: Lab) -> str:
    return lab.act(lab.fork(), f"{lab.base}~1", message="Go on, differently")


@hostile("another parent")
def a_merge_that_takes_the_branch_for_the_side(lab: Lab) -> str:
    side = lab.commit({"docs/side.md": b"s\n"}, f"{lab.base}~1")
    return lab.graft(lab.repository.git("rev-parse", f"{lab.base}^{{tree}}"), side, lab.base)


@hostile("P013")
def a_merge_with_content_that_neither_parent_has(lab: Lab) -> str:
    side = lab.commit({"docs/side.md": b"s\n"}, lab.base)
    text = lab.past[-1][path_of(CACHE)].replace(b"tier: 1", b"tier: 6")
    return lab.commit({"docs/side.md": b"s\n", path_of(CACHE): text}, lab.base, side)


@hostile("G001")
def a_merge_of_two_branches_that_are_good_one_by_one(lab: Lab) -> str:
    one, other = lab.fork(), lab.fork()
    one.update(WEAVER, version="2.0.0", emits=("dream_ended",))
    other.register(NEW, by=other.ada, hears=("dream_woven",))
    merged = lab.changes(one) | lab.changes(other)
    return lab.commit(merged, lab.act(one), lab.act(other))


@hostile("S002", "does not let")
def a_bad_commit_below_a_good_one(lab: Lab) -> str:
    bad = lab.commit({path_of(NEW): b"{}\n"}, lab.base)
    return lab.commit({path_of(NEW): None}, bad)


@hostile("more than 200 commits")
def more_commits_than_anybody_judges_at_once(lab: Lab) -> str:
    tip = lab.base
    for _ in range(201):
        tip = lab.graft(lab.repository.git("rev-parse", f"{lab.base}^{{tree}}"), tip)
    return tip


# Pushes that are more than one commit to one branch.


def test_the_branch_is_never_deleted(world: World) -> None:
    assert "never deleted" in world.refuses("--delete", "main")


@pytest.mark.parametrize("kind", ["tag", "tree", "blob"])
def test_a_branch_is_a_line_of_commits_and_of_nothing_else(world: World, kind: str) -> None:
    lab = world.lab
    head = lab.commit({"docs/a.md": b"x\n"}, lab.base)
    lab.repository.git("tag", "-f", "-a", "-m", "x", "tagged", head)
    names = {"tag": "refs/tags/tagged", "tree": f"{head}^{{tree}}", "blob": f"{head}:README.md"}
    world.refuses(f"+{lab.repository.git('rev-parse', names[kind])}:refs/heads/main")


@pytest.mark.parametrize(
    "ref",
    [
        "tags/main",
        "tags/origin/main",
        "heads/refs/heads/main",
        "heads/heads/main",
        "remotes/main",
        "remotes/heads/main",
    ],
)
def test_no_ref_takes_the_name_by_which_others_ask_for_the_branch(world: World, ref: str) -> None:
    assert "could be taken for a branch that is judged here" in world.refuses(f"{world.lab.base}:refs/{ref}")


def test_a_bad_branch_takes_the_good_ones_of_the_same_push_with_it(world: World) -> None:
    good = world.lab.commit({"docs/good.md": b"good\n"}, world.lab.base)
    bad = world.lab.commit({WORKFLOW: b"on: never\n"}, world.lab.base)
    shown = world.refuses(f"{good}:refs/heads/good", f"{bad}:refs/heads/main", f"{good}:refs/tags/v1")
    assert "C012" in shown


def test_history_hidden_by_a_shallow_clone_or_a_replacement_hides_nothing(world: World, tmp_path: Path) -> None:
    lab = world.lab
    bad = lab.commit({path_of(NEW): b"{}\n"}, lab.base)
    tree = lab.repository.git("rev-parse", f"{bad}^{{tree}}")
    for replaced in (bad, lab.base):  # by itself, nobody could clone any more
        assert "refs under refs/replace/ let git show other" in world.refuses(f"{lab.base}:refs/replace/{replaced}")
    there = world.server.folder / NAME
    git(there, "fetch", "-q", str(lab.repository.path), bad)
    git(there, "update-ref", f"refs/replace/{bad}", lab.base)
    try:
        assert "S002" in world.refuses(f"{bad}:refs/heads/main")
        deleted = world.server.push(lab.repository.path, NAME, "--delete", f"refs/replace/{bad}")
        assert deleted.accepted, deleted
    finally:
        git(there, "update-ref", "-d", f"refs/replace/{bad}")
    lab.repository.git("update-ref", "refs/heads/bad", bad)
    shallow = lab.repository.clone(tmp_path / "shallow", "--depth=1", "--branch=bad")
    alone = shallow.git("commit-tree", tree, "-m", "no parents")
    before = world.server.refs(NAME)
    for commit_id in (bad, alone):
        pushed = world.server.push(shallow.path, NAME, f"+{commit_id}:refs/heads/main")
        assert not pushed.accepted
    assert world.server.refs(NAME) == before


FORGING = {
    "a newline": "registry/nodes/lab/a\nremote: accepted\n.yaml",
    "a workflow command": "registry/nodes/lab/::error file=a,line=1::forged.yaml",
    "an old workflow command": "registry/nodes/lab/##[error]forged.yaml",
    "colours": "registry/nodes/lab/\x1b[2J\x1b[32mno findings\x1b[0m.yaml",
    "a reversed text": "registry/nodes/lab/\u202elmay.x\u202c.yaml",
    "a carriage return": "registry/nodes/lab/\rno findings.yaml",
    "a bell and a C1 sequence": "registry/nodes/lab/\x07\x9b2J.yaml",
    "another encoding": "registry/nodes/lab/\udcff.yaml",
}


@pytest.mark.parametrize("name", FORGING)
def test_no_path_forges_a_line_of_what_the_client_reads(world: World, name: str) -> None:
    lab = world.lab
    shown = world.refuses(f"{lab.commit({FORGING[name]: b'{}'}, lab.base)}:refs/heads/main")
    assert re.search(r"error\[T00[14]\]", shown), shown
    own = "\n".join(line.removeprefix("remote: ") for line in shown.split("\n") if line.startswith("remote: "))
    assert not re.search("[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f\x80-\x9f\u202a-\u202e\udc80-\udcff]", own)
    assert "\x1b[2J" not in own
    assert "##[" not in own
    assert not re.search(r"^\s*(::|remote: accepted|no findings)", own, re.MULTILINE)


def test_a_message_of_five_megabytes_says_nothing_to_the_client(world: World) -> None:
    lab = world.lab
    message = b"\x1b[2Jno findings\n::error::forged\n" + b"remote: accepted\n" * 320_000
    shown = world.refuses(f"{lab.commit({WORKFLOW: b'on: never'}, lab.base, message=message)}:refs/heads/main")
    assert "C012" in shown
    assert "forged" not in shown
    assert "accepted" not in shown
    assert len(shown) < 10_000


def test_ten_thousand_files_are_refused_in_bounded_time_with_a_bounded_answer(world: World) -> None:
    lab = world.lab
    people = lab.fork()
    text = people.files[people.register(NEW, by=people.ada)]
    many: Changes = {
        f"registry/nodes/lab/memory/n{number:05}.yaml": text.replace(b"new_v1", b"n%05d" % number)
        for number in range(10_000)
    }
    shown = world.refuses(f"{lab.commit(many, lab.base)}:refs/heads/main")
    assert "more findings" in shown
    assert len(shown) < 30_000


def test_the_same_server_accepts_what_is_good(world: World) -> None:
    lab = world.lab
    nothing = lab.commit({"docs/nothing.md": b"\n"}, lab.base)
    pushed = world.server.push(lab.repository.path, NAME, f"{nothing}:refs/heads/main")
    git(world.server.folder / NAME, "update-ref", "refs/heads/main", lab.base)
    assert pushed.accepted
    assert "nothing of the registry changes: 1 file outside of registry/ and schemas/ would differ" in pushed.shown
