"""`nodespec register`, `update`, `transfer` and `deregister` through real processes, in real repositories.

The stories of people with keys of their own begin with :func:`founded`; the other tests of the commands that sign use
it, too.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from base64 import b64decode
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import Checkout, as_mere_owner

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Self

PASSPHRASE = "correct horse battery staple"
PROBE = "lab.probe/sonde_v1"
PROBE_FILE = "registry/nodes/lab/probe/sonde_v1.yaml"
PROBE_SIGNED = "registry/nodes/lab/probe/sonde_v1.dsse.json"
STONE = "registry/tombstones/lab/probe/sonde_v1.yaml"
MODELINE = "# yaml-language-server: $schema=../../../../schemas/nodespec.v1.schema.json\n"

DRAFT = """\
# A rod in the ground. It reads how deep the water stands.
node_type: lab.probe
metadata:
  name: sonde_v1
  version: 0.1.0        # the first
  schema_version: nodespec.v1
  authors: [Ada]
  created_at: "2026-01-10"
identity:
  owner_id: OWNER   # hers
  lane: candidate
  tier: 0
  roles: [probe]
interfaces:
  inputs: []
  outputs: []
  signals:
    emits:
      - name: depth_read
    subscribes: []
contracts: {}
provenance_manifest:
  glymph_enabled: true
  signing_scheme: ml-dsa-44
security: {}
"""


@dataclass
class Clone(Checkout):
    """A clone of a registry in somebody's hands; ``people`` is the folder with everybody's configuration."""

    people: Path = Path()

    def by(self, name: str) -> Self:
        """Return this same work tree in the hands of somebody else."""
        return type(self)(self.path, self.environment | {"NODESPEC_HOME": str(self.people / name)}, self.people)

    def at(self, path: Path) -> Self:
        """Return another folder in the same hands."""
        return type(self)(path, self.environment, self.people)

    def clone(self, path: Path) -> Self:
        """Clone this repository, as it is committed."""
        self.git("clone", "-q", str(self.path), str(path))
        return self.at(path)

    def says(self, *arguments: str, code: int = 0, stdin: bytes = b"", **variables: str) -> str:
        """Run the command, expect how it ends, and return everything that it says; no secret ever is."""
        done = self.run(*arguments, stdin=stdin, **variables)
        said = done.stdout + done.stderr
        assert done.returncode == code, said
        assert PASSPHRASE not in said
        assert "PRIVATE KEY" not in said
        assert "internal error" not in said
        return said

    def codes(self, *arguments: str) -> list[str]:
        """Return the codes that ``nodespec validate`` finds."""
        done = self.run("validate", "--format", "json", *arguments)
        return [item["code"] for item in json.loads(done.stdout)["findings"]]

    def state(self) -> tuple[Any, ...]:
        """Return everything that a command which refuses leaves alone: files, references, HEAD and the user's index."""
        return self.files(), self.git("for-each-ref"), self.git("rev-parse", "HEAD"), self.git("ls-files", "-s")

    def refuses(self, *arguments: str, code: int = 2, stdin: bytes = b"") -> str:
        """Run a command that must refuse and change nothing; return what it says."""
        before = self.state()
        said = self.says(*arguments, code=code, stdin=stdin)
        assert self.state() == before
        return said

    def handle(self, name: str) -> str:
        """Return the handle of the owner whose genesis has this name."""
        for record in (self.path / "registry" / "owners").glob("*/0000.dsse.json"):
            if json.loads(b64decode(json.loads(record.read_bytes())["payload"]))["name"] == name:
                return f"GLYMPH:{record.parent.name}"
        raise AssertionError(name)

    def public(self, name: str, key: str = "main") -> str:
        """Return the path of somebody's public key file."""
        return str(self.people / name / "keys" / f"{key}.ml-dsa-44.pub.pem")

    def key_id(self, name: str, key: str = "main") -> str:
        """Return the id of somebody's ML-DSA key: the SHA-256 of what stands between the lines of its PEM file."""
        lines = Path(self.public(name, key)).read_text().strip().split("\n")
        return sha256(b64decode("".join(lines[1:-1]))).hexdigest()

    def draft(self, *changes: tuple[str, str], owner: str = "Ada Lovelace", text: str = DRAFT) -> Path:
        """Write a NodeSpec of this owner outside of the registry, with changes (old, new); return its path."""
        text = text.replace("OWNER", owner if owner.startswith("GLYMPH:") else self.handle(owner))
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = self.people / "draft.yaml"
        path.write_text(text, encoding="utf-8")
        return path


