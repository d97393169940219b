"""What people do by mistake with keys, records and hand-overs: refused in time, and nothing is lost."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import as_mere_owner
from tests.test_cli_register import PROBE, PROBE_FILE, Clone, founded

ADA = "Ada Lovelace"


@pytest.fixture
def ada(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Clone:
    """A new registry in Ada's hands."""
    return founded(tmp_path, tmp_path_factory)


def test_a_version_that_was_committed_half_signed_is_completed_or_changed_and_version_one_stays(ada: Clone) -> None:
    first = ada.read("registry/trust/0001.dsse.json")
    ada.says("trust", "rotate", "--root", ada.public("ben"), "--root-threshold", "2")
    ada.commit("for Ben to sign")
    said = ada.says("trust", "grant", ADA, "--type", "lab", "--lane", "core", "--max-tier", "1")
    assert "version 2, which you began, is changed and signed anew" in said
    assert ada.read("registry/trust/0001.dsse.json") == first
    assert not (ada.path / "registry/trust/0003.dsse.json").exists()
    ada.by("ben").says("trust", "sign")
    ada.says("trust", "verify")


@pytest.mark.parametrize(
    "words",
    [
        ["owner", "revoke", ADA, "main", "--reason", "compromised", "--from-record", "7", "--add", "spare"],
        ["owner", "recover", ADA, "--with", "main", "--reason", "lost"],
        ["owner", "rotate", ADA, "--threshold", "9"],
        ["trust", "grant", ADA, "--type", "Bad Type!", "--lane", "core", "--max-tier", "1"],
        ["trust", "rotate", "--root-threshold", "9"],
    ],
)
def test_what_could_never_verify_is_not_written(ada: Clone, words: list[str]) -> None:
    ada.says("keys", "new", "spare", "--scheme", "ml-dsa-44")
    said = ada.refuses(*words)
    assert "error: " in said


def journal_of(path: str) -> str:
    """What a writer leaves that was killed before it wrote this one file."""
    return json.dumps({"head": "main", "files": {path: {"before": None, "after": "aGk="}}})


def test_a_reader_waits_for_a_writer_that_is_alive(ada: Clone) -> None:
    """The lock is held as a writer would hold it; a reader that finds the journal must not complete it meanwhile."""
    folder = ada.path / ".git" / "nodespec"
    folder.mkdir(exist_ok=True)
    target = "registry/nodes/lab/x.yaml"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        ada.write(
            ".git/nodespec/journal.json",
            journal_of(target),
        )
        command = [Path(sys.executable).with_name("nodespec"), "owner", "list"]
        reader = subprocess.Popen(command, cwd=ada.path, env={**os.environ, **ada.environment}, stdout=subprocess.PIPE)
        with pytest.raises(subprocess.TimeoutExpired):
            reader.wait(timeout=1.5)
        assert not (ada.path / target).exists()
    assert reader.wait(timeout=60) == 0
    reader.communicate()
    assert ada.read(target) == "hi"
    assert not (folder / "journal.json").exists()


def test_what_an_interrupted_writer_left_half_written_is_swept(ada: Clone) -> None:
    ada.write("registry/nodes/lab/.nodespec-abc", "half")
    ada.write(
        ".git/nodespec/journal.json",
        journal_of("registry/nodes/lab/x.yaml"),
    )
    ada.says("owner", "list")
    assert [path.name for path in (ada.path / "registry/nodes/lab").iterdir()] == ["x.yaml"]


def test_a_folder_that_cannot_be_written_stops_nobody_else(ada: Clone) -> None:
    ada.says("register", str(ada.draft()))
    ada.commit("registered")
    before = ada.files()
    folder = (ada.path / PROBE_FILE).parent
    folder.chmod(0o555)
    draft = ada.draft(("0.1.0 ", "0.2.0 "))
    command = [*as_mere_owner(), Path(sys.executable).with_name("nodespec"), "update", str(draft)]
    done = subprocess.run(command, cwd=ada.path, env={**os.environ, **ada.environment}, capture_output=True, text=True)
    folder.chmod(0o755)
    assert done.returncode == 3, done.stderr
    assert "nothing was changed" in done.stderr
    assert ada.files() == before
    ada.says("update", str(draft))


def test_a_hooks_surroundings_do_not_lead_to_another_repository(ada: Clone, tmp_path: Path) -> None:
    other = ada.clone(tmp_path / "other")
    ada.says("register", str(ada.draft()), "--branch", "mine", GIT_DIR=str(other.path / ".git"))
    assert "mine" in ada.git("branch", "--list", "mine")
    assert other.git("branch", "--list", "mine") == ""


