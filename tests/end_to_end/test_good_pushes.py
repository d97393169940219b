"""Every push that members of a registry make in good faith, over a real server: accepted, and main stays sound.

The first half is told by a society in memory, one push each. The second half is the way of a user: the commands in a
real clone, a server with both hooks, and a checkpoint of every tip, made by the server.
"""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import pytest

from nodespec.tree import SETTINGS_PATH
from tests.conftest import Checkout
from tests.end_to_end.server import Server, git, serving
from tests.lab import CACHE, INDEX, POLICY_PATH, PROBE, WEAVER, WORKFLOW, Lab
from tests.test_cli_register import PROBE as SONDE
from tests.test_cli_register import PROBE_FILE, Clone, change, founded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NAME = "lab.git"
NEW = "lab.memory/new_v1"


@dataclass(frozen=True)
class World:
    """A server with the lab's registry on it, and its members' own repository."""

    lab: Lab
    server: Server

    def accepts(self, commit: str) -> str:
        """Push a commit to main; see that main is sound there; put main back; return what the client reads."""
        folder = self.server.folder / NAME
        pushed = self.server.push(self.lab.repository.path, NAME, f"{commit}:refs/heads/main")
        moved = git(folder, "rev-parse", "main")
        checked = [Checkout(folder).run(*words) for words in (("validate", "--at", "main"), ("verify", "--at", "main"))]
        git(folder, "update-ref", "refs/heads/main", self.lab.base)
        assert pushed.accepted, pushed.shown
        assert moved == commit
        assert [done.returncode for done in checked] == [0, 0], [done.stdout + done.stderr for done in checked]
        return pushed.shown


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("good")
    lab = Lab.found(folder / "client")
    with serving(folder / "server") as server:
        server.host(NAME, lab.repository.path, "pre-receive")
        yield World(lab, server)


class Case(NamedTuple):
    name: str
    make: Callable[[Lab], str]


CASES: list[Case] = []


def good(make: Callable[[Lab], str]) -> Callable[[Lab], str]:
    """Add a case; its name is the function's."""
    CASES.append(Case(make.__name__.replace("_", " "), make))
    return make


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_good_push_is_accepted_and_main_is_sound(world: World, case: Case) -> None:
    shown = world.accepts(case.make(world.lab))
    assert "refused" not in shown
    assert "error" not in shown


@good
def a_new_node(lab: Lab) -> str:
    people = lab.fork()
    people.register(NEW, by=people.ada, hears=("memory_stored",))
    return lab.act(people)


@good
def an_update(lab: Lab) -> str:
    people = lab.fork()
    people.update(CACHE, version="1.2.0", inputs=("page", "leaf"))
    return lab.act(people)


@good
def a_breaking_change_that_is_a_major_step(lab: Lab) -> str:
    people = lab.fork()
    people.update(CACHE, version="2.0.0", inputs=())
    return lab.act(people)


@good
def a_promotion(lab: Lab) -> str:
    people = lab.fork()
    people.update(CACHE, version="2.0.0", lane="core", verifier=people.vera.handle, verified=True)
    return lab.act(people)


@good
def a_transfer(lab: Lab) -> str:
    people = lab.fork()
    people.transfer(PROBE, to=people.join("Nora"))
    return lab.act(people)


@good
def a_node_that_goes(lab: Lab) -> str:
    people = lab.fork()
    people.deregister(PROBE)
    return lab.act(people)


@good
def an_emitter_that_goes_with_those_who_hear_it(lab: Lab) -> str:
    people = lab.fork()
    for identifier in (CACHE, INDEX, WEAVER):
        people.deregister(identifier)
    return lab.act(people)


@good
def an_owner_with_another_key(lab: Lab) -> str:
    people = lab.fork()
    people.rotate(people.ada)
    return lab.act(people)


@good
def an_owner_rescued_by_the_root(lab: Lab) -> str:
    people = lab.fork()
    people.recover(people.bob)
    return lab.act(people)


@good
def a_newcomer_with_a_first_node(lab: Lab) -> str:
    people = lab.fork()
    people.register("lab.fresh/first_v1", by=people.join("Nora"))
    return lab.act(people)


@good
def a_newcomer_with_nothing_yet(lab: Lab) -> str:
    people = lab.fork()
    people.join("Nora")
    return lab.act(people)