def founded(tmp_path: Path, factory: pytest.TempPathFactory, *, then: Callable[[Clone], None] | None = None) -> Clone:
    """Return a new registry, committed, in the hands of Ada, who is its root and an owner in it.

    Ben and Cleo have keys and nothing else yet. It is made once in a session, through the commands, with what comes
    ``then``; and copied for each test.
    """
    original = factory.getbasetemp() / (then.__name__ if then else "founded")
    if not original.exists() and then is None:
        _found(original)
    elif not original.exists() and then is not None:
        then(founded(original.parent / f"for_{original.name}", factory))
        shutil.copytree(original.parent / f"for_{original.name}" / "people", original)
    people = tmp_path / "people"
    shutil.copytree(original, people)
    clone = _at(people)
    clone.git("checkout", "-q", ".")
    return clone


def with_a_node(clone: Clone) -> None:
    """Let Ada register her node."""
    clone.says("register", str(clone.draft()), "--commit")


def _at(people: Path) -> Clone:
    who = {f"GIT_{role}_{what}": value for role in ("AUTHOR", "COMMITTER") for what, value in _IDENTITY.items()}
    environment = {
        "NODESPEC_HOME": str(people / "ada"),
        "NODESPEC_PASSPHRASE_FILE": str(people / "passphrase"),
        "NO_COLOR": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        **who,
    }
    return Clone(people / "registry", environment, people)


_IDENTITY = {"NAME": "Ada", "EMAIL": "ada@example.org"}


def _found(people: Path) -> None:
    people.mkdir()
    (people / "passphrase").write_text(PASSPHRASE + "\n")
    registry = _at(people)
    registry.at(people).says("init", "registry", "--id", "lab.test")
    for name in ("ben", "cleo"):
        registry.by(name).says("keys", "new")
    registry.says("owner", "create", "Ada Lovelace")
    registry.commit("Found the registry")


def change(clone: Clone, path: str, old: str, new: str) -> None:
    """Change every occurrence of a text in a file."""
    text = clone.read(path)
    assert old in text
    clone.write(path, text.replace(old, new))