def test_only_nodes_are_cosigned(ada: Clone) -> None:
    owners = f"registry/owners/{ada.handle(ADA).removeprefix('GLYMPH:')}/0000.dsse.json"
    for path in ("registry/trust/0001.dsse.json", owners):
        assert "is no node" in ada.refuses("cosign", path)


def test_a_node_does_not_succeed_itself_nor_go_silent_while_others_listen(ada: Clone) -> None:
    ada.says("register", str(ada.draft()))
    listener = ada.draft(
        ("sonde_v1", "ear_v1"),
        (
            "    emits:\n      - name: depth_read\n    subscribes: []",
            "    emits: []\n    subscribes:\n      - {signal: depth_read, handler: ear.on}",
        ),
    )
    ada.says("register", str(listener))
    ada.commit("two nodes")
    assert "does not succeed itself" in ada.refuses("deregister", PROBE, "--reason", "x", "--successor", PROBE)
    silent = ada.draft(("    emits:\n      - name: depth_read", "    emits: []"), ("0.1.0 ", "0.2.0 "))
    assert "lab.probe/ear_v1 waits for depth_read" in ada.refuses("update", str(silent))


def test_taking_one_type_away_leaves_the_others(ada: Clone) -> None:
    ada.says("trust", "grant", ADA, "--type", "lab", "--type", "lib", "--lane", "core", "--max-tier", "1")
    ada.commit("granted")
    ada.says("trust", "revoke", ADA, "--type", "lab")
    shown = json.loads(ada.says("trust", "show", "--format", "json").partition("\nnote")[0])
    types = [kind for item in shown["delegations"] for kind in item["node_types"]]
    assert "lib" in types
    assert "lab" not in types


def test_a_commit_of_the_past_is_verified_although_the_pin_has_seen_more(ada: Clone) -> None:
    ada.says("register", str(ada.draft()))
    ada.commit("registered")
    ada.says("trust", "rotate", "--expires", "90d")
    ada.commit("rotated")
    ada.says("trust", "pin")
    ada.says("verify", "--at", "HEAD~1")
    ada.git("reset", "-q", "--hard", "HEAD~1")
    assert "rollback" in ada.says("verify", code=3)


def test_a_transfer_keeps_the_manner_in_which_things_are_written(ada: Clone) -> None:
    ada.by("ben").says("owner", "create", "Ben")
    ada.commit("Ben")
    ada.says("register", str(ada.draft(("0.1.0 ", '"0.1.0" '))))
    ada.commit("registered")
    assert "is not a semantic version" in ada.refuses("transfer", PROBE, "--to", "Ben", "--version", "1.0")
    ada.says("transfer", PROBE, "--to", "Ben")
    assert 'version: "0.1.1"        # the first' in ada.read(PROBE_FILE)
    assert "  # hers" in ada.read(PROBE_FILE)


def test_whoever_asks_about_an_attestation_hears_about_its_node(ada: Clone) -> None:
    ada.says("register", str(ada.draft()))
    signed = PROBE_FILE.replace(".yaml", ".dsse.json")
    assert ada.codes(signed) == []
    ada.write(PROBE_FILE, ada.read(PROBE_FILE) + "# more\n")
    assert ada.codes(signed) == ["P013"]


def test_whoever_asks_about_one_record_hears_about_the_chain(ada: Clone) -> None:
    ada.says("keys", "new", "spare", "--scheme", "ml-dsa-44")
    ada.says("owner", "rotate", ADA, "--add", "spare")
    folder = f"registry/owners/{ada.handle(ADA).removeprefix('GLYMPH:')}"
    second = f"{folder}/0001.dsse.json"
    assert ada.codes(second) == []
    ada.write(f"{folder}/0000.dsse.json", ada.read(f"{folder}/0000.dsse.json") + " ")
    assert ada.codes(second) == ["P007"]


def test_an_owner_with_longer_keys_declares_them(ada: Clone) -> None:
    ada.says("keys", "new", "long", "--scheme", "ml-dsa-87")
    ada.says("owner", "create", "Longview", "--key", "long")
    ada.commit("Longview")
    assert "P021" in ada.refuses("register", str(ada.draft(owner="Longview")), code=1)
    ada.says("register", str(ada.draft(("ml-dsa-44", "ml-dsa-87"), owner="Longview")))
    assert "scheme: ok: ml-dsa-87" in ada.says("verify", PROBE)