@good
def a_grant_by_the_root(lab: Lab) -> str:
    people = lab.fork()
    people.grant(people.newt, "lab.open")
    return lab.act(people)


@good
def words_beside_the_registry(lab: Lab) -> str:
    return lab.commit({"docs/guide.md": b"Second.\n", "README.md": None}, lab.base)


@good
def a_policy_that_is_sealed(lab: Lab) -> str:
    people = lab.fork()
    people.files[POLICY_PATH] = people.files[POLICY_PATH].replace(b"<= 6", b"<= 5")
    people.seal()
    return lab.act(people)


@good
def a_workflow_that_is_sealed(lab: Lab) -> str:
    people = lab.fork()
    people.files[WORKFLOW] = b"on: [pull_request]\n"
    people.seal()
    return lab.act(people)


@good
def settings_that_are_sealed_and_used_in_the_next_commit(lab: Lab) -> str:
    people = lab.fork()
    people.files[SETTINGS_PATH] = people.files[SETTINGS_PATH].replace(b"max_tier: 1", b"max_tier: 2")
    people.seal()
    first = lab.act(people)
    before = dict(people.files)
    people.register("lab.open/high_v1", by=people.newt, tier=2)
    return lab.commit({path: data for path, data in people.files.items() if before.get(path) != data}, first)


@good
def several_commits_at_once(lab: Lab) -> str:
    people, tip = lab.fork(), lab.base
    for version in ("1.1.1", "1.1.2", "1.1.3"):
        people.update(CACHE, version=version)
        tip = lab.commit(lab.changes(people), tip)
    return tip


@good
def two_branches_merged_one_after_another(lab: Lab) -> str:
    one, other = lab.fork(), lab.fork()
    one.update(CACHE, version="1.2.0")
    other.update(WEAVER)
    first = lab.commit(lab.changes(one), lab.base, lab.act(one))
    return lab.commit(lab.changes(one) | lab.changes(other), first, lab.act(other))


@good
def a_merge_whose_branch_was_mended_on_the_way(lab: Lab) -> str:
    people = lab.fork()
    people.register(NEW, by=people.ada)
    half = lab.commit({path: data for path, data in lab.changes(people).items() if path.endswith(".yaml")}, lab.base)
    return lab.commit(lab.changes(people), lab.base, lab.commit(lab.changes(people), half))


def test_other_branches_and_tags_are_nobodys_business(world: World) -> None:
    lab, name = world.lab, "wip/\u2028ünfertig"
    bad = lab.commit({WORKFLOW: b"on: never\n"}, lab.base)
    pushed = world.server.push(lab.repository.path, NAME, f"{bad}:refs/heads/{name}", f"{bad}:refs/tags/bad")
    assert pushed.accepted, pushed.shown
    gone = world.server.push(lab.repository.path, NAME, "--delete", f"refs/heads/{name}", "refs/tags/bad")
    assert gone.accepted, gone.shown


def test_a_branch_that_begins_is_judged_whole(world: World) -> None:
    lab, server = world.lab, world.server
    path = server.folder / "empty.git"
    git(server.folder, "init", "-q", "--bare", "-b", "main", str(path))
    server.install("empty.git", "pre-receive")
    bad = lab.commit({"registry/nodes/lab/memory/new_v1.yaml": b"{}\n"}, lab.base)
    pushed = server.push(lab.repository.path, "empty.git", f"{bad}:refs/heads/main")
    assert not pushed.accepted
    assert "S002" in pushed.shown
    assert git(path, "for-each-ref") == ""
    pushed = server.push(lab.repository.path, "empty.git", f"{lab.base}:refs/heads/main")
    assert pushed.accepted, pushed.shown
    assert "everything that it holds is judged" in pushed.shown


# The way of a user.


@dataclass(frozen=True)
class Hub:
    """A server with a registry that was made by the commands, and the clone of its founder."""

    server: Server
    ada: Clone

    def accepts(self, clone: Clone) -> str:
        """Push what a clone has committed; return what its user reads."""
        pushed = self.server.push(clone.path, "hub.git", "HEAD:main")
        assert pushed.accepted, pushed.shown
        assert self.main == clone.git("rev-parse", "HEAD")
        return pushed.shown

    def refuses(self, clone: Clone) -> str:
        before = self.server.refs("hub.git")
        pushed = self.server.push(clone.path, "hub.git", "HEAD:main")
        assert not pushed.accepted, pushed.shown
        assert self.server.refs("hub.git") == before
        return pushed.shown

    @property
    def path(self) -> Path:
        return self.server.folder / "hub.git"

    @property
    def main(self) -> str:
        return git(self.path, "rev-parse", "main")