@pytest.fixture
def ada(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A registry of Ada's."""
    return founded(tmp_path, tmp_path_factory)


@pytest.fixture
def probed(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """The same, with a node of hers committed."""
    return founded(tmp_path, tmp_path_factory, then=with_a_node)


# register


def test_a_newcomer_enters_with_the_owner_and_the_node_in_one_commit(ada: Clone) -> None:
    ben = ada.by("ben")
    ben.says("owner", "create", "Ben")
    said = ben.says("register", str(ben.draft(owner="Ben")), "--commit")
    assert "committed" in said
    assert "on main" in said
    folder = f"registry/owners/{ben.handle('Ben').removeprefix('GLYMPH:')}"
    assert ben.git("show", "--format=%s", "--name-only", "HEAD").split("\n") == [
        f"Register {PROBE} 0.1.0",
        "",
        PROBE_SIGNED,
        PROBE_FILE,
        f"{folder}/0000.dsse.json",
    ]
    assert ben.git("status", "--porcelain") == ""
    assert "1 of 1 verified" in ben.says("verify", "--at", "HEAD")
    assert "no findings" in ben.says("validate", "--at", "HEAD", "--base", "HEAD~1")


def test_a_draft_gets_its_place_from_its_name_and_a_modeline_and_is_otherwise_kept_to_the_byte(ada: Clone) -> None:
    path = ada.draft()
    said = ada.says("register", str(path))
    assert f"wrote {PROBE_FILE}" in said
    assert f"wrote {PROBE_SIGNED}" in said
    assert "open a pull request" in said
    assert ada.read(PROBE_FILE) == MODELINE + path.read_text()
    assert set(ada.git("status", "--porcelain", "-uall").split("\n")) == {f"?? {PROBE_FILE}", f"?? {PROBE_SIGNED}"}
    first = ada.read(PROBE_SIGNED)
    path.write_text(path.read_text() + "# An afterthought.\n")
    ada.says("register", str(path))
    assert ada.read(PROBE_FILE).endswith("# An afterthought.\n"), "what was never committed is registered again"
    assert ada.read(PROBE_SIGNED) != first
    assert ada.codes("--base", "HEAD") == []


def test_a_draft_comes_through_a_pipe_from_anywhere_or_stands_in_its_place_already(ada: Clone) -> None:
    data = ada.draft().read_bytes()
    ada.says("register", "-", stdin=data)
    assert ada.read(PROBE_FILE) == MODELINE + data.decode()
    (ada.path / PROBE_SIGNED).unlink()
    ada.at(ada.path / "registry" / "nodes").says("register", "lab/probe/sonde_v1.yaml")
    assert "1 of 1 verified" in ada.says("verify")
    ada.git("clean", "-fdq")
    ada.at(ada.people).says("register", "draft.yaml", "--repo", "registry", "--commit")
    assert "1 of 1 verified" in ada.at(ada.people).says("verify", "--repo", "registry", "--at", "HEAD")


def test_a_dry_run_shows_the_change_and_writes_nothing(ada: Clone) -> None:
    ben = ada.by("ben")
    ben.says("owner", "create", "Ben")
    said = ben.refuses("register", str(ben.draft(owner="Ben")), "--dry-run", "--branch", "x", "--commit", code=0)
    assert f"+++ b/{PROBE_FILE}" in said
    assert f"+{MODELINE}" in said
    assert "+node_type: lab.probe" in said
    assert f"would write {PROBE_SIGNED}" in said
    assert "nothing was written" in said


def test_a_branch_leaves_the_work_tree_and_the_index_as_they_are(ada: Clone) -> None:
    ada.write("notes.txt", "staged\n")
    ada.git("add", "notes.txt")
    ada.write("notes.txt", "and changed again\n")
    ada.git("rm", "-q", "--cached", ".gitattributes")
    ben = ada.by("ben")
    ben.says("owner", "create", "Ben")
    files, _, head, index = ben.state()
    said = ben.says("register", str(ben.draft(owner="Ben")), "--branch")
    name = f"register/{PROBE}"
    assert f"on the new branch {name}; your work tree is as it was" in said
    assert f"git push origin {name}" in said
    assert (ben.files(), ben.git("rev-parse", "HEAD"), ben.git("ls-files", "-s")) == (files, head, index)
    assert set(ben.git("for-each-ref", "--format=%(refname)").split("\n")) == {"refs/heads/main", f"refs/heads/{name}"}
    changed = ben.git("diff", "--name-status", "main", name).split("\n")
    assert [line[0] for line in changed] == ["A", "A", "A"], "the owner's record, the node, its attestation"
    assert "no findings" in ben.says("validate", "--at", name, "--base", "main")

    said = ben.refuses("register", str(ben.draft(owner="Ben")), "--branch")
    assert f"branch {name} exists" in said
    assert "--branch NAME" in said
    ben.says("register", str(ben.draft(owner="Ben")), "--branch", "second/try")
    assert ben.git("rev-parse", "second/try~1") == head
    for wrong in ("no name", "main/x"):
        ben.refuses("register", str(ben.draft(owner="Ben")), "--branch", wrong)


def test_a_commit_takes_only_what_it_is_about(ada: Clone) -> None:
    ada.write("notes.txt", "staged\n")
    ada.write("loose.txt", "untracked\n")
    ada.git("add", "notes.txt")
    change(ada, "registry/registry.yaml", "max_nodes: 3", "max_nodes: 4")
    ada.says("register", str(ada.draft()), "--commit")
    assert ada.git("show", "--format=", "--name-only", "HEAD").split("\n") == [PROBE_SIGNED, PROBE_FILE]
    status = ada.git("status", "--porcelain").split("\n")
    assert {line.strip() for line in status} == {"M registry/registry.yaml", "A  notes.txt", "?? loose.txt"}
    assert ada.git("show", f"HEAD:{PROBE_FILE}") + "\n" == ada.read(PROBE_FILE)


def test_a_branch_is_pushed_and_nothing_else(ada: Clone) -> None:
    bare = ada.people / "hub.git"
    ada.git("clone", "-q", "--bare", ".", str(bare))
    ada.git("remote", "add", "hub", str(bare))
    name = f"register/{PROBE}"
    said = ada.says("register", str(ada.draft()), "--push", "hub")
    assert f"pushed {name} to hub" in said
    assert f"open the pull request from branch {name}" in said, "a folder has no address for that"
    hub = ada.at(bare)
    assert hub.git("rev-parse", name) == ada.git("rev-parse", name)
    assert hub.git("rev-parse", "main") == ada.git("rev-parse", "main") == hub.git("rev-parse", f"{name}~1")
    assert "no findings" in ada.says("validate", "--repo", str(bare), "--at", name, "--base", "main")
    assert ada.git("status", "--porcelain") == ""

    said = ada.says("register", str(ada.draft()), "--push", str(bare), "--branch", "again")
    assert f"pushed again to {bare}" in said
    files, _, head, index = ada.state()
    assert "git push failed" in ada.says("register", str(ada.draft()), "--push", "nowhere", "--branch", "b", code=2)
    assert ada.state()[0::2] == (files, head)
    assert ada.state()[3] == index


def test_a_linked_work_tree_is_a_place_like_any_other(ada: Clone) -> None:
    path = ada.people / "linked"
    ada.git("worktree", "add", "-q", str(path))
    linked = ada.at(path)
    linked.says("register", str(ada.draft()), "--commit")
    assert linked.git("status", "--porcelain") == ""
    assert "1 of 1 verified" in linked.says("verify", "--at", "linked")
    assert ada.git("status", "--porcelain") == ""
    assert not (ada.path / PROBE_FILE).exists()


def test_what_is_wrong_is_shown_at_its_place_and_nothing_is_written(ada: Clone) -> None:
    ada.write("notes.txt", "staged\n")
    ada.git("add", "notes.txt")
    owner = ada.handle("Ada Lovelace")
    wrong = [
        (("lane: candidate", "lane: candidat"), "S004", "draft.yaml:11:9"),
        (("tier: 0", "tier: 9"), "expected at most 7", "draft.yaml:12:9"),
        (("version: 0.1.0 ", "version: 1e3 "), "error[F", "draft.yaml:5:12"),
        (("subscribes: []", "subscribes: [{signal: rain, handler: a.b}]"), "G001", f"{PROBE_FILE}:21:27"),
        (("tier: 0", "tier: 2"), "newcomers may claim tier 1 at most", f"{PROBE_FILE}:13:9"),
        (("lane: candidate", "lane: lukhas"), "error[P026]", f"{PROBE_FILE}:12:9"),
        (("signing_scheme: ml-dsa-44", "signing_scheme: ed25519"), "S004", "draft.yaml:24:19"),
    ]
    for (old, new), words, place in wrong:
        said = ada.refuses("register", str(ada.draft((old, new), owner=owner)), "--commit", code=1)
        assert words in said, said
        assert place in said, said
        assert "nothing was written" in said


def test_what_is_no_draft_is_said_and_nothing_is_written(ada: Clone) -> None:
    folder = ada.people / "folder"
    folder.mkdir()
    assert "cannot be read: Is a directory" in ada.refuses("register", str(folder))
    assert "cannot be read: No such file" in ada.refuses("register", "nothing.yaml")
    closed = ada.draft()
    closed.chmod(0)
    if as_mere_owner() == []:
        assert "cannot be read: Permission denied" in ada.refuses("register", str(closed))
    closed.chmod(0o644)
    texts = [b"", b"\xff\xfe", b"a: *b\n", b"x" * 70_000, b"{}\n", ada.draft().read_bytes().replace(b"\n", b"\r\n")]
    for text in texts:
        said = ada.refuses("register", "-", code=1, stdin=text)
        assert "error[" in said
        assert "nothing was written" in said


def test_who_may_register_what(probed: Clone) -> None:
    ada, ben = probed, probed.by("ben")
    draft = str(ada.draft())
    said = ada.refuses("register", draft)
    assert f"{PROBE} is registered already" in said
    assert "nodespec update" in said

    ben.says("owner", "create", "Ben")
    theirs = ada.draft(("sonde_v1", "rain_gauge"))
    said = ben.refuses("register", str(theirs))
    assert "you hold no key of Ada Lovelace" in said
    assert ada.key_id("ada")[:16] in said
    assert "you hold no key of Ben" in ada.refuses("register", str(ada.draft(("sonde_v1", "rain_gauge"), owner="Ben")))

    said = ben.refuses("update", str(ben.draft(owner="Ben")))
    assert f"{PROBE} belongs to {ada.handle('Ada Lovelace')[:16]}" in said
    assert "nodespec transfer" in said
    said = ben.refuses("register", str(ben.draft(("sonde_v1", "rain_gauge"), owner="GLYMPH:" + "0" * 64)), code=3)
    assert "no owner GLYMPH:0000000000000000… is known here" in said
    assert "nodespec owner create" in said
    said = ada.refuses("update", str(ada.draft(("sonde_v1", "rain_gauge"))))
    assert "not registered here yet" in said
    assert "no key is called" in ada.refuses("register", str(theirs), "--key", "none")


def test_nothing_can_be_registered_where_nobody_is_believed(tmp_path: Path, ada: Clone) -> None:
    text = ada.draft()
    ada.at(tmp_path).says("init", "bare", "--no-trust", "--id", "lab.other")
    bare = ada.at(tmp_path / "bare")
    bare.commit("no trust root")
    said = bare.refuses("register", str(text), code=3)
    assert "no trust root" in said
    assert "nodespec trust init" in said
    ada.git("clone", "-q", "--bare", ".", str(tmp_path / "hub.git"))
    assert "bare repository" in ada.says("register", str(text), "--repo", str(tmp_path / "hub.git"), code=2)
    assert "not in a Git repository" in ada.at(tmp_path).says("register", str(text), code=2)
    broken = ada.path / "registry" / "trust" / "0001.dsse.json"
    broken.write_bytes(broken.read_bytes().replace(b'"sig":"', b'"sig":"AAAA'))
    said = ada.refuses("register", str(text), code=3)
    assert "nodespec trust verify" in said


def test_a_newcomer_may_hold_three_nodes(ada: Clone) -> None:
    for name in ("anemometer", "barometer", "hygrometer"):
        ada.says("register", str(ada.draft(("sonde_v1", name), ("depth_read", f"{name}_read"))), "--commit")
    said = ada.refuses("register", str(ada.draft(("sonde_v1", "thermometer"))), code=1)
    assert "error[P027]" in said
    assert "registry/nodes/lab/probe/thermometer.yaml:11:13" in said


def test_two_names_may_look_alike_and_a_warning_stops_nobody(probed: Clone) -> None:
    said = probed.says("register", str(probed.draft(("sonde_v1", "sonda_v1"))))
    assert "wrote registry/nodes/lab/probe/sonda_v1.yaml" in said
    assert probed.codes("--base", "HEAD") == ["G003"]


# update


def test_an_edited_node_is_nobodys_until_it_is_signed_again(probed: Clone) -> None:
    change(probed, PROBE_FILE, "version: 0.1.0", "version: 0.2.0")
    assert "P013" in probed.codes("--base", "HEAD")
    assert 'of version "0.1.0", and the file says "0.2.0"' in probed.says("verify", code=1)
    assert f"wrote {PROBE_SIGNED}" in probed.says("update", PROBE_FILE)
    assert probed.codes("--base", "HEAD") == []
    assert f"update {PROBE} 0.2.0, sequence 1" in probed.says("verify", PROBE)
    probed.says("update", PROBE_FILE, "--commit")
    assert probed.git("log", "-1", "--format=%s") == f"Update {PROBE} 0.2.0"

    newer = probed.draft(("version: 0.1.0", "version: 0.3.0"))
    said = probed.refuses("update", str(newer), "--dry-run", code=0)
    assert "-  version: 0.2.0" in said
    assert "+  version: 0.3.0" in said
    probed.says("update", "-", "--branch", stdin=newer.read_bytes())
    assert probed.git("status", "--porcelain") == ""
    assert "no findings" in probed.says("validate", "--at", f"update/{PROBE}", "--base", "main")
    assert f"update {PROBE} 0.3.0, sequence 2" in probed.says("verify", PROBE, "--at", f"update/{PROBE}")
    assert "update lab.probe/sonde_v1 0.2.0, sequence 1" in probed.says("verify", PROBE, "--at", "main")
    assert "error[S004]" in probed.refuses("update", str(probed.draft(("lane: candidate", "lane: best"))), code=1)


def test_a_node_that_was_renamed_by_hand_finds_its_way(probed: Clone) -> None:
    start = probed.git("rev-parse", "HEAD").strip()
    old, new = (PROBE_FILE, PROBE_SIGNED), tuple(path.replace("_v1", "_v2") for path in (PROBE_FILE, PROBE_SIGNED))
    for source, target in zip(old, new, strict=True):
        probed.git("mv", source, target)
    text = (probed.path / new[0]).read_text(encoding="utf-8").replace("sonde_v1", "sonde_v2")
    (probed.path / new[0]).write_text(text, encoding="utf-8")
    probed.git("commit", "-q", "-a", "-m", "Rename")
    said = probed.says("gate", "--base", start, "--head", "HEAD", code=1)
    assert "A node keeps its name. Register the new one" in said
    assert {code for code in ("C005", "P011", "C002") if code in said} == {"C005", "P011"}
    assert "to add it: nodespec register FILE" in probed.refuses("update", new[0], code=2)
    assert "register, for a new node" in probed.refuses("register", new[0], code=1)
    probed.git("checkout", "-q", start, "--", *old)
    probed.says("register", new[0], "--base", start)
    probed.git("add", "-A")
    probed.git("commit", "-q", "-m", "Register the new one")
    assert "no findings" in probed.says("gate", "--base", start, "--head", "HEAD")
    probed.says("deregister", PROBE, "--reason", "The second is better.", "--successor", f"{PROBE[:-1]}2", "--commit")
    assert "no findings" in probed.says("gate", "--base", "HEAD~1", "--head", "HEAD")


def test_edits_that_are_not_committed_are_never_lost(probed: Clone) -> None:
    probed.by("ben").says("owner", "create", "Ben")
    probed.commit("Welcome Ben")
    change(probed, PROBE_FILE, "version: 0.1.0", "version: 0.1.1")
    newer = probed.draft(("version: 0.1.0", "version: 0.3.0"))
    for words in (
        ("update", str(newer)),
        ("transfer", PROBE, "--to", "Ben"),
        ("deregister", PROBE, "--reason", "It rusted"),
    ):
        said = probed.refuses(*words)
        assert f"{PROBE_FILE} has changes that are not committed" in said
        assert f"git restore {PROBE_FILE}" in said
    assert f"wrote {PROBE_SIGNED}" in probed.says("update", PROBE_FILE), "the edit itself can be signed"
    assert f"wrote {PROBE_FILE}" in probed.says("update", str(newer)), "and what came from a draft comes again"
    assert probed.codes("--base", "HEAD") == []


def test_a_tombstone_is_signed_again_after_a_theft_and_never_edited(probed: Clone) -> None:
    probed.says("deregister", PROBE, "--reason", "It rusted", "--commit")
    probed.says("keys", "new", "next", "--scheme", "ml-dsa-44")
    probed.says("owner", "revoke", "Ada Lovelace", "main", "--reason", "compromised", "--add", "next")
    probed.commit("Recover from a theft")
    assert probed.codes() == ["P019"]
    text = probed.read(STONE)
    probed.replace(STONE, "It rusted", "It shone")
    assert "a tombstone stays as it was" in probed.refuses("update", STONE)
    probed.write(STONE, text)
    said = probed.says("update", STONE, "--commit")
    assert "committed" in said
    assert probed.read(STONE) == text
    assert probed.codes("--base", "HEAD~1") == []
    assert f"deregister {PROBE} 0.1.0, sequence 2" in probed.says("verify", PROBE)
    assert probed.git("status", "--porcelain") == ""


def test_who_gives_a_node_away_signs_only_what_they_had_signed(probed: Clone) -> None:
    probed.by("ben").says("owner", "create", "Ben")
    change(probed, PROBE_FILE, "tier: 0", "tier: 1")
    probed.commit("harmless")
    said = probed.refuses("transfer", PROBE, "--to", "Ben")
    assert f"{PROBE_FILE} does not verify as it stands" in said
    assert "nodespec update" in said


def test_a_transfer_to_who_may_not_hold_it_is_refused_at_once(probed: Clone) -> None:
    probed.by("ben").says("owner", "create", "Ben")
    probed.says("trust", "grant", "Ada Lovelace", "--type", "lab.probe", "--lane", "candidate", "--max-tier", "3")
    probed.commit("Welcome Ben, who holds nothing")
    said = probed.refuses("transfer", PROBE, "--to", "Ben")
    assert "the new owner may not hold it: type lab.probe is delegated to somebody else" in said


def test_signatures_that_were_given_are_kept_when_the_same_is_signed_again(ada: Clone) -> None:
    ben = ada.by("ben")
    ada.says("owner", "create", "Both", "--with", ada.public("ben"), "--threshold", "2")
    ben.says("sign", "Both")
    ada.says("register", str(ada.draft(owner="Both")))
    ben.says("sign", PROBE)
    signed = ada.read(PROBE_SIGNED)
    assert ada.codes("--base", "HEAD") == []
    ada.says("register", str(ada.draft(owner="Both")))
    assert ada.read(PROBE_SIGNED) == signed


def test_a_dry_run_of_an_edit_in_place_shows_the_edit(probed: Clone) -> None:
    change(probed, PROBE_FILE, "version: 0.1.0", "version: 0.1.1")
    said = probed.refuses("update", PROBE_FILE, "--dry-run", code=0)
    assert "-  version: 0.1.0" in said
    assert "+  version: 0.1.1" in said


def test_two_updates_of_one_version_cannot_both_be_merged(probed: Clone) -> None:
    for number in (1, 2):
        path = probed.draft(("version: 0.1.0", f"version: 0.2.{number}"))
        probed.says("update", str(path), "--branch", f"b{number}")
    probed.git("merge", "-q", "b1")
    assert "no findings" in probed.says("validate", "--at", "b2", "--base", "HEAD~1")
    probed.git("checkout", "-q", "b2", "--", "registry")
    assert probed.codes("--base", "HEAD") == ["C002"]
    probed.says("update", PROBE_FILE)
    assert probed.codes("--base", "HEAD") == []


# transfer


@pytest.mark.parametrize("first", ["the giver", "the taker"])
def test_a_node_changes_hands_when_both_have_signed_in_either_order(probed: Clone, first: str) -> None:
    ada, ben = probed, probed.by("ben")
    ben.says("owner", "create", "Ben")
    ada.commit("Welcome Ben")
    one, other = (ada, ben) if first == "the giver" else (ben, ada)
    said = one.says("transfer", PROBE, "--to", "Ben")
    assert f"nodespec sign {PROBE}" in said
    assert ("the owner Ben" if one is ada else "the former owner Ada Lovelace") in said
    assert ada.codes("--base", "HEAD") in (["P018"], ["P022"])
    assert "0 of 1 verified" in ada.says("verify", code=1)
    before = ada.files()
    assert "still to sign" in one.says("sign", PROBE)
    assert "none of your keys" in one.by("cleo").says("sign", PROBE, code=2)
    assert ada.files() == before
    said = other.says("sign", PROBE)
    assert f"transfer {PROBE} 0.1.1" in said
    assert "still to sign" not in said
    assert "1 of 1 verified" in ada.says("verify")
    assert ada.codes("--base", "HEAD") == []
    expected = (MODELINE + ada.draft().read_text()).replace(ada.handle("Ada Lovelace"), ben.handle("Ben"))
    assert ada.read(PROBE_FILE) == expected.replace("0.1.0", "0.1.1"), "comments and layout stay"
    ada.commit("It is Ben's now")
    assert "you hold no key of Ben" in ada.refuses("update", PROBE_FILE)
    ben.says("update", PROBE_FILE)
    assert ada.codes("--base", "HEAD") == []


def test_a_transfer_says_what_it_cannot_do(probed: Clone) -> None:
    ada, ben = probed, probed.by("ben")
    ben.says("owner", "create", "Ben")
    assert "belongs to that owner already" in ada.refuses("transfer", PROBE, "--to", "ada lovelace")
    said = ada.refuses("transfer", PROBE, "--to", "Cleo")
    assert 'no owner is called "Cleo"' in said
    assert "nodespec owner list" in said
    assert "no node is called" in ada.refuses("transfer", "lab.probe/rain_v1", "--to", "Ben")
    said = ada.by("cleo").refuses("transfer", PROBE, "--to", "Ben")
    assert "you hold no key" in said
    for version in ("1.0", "''"):
        ada.run("transfer", PROBE, "--to", "Ben", "--version", version, "--dry-run")
        assert ada.git("status", "--porcelain", PROBE_FILE) == ""

    change(ada, PROBE_FILE, "version: 0.1.0 ", "version: '1.0.0-rc.1' ")
    change(ada, PROBE_FILE, ada.handle("Ada Lovelace"), f'"{ada.handle("Ada Lovelace")}"')
    ada.says("update", PROBE_FILE, "--commit")
    said = ada.refuses("transfer", PROBE, "--to", "Ben")
    assert 'which version follows "1.0.0-rc.1"?' in said
    assert "--version" in said
    ada.says("transfer", PROBE, "--to", "Ben", "--version", "1.0.0")
    assert 'version: "1.0.0"        # the first' in ada.read(PROBE_FILE)
    assert f'owner_id: "{ben.handle("Ben")}"   # hers' in ada.read(PROBE_FILE)
    ben.says("sign", PROBE)
    assert ada.codes("--base", "HEAD") == []


def test_a_transfer_may_be_a_pull_request(probed: Clone) -> None:
    ada, ben = probed, probed.by("ben")
    ben.says("owner", "create", "Ben")
    said = ada.says("transfer", PROBE, "--to", "Ben", "--branch")
    name = f"transfer/{PROBE}"
    assert "registry/owners/" in ada.git("diff", "--name-only", "main", name), "the new owner's record comes along"
    (words,) = re.findall(
        r"before you check it out, or pull it: (rm -r registry/owners/[0-9a-f]{64})$", said, re.MULTILINE
    )
    copy = ada.people / "copy"
    shutil.copytree(ada.path, copy)
    subprocess.run(words, shell=True, cwd=copy, check=True)
    subprocess.run(["git", "checkout", "-q", name], cwd=copy, check=True)
    theirs = ben.clone(ada.people / "bens")
    theirs.git("checkout", "-q", name)
    theirs.says("sign", PROBE)
    theirs.commit("Take it")
    assert "no findings" in theirs.says("validate", "--at", "HEAD", "--base", "origin/main")


# deregister


def test_a_node_that_goes_leaves_a_tombstone_that_locks_its_name(probed: Clone) -> None:
    ada, ben = probed, probed.by("ben")
    assert "you hold no key of Ada Lovelace" in ben.refuses("deregister", PROBE, "--reason", "mine now")
    assert "Missing option '--reason'" in ada.refuses("deregister", PROBE)
    assert "no node is called" in ada.refuses("deregister", "lab.probe/none", "--reason", "x")
    assert "S007" in ada.refuses("deregister", PROBE, "--reason", "", code=1)
    assert "F006" in ada.refuses("deregister", PROBE, "--reason", "x\u202ey", code=1)
    said = ada.refuses("deregister", PROBE, "--reason", "It rusted", "--dry-run", code=0)
    assert '+reason: "It rusted"' in said
    assert "-node_type: lab.probe" in said
    assert f"would remove {PROBE_SIGNED}" in said

    why = 'It "rusted": # [through]\nand - through, \\ é'
    said = ada.says("deregister", PROBE, "--reason", why, "--commit")
    assert f"removed {PROBE_FILE}" in said
    assert not (ada.path / "registry" / "nodes" / "lab").exists(), "empty folders go, as with git"
    assert json.dumps(why, ensure_ascii=False) in ada.read(STONE)
    assert ada.git("status", "--porcelain") == ""
    assert "no findings" in ada.says("validate", "--at", "HEAD", "--base", "HEAD~1")
    assert f"deregister {PROBE} 0.1.0, sequence 1" in ada.says("verify", PROBE)
    assert "1 of 1 verified" in ada.says("verify", STONE)

    for someone, owner in ((ada, "Ada Lovelace"), (ben, "Ben")):
        if owner == "Ben":
            ben.says("owner", "create", "Ben")
        said = someone.refuses("register", str(ada.draft(owner=owner)))
        assert f"the name {PROBE} is locked by a tombstone" in said
    assert "not registered here yet" in ada.refuses("update", str(ada.draft()))
    assert "no node is called" in ada.refuses("deregister", PROBE, "--reason", "again")
    shutil.rmtree(ada.path / "registry" / "tombstones")
    assert ada.run("register", str(ada.draft())).returncode != 0, "neither when the tombstone was only deleted here"
    assert not (ada.path / PROBE_FILE).exists()


def test_nobody_goes_whom_others_wait_for_unless_they_say_why(probed: Clone) -> None:
    ada = probed
    hears = ("subscribes: []", "subscribes: [{signal: depth_read, handler: tide.rise}]")
    ada.says("register", str(ada.draft(("sonde_v1", "tide_table"), ("depth_read", "tide_turned"), hears)), "--commit")
    said = ada.refuses("deregister", PROBE, "--reason", "old")
    assert "lab.probe/tide_table waits for depth_read" in said
    assert "--force-dangling REASON" in said
    ada.says("deregister", PROBE, "--reason", "old", "--force-dangling", "It lies about the depth", "--commit")
    assert 'signals: ["depth_read"]' in ada.read(STONE)
    assert "It lies about the depth" in ada.read(STONE)
    assert "no findings" in ada.says("validate", "--at", "HEAD", "--base", "HEAD~1"), "the tombstone answers for G001"
    change(ada, STONE, '["depth_read"]', '["else"]')
    assert set(ada.codes("--base", "HEAD")) == {"C006", "G001", "P013"}


def test_a_successor_must_exist_and_a_reason_for_nothing_is_not_kept(probed: Clone) -> None:
    ada = probed
    said = ada.refuses("deregister", PROBE, "--reason", "old", "--successor", "lab.probe/sonde_v2")
    assert 'no node is called "lab.probe/sonde_v2"' in said
    ada.says("register", str(ada.draft(("sonde_v1", "sonde_v2"))), "--commit")
    given = ("--successor", "lab.probe/sonde_v2", "--force-dangling", "nobody waits")
    ada.says("deregister", PROBE, "--reason", "old", *given, "--branch")
    name = f"deregister/{PROBE}"
    assert (ada.path / PROBE_FILE).exists()
    assert ada.git("status", "--porcelain") == ""
    changed = ada.git("diff", "--no-renames", "--name-status", "main", name).split("\n")
    assert sorted(line[0] for line in changed) == ["A", "A", "D", "D"]
    stone = ada.git("show", f"{name}:{STONE}")
    assert 'successor: "lab.probe/sonde_v2"' in stone
    assert "dangling" not in stone
    assert "no findings" in ada.says("validate", "--at", name, "--base", "main")


def test_what_was_never_committed_needs_no_tombstone(ada: Clone) -> None:
    ada.says("register", str(ada.draft()))
    said = ada.refuses("deregister", PROBE, "--reason", "old")
    assert "can be deleted" in said


# Whatever the action.


def test_an_owner_of_two_keys_acts_when_both_have_signed(ada: Clone) -> None:
    ben = ada.by("ben")
    ada.says("owner", "create", "Both", "--with", ada.public("ben"), "--threshold", "2")
    assert "nodespec validate" in ada.says("owner", "show", "Both", code=3)
    record = ada.git("ls-files", "-o", "registry/owners")
    assert "signing record 0 of owner Both" in ben.says("sign", record)
    ada.commit("Welcome both")
    steps = [
        ("register", str(ada.draft(owner="Both"))),
        ("update", PROBE_FILE),
        ("transfer", PROBE, "--to", "Ada Lovelace"),
    ]
    for number, step in enumerate(steps):
        one, other = (ada, ben) if number % 2 == 0 else (ben, ada)
        said = one.says(*step)
        assert re.search(r"still to sign: the (former )?owner Both \(GLYMPH:\w+…\) \(1 of 2 needed signatures\)", said)
        assert ada.codes("--base", "HEAD") in (["P018"], ["P022"])
        other.says("sign", PROBE)
        assert ada.codes("--base", "HEAD") == []
        ada.commit(step[0])
    ada.git("reset", "-q", "--hard", "HEAD~1")
    assert "1 of 2 needed" in ben.says("deregister", PROBE, "--reason", "done")
    assert ada.codes("--base", "HEAD") == ["P018"]
    ada.says("sign", PROBE)
    assert ada.codes("--base", "HEAD") == []
    assert "1 of 1 verified" in ada.says("verify")


def test_every_command_says_how_it_is_used(ada: Clone) -> None:
    for command in ("register", "transfer", "owner", "trust"):
        said = ada.says(command, "--help")
        assert said.startswith(f"Usage: nodespec {command}")
    assert "Missing argument" in ada.says("register", code=2)
    assert "No such option" in ada.says("register", "x.yaml", "--force", code=2)
