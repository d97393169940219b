"""Every place where the command can stand and should not fall: clear words, the right code, nothing changed."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.conftest import ADAPTER, ADAPTER_FILE, NODESPEC, Checkout, as_mere_owner

if TYPE_CHECKING:
    from pathlib import Path

BOMB = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 9)) for n in range(8)
)


def refused(checkout: Checkout, *arguments: str, code: int, says: str) -> None:
    before = checkout.files()
    done = checkout.run(*arguments)
    assert done.returncode == code, done.stdout + done.stderr
    assert says in done.stdout + done.stderr
    assert checkout.files() == before


def test_a_folder_that_is_no_repository(empty: Checkout) -> None:
    for command in (["validate"], ["query"], ["log", ADAPTER], ["checkpoint", "create"], ["diff", "HEAD"]):
        refused(empty, *command, code=2, says="is not in a Git repository")


def test_a_repository_that_is_no_registry(empty: Checkout) -> None:
    empty.git("init", "-q")
    refused(empty, "validate", code=2, says="holds no registry")
    refused(empty, "fmt", code=2, says="no registry")


def test_a_folder_that_is_not_there(empty: Checkout) -> None:
    refused(empty, "validate", "--repo", "nowhere", code=2, says="nowhere is not a folder")


def test_an_empty_repository(empty: Checkout) -> None:
    empty.git("init", "-q")
    for command in (["validate", "--at", "HEAD"], ["query", "--at", "HEAD"], ["checkpoint", "create"]):
        refused(empty, *command, code=2, says="no commits yet")


def test_an_empty_bare_repository(empty: Checkout) -> None:
    empty.git("init", "-q", "--bare", "bare.git")
    refused(empty, "validate", "--repo", "bare.git", code=2, says="no commits yet")


def test_a_registry_without_git_is_judged_and_asked_but_has_no_commits(example: Checkout) -> None:
    subprocess.run(["rm", "-rf", str(example.path / ".git")], check=True)
    assert example.run("validate").returncode == 0
    assert example.run("query", "--signal", "memory_stored").returncode == 0
    refused(example, "query", "--at", "HEAD", code=2, says="is not in a Git repository")


def test_a_detached_head(example: Checkout) -> None:
    example.commit("second")
    example.git("checkout", "-q", "--detach", "HEAD~1")
    assert example.run("validate", "--at", "HEAD").returncode == 0
    assert example.run("query", "--at", "main").returncode == 0


def test_a_revision_that_is_not_there(example: Checkout) -> None:
    for command in (
        ["validate", "--at", "nope"],
        ["query", "--at", "nope"],
        ["diff", "nope"],
        ["checkpoint", "manifest", "nope"],
    ):
        refused(example, *command, code=2, says='no commit is called "nope"')


@pytest.mark.parametrize("revision", ["", "HEAD:registry", "-x", "--", "HEAD^{tree}", "a" * 5000, "\x1b[31m"])
def test_a_revision_that_is_none(example: Checkout, revision: str) -> None:
    done = example.run("query", f"--at={revision}")
    assert done.returncode == 2
    assert "\x1b" not in done.stderr


def test_a_commit_without_a_registry(empty: Checkout) -> None:
    empty.git("init", "-q")
    empty.write("README", "nothing here")
    empty.commit()
    refused(empty, "validate", "--at", "HEAD", code=4, says="nothing")
    refused(empty, "query", "--at", "HEAD", code=4, says="it holds no registry")
    for command in (("checkpoint", "manifest"), ("checkpoint", "create", "--output", "-")):
        refused(empty, *command, code=2, says="holds no registry")


def test_a_sha256_repository_says_plainly_that_it_is_not_yet_supported(empty: Checkout) -> None:
    empty.git("init", "-q", "--object-format=sha256", "s")
    inside = Checkout(empty.path / "s", empty.environment)
    inside.write("registry/registry.yaml", "schema_version: registry.v1\nregistry_id: s\n")
    inside.commit()
    refused(inside, "validate", "--at", "HEAD", code=3, says="SHA-256 repository, which is not yet supported")


def test_a_symbolic_link_is_a_finding_and_is_never_followed(example: Checkout) -> None:
    secret = example.path.parent / "secret.yaml"
    secret.write_text("password: hunter2\n")
    os.symlink(secret, example.path / "registry/nodes/matriz/link.yaml")
    done = example.run("validate")
    assert (done.returncode, "error[T002]" in done.stdout, "hunter2" in done.stdout) == (1, True, False)
    example.commit("link")
    assert "error[T002]" in example.run("validate", "--at", "HEAD").stdout


def test_a_linked_folder_is_not_walked_into(example: Checkout) -> None:
    os.symlink("memory", example.path / "registry/nodes/matriz/mirror")
    done = example.run("validate", "--format", "json")
    assert done.stdout.count('"T002"') == 1


def test_a_submodule_is_a_finding(example: Checkout) -> None:
    example.git("init", "-q", "registry/nodes/sub")
    assert "error[T002]" in example.run("validate").stdout
    head = example.git("rev-parse", "HEAD")
    example.git("update-index", "--add", "--cacheinfo", f"160000,{head},registry/nodes/matriz/sub")
    example.git("commit", "-q", "-m", "submodule")
    done = example.run("validate", "--at", "HEAD")
    assert "a submodule, another repository" in done.stdout


def test_an_executable_spec_is_a_finding(example: Checkout) -> None:
    (example.path / ADAPTER_FILE).chmod(0o755)
    assert "error[T003]" in example.run("validate").stdout


@pytest.mark.parametrize("target", [ADAPTER_FILE, "registry/nodes/matriz/memory", "registry/registry.yaml"])
def test_what_cannot_be_read_is_a_finding_and_the_rest_is_judged(example: Checkout, target: str) -> None:
    mode = (example.path / target).stat().st_mode
    (example.path / target).chmod(0)
    done = subprocess.run([*as_mere_owner(), NODESPEC, "validate"], cwd=example.path, capture_output=True, text=True)
    (example.path / target).chmod(mode)
    assert done.returncode == 1, done.stderr
    assert "error[T009]" in done.stdout
    assert target in done.stdout
    assert "Traceback" not in done.stderr


def test_a_named_pipe_does_not_hang(example: Checkout) -> None:
    os.mkfifo(example.path / "registry/nodes/matriz/pipe.yaml")
    assert "neither a file nor a folder" in example.run("validate").stdout


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (BOMB, "F011"),
        (b"a: " + b"[" * 10_000, "F014"),
        (b"a: " + b"{a: " * 10_000, "F014"),
        (b"- " * 30_000, "F014"),
        (b"x" * 5_000_000, "F001"),
        (b"a: \xff\xfe", "F002"),
        (b"a: \x00", "F005"),
        (b"a: !!python/object/apply:os.system ['touch pwned']", "F012"),
        (b"a: \xe2\x80\xae", "F006"),
        (b"", "F008"),
    ],
    ids=["alias bomb", "brackets", "braces", "dashes", "5 MB", "not UTF-8", "NUL", "python object", "bidi", "empty"],
)
def test_hostile_text_is_refused_with_a_finding(example: Checkout, data: bytes, code: str) -> None:
    path = "registry/nodes/matriz/hostile.yaml"
    example.write(path, data)
    done = example.run("validate", path)
    assert done.returncode == 1
    assert f"error[{code}]" in done.stdout
    assert len(done.stdout) < 20_000
    assert not (example.path / "pwned").exists()
    assert example.run("validate", "-", stdin=data).returncode == 1
    example.commit("hostile")
    assert f"error[{code}]" in example.run("validate", "--at", "HEAD").stdout
    assert example.run("query").returncode == 3


def test_hostile_text_is_refused_in_bounded_memory(example: Checkout) -> None:
    example.write("registry/nodes/matriz/hostile.yaml", b"x" * 200_000_000)
    command = f"ulimit -v 1000000; exec {NODESPEC} validate registry/nodes/matriz/hostile.yaml"
    done = subprocess.run(["bash", "-c", command], cwd=example.path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "error[F001]" in done.stdout


def test_a_crash_reads_not_judged_and_shows_no_traceback(example: Checkout) -> None:
    imports = "import nodespec.cli as c, nodespec.verdict_cache as v; "
    program = imports + "v.judge_anew = lambda *a, **k: 1 // 0; c.main(['validate'])"
    python = NODESPEC.with_name("python")
    done = subprocess.run([python, "-c", program], cwd=example.path, capture_output=True, text=True)
    assert done.returncode == 3
    assert "internal error: ZeroDivisionError" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_full_disk_leaves_the_file_as_it_was(example: Checkout) -> None:
    example.replace(ADAPTER_FILE, 'created_at: "2025-06-11"', "created_at: 2025-06-11")
    before = example.files()
    command = f"ulimit -f 0; trap '' XFSZ; {NODESPEC} fmt"
    done = subprocess.run(["bash", "-c", command], cwd=example.path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert example.files() == before


def test_another_user_s_repository_is_not_opened(example: Checkout, tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to give a folder away")
    subprocess.run(["chown", "-R", "65534", str(example.path)], check=True)
    done = example.run("query", "--at", "HEAD", HOME=str(tmp_path))
    assert done.returncode == 2
    assert "safe.directory" in done.stderr


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_crash(example: Checkout, closed: str) -> None:
    done = subprocess.run(["bash", "-c", f"{NODESPEC} validate {closed}"], cwd=example.path, capture_output=True)
    assert done.returncode == 0
    assert b"Traceback" not in done.stderr


def test_folders_without_end_are_a_finding(example: Checkout) -> None:
    here = os.getcwd()
    os.chdir(example.path / "registry" / "nodes")
    try:
        for _ in range(1400):
            os.mkdir("d")
            os.chdir("d")
    finally:
        os.chdir(here)
    done = example.run("validate")
    assert done.returncode == 1
    assert "error[T009]" in done.stdout
    subprocess.run(["rm", "-rf", str(example.path / "registry" / "nodes" / "d")], check=True)


def test_a_passphrase_of_any_length_is_no_crash(example: Checkout, tmp_path: Path) -> None:
    (tmp_path / "long").write_text("x" * 5000)
    refused(example, "keys", "new", code=0, says="ml-dsa-44")
    done = example.run("keys", "new", "other", NODESPEC_PASSPHRASE_FILE=str(tmp_path / "long"))
    assert done.returncode == 2
    assert "more than 1023 bytes" in done.stderr


def test_a_contract_that_is_missing_from_the_repository_is_not_taken_for_ours(example: Checkout) -> None:
    """Its id says what it would hold; that it is there is something else."""
    oid = example.git("rev-parse", "HEAD:schemas/nodespec.v1.schema.json")
    (example.path / ".git" / "objects" / oid[:2] / oid[2:]).unlink()
    for more in ((), ("--no-index",)):
        done = example.run("validate", "--at", "HEAD", *more)
        assert done.returncode == 1
        assert "error[T009]" in done.stdout
        assert "nodespec.v1.schema.json" in done.stdout