@pytest.fixture
def hub(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    ada = founded(tmp_path, tmp_path_factory)
    ada.says("seal")
    ada.commit("Seal what decides")
    with serving(tmp_path / "server") as server:
        keys = f"--home {ada.people / 'ada'} --passphrase-file {ada.people / 'passphrase'}"
        server.host("hub.git", ada.path, "pre-receive", f"post-receive {keys}")
        yield Hub(server, ada)


def test_a_registry_lives_on_its_server(hub: Hub, tmp_path: Path) -> None:
    ben = hub.ada.by("ben")
    git(tmp_path, "clone", "-q", hub.server.url("hub.git"), str(tmp_path / "bens"))
    theirs = ben.at(tmp_path / "bens")

    theirs.says("owner", "create", "Ben")
    theirs.says("register", str(theirs.draft(owner="Ben")), "--commit")
    assert "no findings" in hub.accepts(theirs)

    change(theirs, PROBE_FILE, "version: 0.1.0", "version: 0.2.0")
    theirs.says("update", PROBE_FILE, "--commit")
    hub.accepts(theirs)

    ada = hub.ada
    ada.git("pull", "-q", hub.server.url("hub.git"), "main")
    theirs.says("transfer", SONDE, "--to", "Ada Lovelace")
    theirs.by("ada").says("sign", SONDE)
    theirs.commit("Hand it over")
    hub.accepts(theirs)

    ada.git("pull", "-q", hub.server.url("hub.git"), "main")
    ada.says("keys", "new", "next", "--scheme", "ml-dsa-44")
    ada.says("owner", "rotate", "Ada Lovelace", "--add", "next", "--drop", "main")
    ada.commit("Another key")
    hub.accepts(ada)
    change(ada, "registry/registry.yaml", "max_nodes: 3", "max_nodes: 4")
    ada.commit("Be generous")
    assert "C012" in hub.refuses(ada)
    ada.says("seal")
    ada.git("add", "-A")
    ada.git("commit", "-q", "--amend", "-m", "Be generous, with the seal")
    hub.accepts(ada)
    ada.says("deregister", SONDE, "--reason", "It rusted", "--commit")
    hub.accepts(ada)

    said = ada.says("validate", "--repo", str(hub.path), "--at", "main")
    assert "no findings" in said
    assert "1 of 1 verified" in ada.says("verify", "registry/tombstones/lab/probe/sonde_v1.yaml")


def test_the_server_makes_a_checkpoint_of_every_tip_and_each_follows_from_the_last(hub: Hub) -> None:
    ada = hub.ada
    for number in (1, 2):
        ada.says(
            "register", str(ada.draft(("sonde_v1", f"rod_{number}"), ("depth_read", f"depth_{number}"))), "--commit"
        )
        hub.accepts(ada)
        said = ada.says("checkpoint", "verify", "main", "--repo", str(hub.path))
        assert hub.main[:10] in said
    tip, below = (statement(hub.path, git(hub.path, "rev-parse", name)) for name in ("main", "main~1"))
    assert (below["sequence"], tip["sequence"]) == (0, 1)
    assert tip["previous"]
    assert below["previous"] is None


def statement(repository: Path, commit: str) -> dict[str, object]:
    """What the server's own checkpoint of a commit says."""
    (file,) = (repository / "nodespec" / "checkpoints").rglob(f"{commit}*")
    return dict(json.loads(b64decode(json.loads(file.read_bytes())["payload"]))["predicate"])


def test_what_cannot_be_signed_after_a_push_is_said_and_the_push_is_received(hub: Hub) -> None:
    ada = hub.ada
    for key in (ada.people / "ada" / "keys").glob("*.key.pem"):
        key.rename(key.with_suffix(".away"))
    ada.write("docs/a.md", "words\n")
    ada.commit("Words")
    shown = hub.accepts(ada)
    assert "the push is received" in shown
    assert "nodespec checkpoint create" in shown
