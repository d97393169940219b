"""The index: the same answers as without it, whatever happens to the file, and work that grows with the change."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from benchmarks.generate import generate
from benchmarks.population import Population
from nodespec import Registry, difference, document, graph, history
from nodespec.cli import cli
from nodespec.encoding import printable
from nodespec.index import facts, file_states, rows, work_trees
from nodespec.tree import node_id
from nodespec.worktree import WorkTree
from tests.conftest import ADAPTER, ADAPTER_FILE, KILLED, Checkout, as_mere_owner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

INDEX = ".git/nodespec/index.sqlite3"


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry of 300 nodes with 40 commits."""
    folder = tmp_path_factory.mktemp("grown") / "registry"
    generate(folder, Population(seed=11, nodes=300, types=12), 40)
    return folder


@pytest.fixture
def copy(grown: Path, tmp_path: Path, home: dict[str, str]) -> Checkout:
    shutil.copytree(grown, tmp_path / "registry", symlinks=True)
    return Checkout(tmp_path / "registry", home)


def told(notices: list[str]) -> Callable[[str], None]:
    return notices.append


# The same answers.


def questions(rng: random.Random, registry: Registry) -> Iterator[dict[str, Any]]:
    """Yield filters without end, most of which something fulfils."""
    nodes = list(registry.at("HEAD"))
    while True:
        node, other = rng.choice(nodes), rng.choice(nodes)
        signals = sorted(node.signals | other.signals) or ["no_such_signal"]
        allowed = [*node.allow, *other.allow, "memory:none/*"]
        capability = rng.choice(allowed)
        possible: dict[str, Any] = {
            "signal": rng.choice(signals),
            "emits": tuple(emit.name for emit in node.emits[: rng.randint(0, 2)]),
            "subscribes": rng.choice([item.signal for item in other.subscribes] or ["no_such_signal"]),
            "capability": rng.choice([capability, capability.partition(":")[2], capability.partition("/")[0] + "/*"]),
            "role": rng.choice([*node.roles, "nobody"]),
            "owner": node.owner[: rng.choice([15, 20, 71])],
            "lane": node.lane,
            "tier": rng.choice([str(node.tier), f">={node.tier}", f"<={node.tier}", "2..5"]),
            "type": rng.choice([node.node_type, node.node_type.rpartition(".")[0] + ".*", "*"]),
            "text": rng.choice([node.name[:4].upper(), node.description[:9] or "x", node.roles[0], "é"]),
        }
        yield {name: possible[name] for name in rng.sample(sorted(possible), rng.choice([1, 1, 1, 2, 2, 3]))}


def test_hundreds_of_random_questions_have_the_same_answer_both_ways_at_several_commits(copy: Checkout) -> None:
    rng = random.Random(5)
    with_index, without = Registry.open(copy.path), Registry.open(copy.path, index=False)
    asked = questions(rng, without)
    counts = []
    for revision in ("HEAD", None, "HEAD~39", "HEAD~7", "HEAD~20", "HEAD~1", "HEAD"):
        mine, plain = with_index.at(revision), without.at(revision)
        assert list(mine) == list(plain)
        assert mine.unreadable == plain.unreadable
        assert mine.signals == plain.signals
        for _ in range(60):
            question = next(asked)
            expected = plain.query(**question)
            assert mine.query(**question) == expected, question
            counts.append(len(expected))
    assert sum(map(bool, counts)) > len(counts) / 2, "most questions have an answer"
    assert sum(count < 100 for count in counts) > len(counts) * 0.8, "and few are about everything"


def test_whom_a_node_hears_and_who_hears_it_is_the_same_both_ways(copy: Checkout) -> None:
    mine, plain = Registry.open(copy.path).at("HEAD"), Registry.open(copy.path, index=False).at("HEAD")
    whole = graph.of(plain)
    for node in plain:
        assert mine.touching(node) == plain.touching(node)
        assert graph.around(graph.of(mine.touching(node)), node.id) == graph.around(whole, node.id)


def test_a_work_tree_is_followed_through_every_kind_of_change(copy: Checkout) -> None:
    """Edits in place, of the same length, back and forth; new files, moved files, broken ones, deletions, checkouts."""
    rng = random.Random(6)
    paths = sorted(path.relative_to(copy.path).as_posix() for path in copy.path.glob("registry/nodes/**/*.yaml"))

    def edit() -> None:
        path = rng.choice(paths)
        if (copy.path / path).exists():
            copy.write(path, copy.read(path).replace("tier: 1", "tier: 2").replace("lane: core", "lane: products"))

    def back() -> None:
        copy.git("checkout", "-q", "--", rng.choice(paths))

    def delete() -> None:
        (copy.path / rng.choice(paths)).unlink(missing_ok=True)

    def move() -> None:
        path = copy.path / rng.choice(paths)
        if path.exists():
            path.rename(path.with_name("moved.yaml"))

    def damage() -> None:
        copy.write(rng.choice(paths), "broken: [")

    def commit() -> None:
        copy.commit("change")

    def stand_elsewhere() -> None:
        copy.git("checkout", "-q", "-f", rng.choice(["main", "main~3", "main~9"]))

    for _ in range(60):
        rng.choice([edit, edit, edit, back, back, delete, move, damage, commit, stand_elsewhere])()
        mine, plain = Registry.open(copy.path).at(), Registry.open(copy.path, index=False).at()
        assert list(mine) == list(plain)
        assert mine.unreadable == plain.unreadable
        assert list(Registry.open(copy.path).at("HEAD")) == list(Registry.open(copy.path, index=False).at("HEAD"))


def test_folders_are_looked_at_alike_by_one_process_and_by_several(
    copy: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = WorkTree(str(copy.path))
    copy.write("registry/nodes/lab/deep/deeper/deepest/a.yaml", "x")
    copy.write("registry/nodes/top.yaml", "x")
    alone = file_states.digests(tree, "registry/nodes", expected=0)
    monkeypatch.setattr(file_states, "check_jobs", lambda _: 3)
    assert file_states.digests(tree, "registry/nodes", expected=1000) == alone
    assert len(alone) > 12
    copy.write("registry/nodes/lab/deep/deeper/deepest/a.yaml", "xy")
    changed = file_states.digests(tree, "registry/nodes", expected=1000)
    assert [path for path in alone if alone[path] != changed[path]] == ["registry/nodes/lab/deep/deeper/deepest"]
    (copy.path / "registry/nodes/lab/deep/deeper").rename(copy.path / "registry/nodes/lab/deep/link")
    (copy.path / "registry/nodes/lab/deep/link/deepest").chmod(0)
    try:
        if os.geteuid() != 0:
            with pytest.raises(OSError, match=r"failed|denied"):
                file_states.digests(tree, "registry/nodes", expected=1000)
    finally:
        (copy.path / "registry/nodes/lab/deep/link/deepest").chmod(0o755)


def test_a_change_of_the_same_size_at_the_same_time_is_seen(copy: Checkout) -> None:
    """The times of a young file cannot tell, so it is read again ("racy git")."""
    path = "registry/nodes/lab/twin/one.yaml"
    text = next(copy.path.glob("registry/nodes/**/*.yaml")).read_text(encoding="utf-8")
    stamp = (copy.path / "registry").stat().st_mtime_ns
    for content in (text, text.replace("tier", "reit"), text):
        copy.write(path, content)
        os.utime(copy.path / path, ns=(stamp, stamp))
        mine, plain = Registry.open(copy.path).at(), Registry.open(copy.path, index=False).at()
        assert mine.unreadable == plain.unreadable
        assert list(mine) == list(plain)


@pytest.mark.parametrize(
    "odd",
    [
        lambda folder: (folder / "registry/nodes/link.yaml").symlink_to("x"),
        lambda folder: (folder / "registry/nodes/notes.txt").write_text("x"),
        lambda folder: (folder / "registry/nodes/inner/.git").mkdir(parents=True),
        lambda folder: (folder / "registry/nodes/large.yaml").write_text("x" * 70_000),
        lambda folder: (
            (folder / "registry/nodes").rename(folder / "elsewhere"),
            (folder / "registry/nodes").symlink_to("../elsewhere"),
        ),
        lambda folder: shutil.rmtree(folder / "registry/nodes"),
    ],
    ids=["link", "stray", "repository", "large", "linked folder", "nothing"],
)
def test_what_is_odd_is_told_as_without_the_index(copy: Checkout, odd: Callable[[Path], object]) -> None:
    for turn in range(2):
        if turn:
            odd(copy.path)
        mine, plain = Registry.open(copy.path).at(), Registry.open(copy.path, index=False).at()
        assert mine.unreadable == plain.unreadable
        assert list(mine) == list(plain)
    copy.git("add", "-A")
    copy.commit("odd")
    mine, plain = Registry.open(copy.path).at("HEAD"), Registry.open(copy.path, index=False).at("HEAD")
    assert mine.unreadable == plain.unreadable
    assert list(mine) == list(plain)


def nul(folder: Path) -> None:
    with open(os.fsencode(folder / "registry/nodes") + b"/\xff.yaml", "wb") as file:
        file.write(b"x: 1\n")


def hidden(folder: Path) -> None:
    spec = next(folder.glob("registry/nodes/**/*.yaml"))
    (folder / "registry/nodes/y.dsse.json").mkdir()
    shutil.copy(spec, folder / "registry/nodes/y.dsse.json/z.yaml")


@pytest.mark.parametrize(
    "odd",
    [
        nul,
        hidden,
        lambda folder: os.mkdir(os.fsencode(folder / "registry/nodes") + b"/\xff"),
        lambda folder: (folder / "registry/nodes/x.dsse.json").symlink_to("/etc/passwd"),
        lambda folder: (folder / "registry/nodes/.git").mkdir(),
        lambda folder: os.mkfifo(folder / "registry/nodes/pipe.dsse.json"),
        lambda folder: (folder / ".git/commondir").write_bytes(b"\xff"),
    ],
    ids=["name", "folder of an attestation's name", "folder's name", "link", "repository", "pipe", "commondir"],
)
def test_nothing_odd_hides_behind_the_index(copy: Checkout, odd: Callable[[Path], object]) -> None:
    copy.run("query")
    odd(copy.path)
    done, plain = copy.run("query", "--format", "json"), copy.run("query", "--format", "json", "--no-index")
    told = [line for line in done.stderr.splitlines(keepends=True) if "without the index" not in line]
    assert (done.returncode, done.stdout, "".join(told)) == (plain.returncode, plain.stdout, plain.stderr)


def test_what_git_cannot_tell_is_asked_of_the_files(copy: Checkout, tmp_path: Path) -> None:
    """SHA-256, a registry below the top, one whose objects are gone: the work tree answers all the same."""
    wanted = copy.run("query", "--no-index", "--format", "ids").stdout
    for name, options in (("new", ["--object-format=sha256"]), ("below", [])):
        folder = tmp_path / name
        shutil.copytree(copy.path, folder / "inner", ignore=shutil.ignore_patterns(".git"))
        top = folder / "inner" if name == "new" else folder
        subprocess.run(["git", "init", "-q", *options, str(top)], check=True)
        inner = Checkout(folder / "inner", copy.environment)
        inner.commit("everything")
        for arguments in (("query", "--format", "ids"), ("stats", "--format", "json")):
            assert inner.run(*arguments).returncode == 0
        assert inner.run("query", "--format", "ids").stdout == wanted
        assert json.loads(inner.run("stats", "--format", "json").stdout)["churn"] is None
    objects = copy.git("rev-parse", "HEAD^{tree}").strip()
    shutil.rmtree(copy.path / ".git/objects")
    (copy.path / ".git/objects").mkdir()
    assert objects
    assert copy.run("query", "--format", "ids").stdout == wanted


def test_a_snapshot_stays_what_it_was_whatever_becomes_of_the_index(copy: Checkout) -> None:
    registry, plain = Registry.open(copy.path), Registry.open(copy.path, index=False)
    first = registry.at("HEAD")
    wanted = first.query()
    copy.git("checkout", "-q", "HEAD~9")
    assert registry.at("HEAD").query() == plain.at("HEAD").query()
    assert first.query() == wanted
    copy.git("checkout", "-q", "main")
    snapshots = [registry.at(f"main~{back}") for back in range(39)]
    for _ in range(2):
        for back, snapshot in enumerate(snapshots):
            assert snapshot.query() == plain.at(f"main~{back}").query()


def test_a_difference_to_a_branch_that_was_looked_at_before_is_right(copy: Checkout) -> None:
    copy.git("checkout", "-q", "-b", "feature", "HEAD~10")
    copy.run("query", "--at", "HEAD")
    copy.git("checkout", "-q", "main")
    for arguments in (("HEAD~3", "feature"), ("feature", "HEAD~3"), ("feature",)):
        done = copy.run("diff", *arguments)
        assert done.stdout == copy.run("diff", *arguments, "--no-index").stdout


def test_a_commit_without_nodes_is_a_tree_like_any_other(copy: Checkout) -> None:
    shutil.rmtree(copy.path / "registry/nodes")
    copy.commit("none")
    for arguments in (("HEAD~1", "HEAD"), ("HEAD", "HEAD~1"), ("HEAD~1", "HEAD"), ("HEAD",)):
        done, plain = copy.run("diff", *arguments), copy.run("diff", *arguments, "--no-index")
        assert (done.returncode, done.stdout) == (plain.returncode, plain.stdout)


def test_what_is_replaced_is_replaced_for_nobody(copy: Checkout) -> None:
    for back in range(6):
        copy.run("query", "--at", copy.git("rev-parse", f"HEAD~{back}").strip())
    copy.git("replace", "HEAD~1", "HEAD~5")
    for back in range(4):
        done = copy.run("query", "--at", f"HEAD~{back}", "--format", "json")
        assert done.stdout == copy.run("query", "--at", f"HEAD~{back}", "--format", "json", "--no-index").stdout


def test_the_settings_that_others_rely_on_never_come_from_the_index(example: Checkout) -> None:
    """A poisoned index can mislead who asks, and nobody who verifies."""
    assert Registry.open(example.path).at("HEAD").example == "matriz.example"
    lie = facts.pack({"schema_version": "registry.v1", "registry_id": "someone.else"})
    with sqlite3.connect(example.path / INDEX) as database:
        database.execute("UPDATE document SET value = ?", (lie,))
    assert Registry.open(example.path).at("HEAD").example == ""
    assert Registry.open(example.path).at("HEAD").settings.registry_id == "matriz.example"
    assert example.run("verify", "--at", "HEAD", "--quiet").returncode == 0
    assert example.run("validate", "--at", "HEAD").returncode == 0


# Where it is.


def test_it_is_in_the_git_folder_of_every_kind_of_repository(copy: Checkout, tmp_path: Path) -> None:
    wanted = copy.run("query", "--format", "ids").stdout
    assert (copy.path / INDEX).exists()
    copy.git("worktree", "add", "-q", str(tmp_path / "linked"), "HEAD~5")
    linked = Checkout(tmp_path / "linked", copy.environment)
    linked.run("query")
    assert not (tmp_path / "linked" / ".git" / "nodespec").exists()
    with sqlite3.connect(copy.path / INDEX) as database:
        names = [name for (name,) in database.execute("SELECT name FROM tree")]
    assert f"work tree {tmp_path / 'linked'}" in names
    copy.git("clone", "-q", "--bare", str(copy.path), str(tmp_path / "bare.git"))
    bare = Checkout(tmp_path / "bare.git", copy.environment)
    assert bare.run("query", "--format", "ids").stdout == wanted
    assert (tmp_path / "bare.git" / "nodespec" / "index.sqlite3").exists()


def test_it_may_be_elsewhere_or_nowhere(copy: Checkout, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere" / "own.sqlite3"
    copy.run("query", "--no-index")
    assert not (copy.path / INDEX).exists()
    copy.run("query", "--index", str(other))
    assert other.exists()
    copy.run("query", NODESPEC_INDEX=str(tmp_path / "named.sqlite3"))
    assert (tmp_path / "named.sqlite3").exists()
    assert not (copy.path / INDEX).exists()


def test_a_file_that_is_something_else_is_never_overwritten(copy: Checkout, tmp_path: Path) -> None:
    other = tmp_path / "mine.sqlite3"
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE mine(x)")
    for path in (copy.path / "registry/registry.yaml", other):
        before = path.read_bytes()
        done = copy.run("query", "--index", str(path))
        assert done.returncode == 2
        assert "will not be overwritten" in done.stderr or "among the files of the registry" in done.stderr
        assert path.read_bytes() == before


# What happens to the file.


def damaged(data: bytes) -> dict[str, bytes]:
    rng = random.Random(1)
    scattered = bytearray(data)
    for _ in range(2000):
        scattered[rng.randrange(100, len(data))] = rng.randrange(256)
    return {
        "nothing": b"",
        "rubbish": b"rubbish" * 1000,
        "cut short": data[: len(data) // 3],
        "one page": data[:4096],
        "scattered": bytes(scattered),
        "zeros": data[:8192] + bytes(len(data) - 8192),
    }


def test_an_index_that_was_cut_to_nothing_is_made_anew_with_a_notice(copy: Checkout) -> None:
    """An empty one is a new one, where it is young: another process has begun it."""
    plain = copy.run("query", "--format", "ids").stdout
    for length, age, told in ((1, 0, True), (0, 60, True), (0, 0, False)):
        (copy.path / INDEX).write_bytes(b"S" * length)
        os.utime(copy.path / INDEX, (time.time() - age,) * 2)
        done = copy.run("query", "--format", "ids")
        assert done.stdout == plain
        assert ("the index was damaged (it was cut short), and is made anew" in done.stderr) == told
        assert done.stderr.count("\n") == told


@pytest.mark.parametrize("how", sorted(damaged(bytes(10_000))))
def test_a_damaged_file_is_made_anew_with_one_line_of_notice(copy: Checkout, how: str) -> None:
    plain = copy.run("query", "--no-index", "--format", "json").stdout
    copy.run("query")
    data = (copy.path / INDEX).read_bytes()
    (copy.path / INDEX).write_bytes(damaged(data)[how])
    done = copy.run("query", "--format", "json")
    assert done.stdout == plain
    assert done.stderr.count("\n") <= 1
    assert "damaged" in done.stderr or how == "nothing"
    again = copy.run("query", "--format", "json")
    assert (again.stdout, again.stderr) == (plain, "")


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE permit",
        "DELETE FROM tree",
        "UPDATE fact SET value = x'789c8b8e05000116008b'",
        "UPDATE document SET value = x'789c8b8e05000116008b'",
        "UPDATE folder SET files = 'rubbish', state = NULL",
    ],
)
def test_contents_that_make_no_sense_are_thrown_away(copy: Checkout, statement: str) -> None:
    asked = ("query", "--capability", "memory:*", "--format", "json")
    plain = copy.run(*asked, "--no-index")
    copy.run(*asked)
    with sqlite3.connect(copy.path / INDEX) as database:
        database.execute(statement)
    for _ in range(2):
        done = copy.run(*asked)
        assert (done.returncode, done.stdout) == (plain.returncode, plain.stdout)
        assert "internal error" not in done.stderr
    assert copy.run(*asked).stderr == plain.stderr


def test_no_other_file_is_taken_for_an_index(copy: Checkout, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "note").write_bytes(b"SQL")
    for path in (tmp_path / "pipe", tmp_path / "note", tmp_path, "/dev/null", "registry/nodes/new.yaml"):
        for command in (("query",), ("show", "lab/none"), ("stats",)):
            done = copy.run(*command, "--index", str(path))
            assert done.returncode == 2, (path, command)
            assert "index" in done.stderr
    assert not (copy.path / "registry/nodes/new.yaml").exists()
    assert (tmp_path / "note").read_bytes() == b"SQL"


@pytest.mark.parametrize("length", [0, 16, 71])
def test_what_a_killed_writer_has_begun_where_it_was_told_to_is_gone_on_with(
    copy: Checkout, tmp_path: Path, length: int
) -> None:
    place = tmp_path / "named.sqlite3"
    plain = copy.run("query", "--format", "ids", "--index", str(place))
    place.write_bytes(place.read_bytes()[:length])
    for turn in range(2):
        done = copy.run("query", "--format", "ids", "--index", str(place))
        assert (done.returncode, done.stdout) == (0, plain.stdout)
        assert ("the index was damaged" in done.stderr) == (turn == 0 and length > 0)
    assert place.stat().st_size > 4096


@pytest.mark.parametrize(
    "command", [("validate", "--at", "HEAD", "--ignore", "P"), ("gate", "--base", "HEAD~1", "--head", "HEAD")]
)
def test_a_pipe_in_the_place_of_the_roster_holds_nobody_up(copy: Checkout, command: tuple[str, ...]) -> None:
    copy.run("validate", "--at", "HEAD", "--ignore", "P")
    roster = copy.path / f"{INDEX}.roster"
    roster.unlink()
    spec = next(
        path for path in sorted((copy.path / "registry/nodes").rglob("*.yaml")) if "signal:" in path.read_text()
    )
    text = spec.read_text(encoding="utf-8").replace(f"  name: {spec.stem}\n", f"  name: {spec.stem}_too\n", 1)
    spec.with_stem(f"{spec.stem}_too").write_text(text, encoding="utf-8")
    copy.commit("one more")
    os.mkfifo(roster)
    assert copy.run(*command).returncode == copy.run(*command, "--no-index").returncode


def test_a_pipe_in_the_place_of_the_index_holds_nobody_up(copy: Checkout) -> None:
    wanted = copy.run("query", "--format", "ids").stdout
    (copy.path / INDEX).unlink()
    os.mkfifo(copy.path / INDEX)
    done = copy.run("query", "--format", "ids")
    assert (done.stdout, done.returncode) == (wanted, 0)
    assert "cannot be used (it is no plain file); working without a file" in done.stderr


def test_a_database_of_somebody_else_in_the_place_of_the_index_is_not_taken_in_silence(copy: Checkout) -> None:
    wanted = copy.run("query", "--format", "ids").stdout
    (copy.path / INDEX).unlink()
    with closing(sqlite3.connect(copy.path / INDEX)) as database:
        database.execute("CREATE TABLE precious(x)")
    done = copy.run("query", "--format", "ids")
    assert (done.stdout, len(done.stderr.splitlines())) == (wanted, 1)
    assert "was no index of nodespec, and is made anew" in done.stderr
    assert copy.run("query", "--format", "ids").stderr == ""


def test_an_index_of_another_rule_set_is_made_anew(copy: Checkout) -> None:
    plain = copy.run("query", "--format", "ids").stdout
    with sqlite3.connect(copy.path / INDEX) as database:
        database.execute("UPDATE meta SET value = 'of yesterday'")
        database.execute("UPDATE fact SET node_type = 'wrong', lane = 'wrong'")
    done = copy.run("query", "--format", "ids")
    assert (done.stdout, done.stderr) == (plain, "")


def test_a_folder_that_cannot_be_written_is_no_hindrance(copy: Checkout) -> None:
    wanted = copy.run("query", "--format", "ids").stdout
    shutil.rmtree(copy.path / ".git" / "nodespec")
    (copy.path / ".git").chmod(0o555)
    try:
        command = [*as_mere_owner(), sys.executable, "-m", "nodespec", "query", "--format", "ids", "--at", "HEAD"]
        done = subprocess.run(command, cwd=copy.path, env=copy.environment, capture_output=True, text=True, check=False)
    finally:
        (copy.path / ".git").chmod(0o755)
    assert done.stdout == wanted
    assert "working without a file" in done.stderr


@pytest.mark.parametrize("log", ["-wal", "-journal"])
def test_an_index_that_cannot_be_written_and_has_a_log_is_not_believed(copy: Checkout, log: str) -> None:
    wanted = copy.run("query", "--format", "ids", "--at", "HEAD").stdout
    folder = copy.path / ".git" / "nodespec"
    (copy.path / f"{INDEX}{log}").write_bytes(b"half a page")
    folder.chmod(0o555)
    (copy.path / INDEX).chmod(0o444)
    try:
        command = [*as_mere_owner(), sys.executable, "-m", "nodespec", "query", "--format", "ids", "--at", "HEAD"]
        done = subprocess.run(command, cwd=copy.path, env=copy.environment, capture_output=True, text=True, check=False)
    finally:
        folder.chmod(0o755)
    assert done.stdout == wanted
    assert "working without a file" in done.stderr


def test_an_index_that_cannot_be_written_is_read(copy: Checkout) -> None:
    wanted = copy.run("query", "--format", "ids", "--at", "HEAD").stdout
    folder = copy.path / ".git" / "nodespec"
    counting = "import sys\nfrom nodespec.index import facts\nfrom nodespec.__main__ import run\n"
    counting += "facts.learn_all = lambda *_: sys.exit('read again')\nrun()"
    folder.chmod(0o555)
    (copy.path / INDEX).chmod(0o444)
    try:
        command = [*as_mere_owner(), sys.executable, "-c", counting, "query", "--format", "ids", "--at", "HEAD"]
        done = subprocess.run(command, cwd=copy.path, env=copy.environment, capture_output=True, text=True, check=False)
    finally:
        folder.chmod(0o755)
    assert done.stdout == wanted
    assert "working on a copy of it in memory" in done.stderr


def test_a_full_disk_is_no_hindrance(copy: Checkout) -> None:
    """The file may grow by a few pages and no more."""
    notices: list[str] = []
    registry = Registry.open(copy.path, notice=told(notices))
    store = registry.store  # the limit is set where the disk would be
    assert store is not None
    with store.using() as database:
        database.execute("PRAGMA max_page_count = 30")
    assert list(registry.at("HEAD")) == list(Registry.open(copy.path, index=False).at("HEAD"))
    assert len(notices) == 1
    assert "full" in notices[0]
    assert list(Registry.open(copy.path).at("HEAD")) == list(Registry.open(copy.path, index=False).at("HEAD"))


def test_a_writer_that_is_killed_at_any_statement_leaves_an_index_that_answers_right(copy: Checkout) -> None:
    plain = {at: copy.run("query", "--no-index", "--format", "ids", *at).stdout for at in ((), ("--at", "HEAD~9"))}
    killed = 0
    for moment in (1, 2, 5, 20, 200, 700, 900, 1100, 1300, 2000, 3000):
        shutil.rmtree(copy.path / ".git" / "nodespec", ignore_errors=True)
        command = [sys.executable, "-c", KILLED, str(moment), "query", "--format", "ids"]
        done = subprocess.run(command, cwd=copy.path, env=copy.environment, capture_output=True, check=False)
        killed += done.returncode == -9
        for at, wanted in plain.items():
            found = copy.run("query", "--format", "ids", *at)
            assert (found.stdout, found.stderr) == (wanted, ""), moment
    assert killed >= 6


def test_many_readers_and_writers_at_once_all_answer_right(copy: Checkout) -> None:
    places = [(), ("--at", "HEAD"), ("--at", "HEAD~3"), ("--at", "HEAD~12"), ("--at", "HEAD~30"), ("--at", "HEAD~3")]
    plain = {at: copy.run("query", "--no-index", "--format", "ids", *at).stdout for at in places}
    command = [sys.executable, "-m", "nodespec", "query", "--format", "ids"]
    running = [
        (
            at,
            subprocess.Popen(
                [*command, *at],
                cwd=copy.path,
                env=copy.environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            ),
        )
        for at in places * 3
    ]
    for at, process in running:
        out, err = process.communicate(timeout=120)
        assert (out, err) == (plain[at], ""), at
    assert (copy.path / INDEX).exists(), "nobody took a lost race for damage"


# The work that is done.


class Counted:
    """A registry whose files read, folders read and SQL statements are counted."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.parsed: list[str] = []
        self.trees: list[str] = []
        self.statements: list[str] = []
        original = facts.learn

        def learn(tree: Any, entry: Any) -> Any:
            self.parsed.append(entry.path)
            return original(tree, entry)

        monkeypatch.setattr(facts, "learn", learn)
        from nodespec.commit import CommitTree

        read = CommitTree._read_object  # where a folder's object is read

        def read_object(tree: CommitTree, oid: str, kind: Any) -> bytes:
            self.trees.append(oid)
            return read(tree, oid, kind)

        monkeypatch.setattr(CommitTree, "_read_object", read_object)
        self.path = path
        connect = sqlite3.connect

        def connected(*arguments: Any, **options: Any) -> sqlite3.Connection:
            database = connect(*arguments, **options)
            database.set_trace_callback(self.statements.append)
            return database

        monkeypatch.setattr(sqlite3, "connect", connected)

    def run(self, command: str) -> tuple[int, int, int]:
        """Run a command that finds something; return how many blobs, folders and statements it took."""
        self.parsed.clear(), self.trees.clear(), self.statements.clear()
        done = CliRunner().invoke(cli, [*command.split(), "--repo", str(self.path)])
        assert (done.exit_code, bool(done.stdout)) == (0, True), done.output
        return len(self.parsed), len(self.trees), len(self.statements)

    def ask(self, revision: str | None) -> tuple[int, int, int]:
        """Ask one question in a registry opened anew; return how many blobs, folders and statements it took."""
        self.parsed.clear(), self.trees.clear(), self.statements.clear()
        registry = Registry.open(self.path)
        store = registry.store  # to listen to it
        assert store is not None
        self.statements.clear()  # what opening it took
        assert registry.at(revision).query(signal="no_such_signal") == ()
        store.close()
        return len(self.parsed), len(self.trees), len(self.statements)


def test_a_base_that_git_has_forgotten_is_no_reason_to_read_everything_for_ever(
    copy: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit that the index begins with was amended, and its folders are pruned."""
    work = Counted(copy.path, monkeypatch)
    spec = next(copy.path.glob("registry/nodes/**/*.yaml"))
    for number in range(3):
        spec.write_text(f"{spec.read_text(encoding='utf-8')}# {number}\n", encoding="utf-8")
        copy.commit(f"number {number}")
        work.ask("HEAD")
        copy.git("commit", "-q", "--amend", "-m", "amended", "-a", "--allow-empty")
        spec.write_text(f"{spec.read_text(encoding='utf-8')}# amended\n", encoding="utf-8")
        copy.git("commit", "-q", "-a", "--amend", "-m", "amended")
        copy.git("reflog", "expire", "--expire=now", "--all")
        copy.git("gc", "-q", "--prune=now")
        assert work.ask("HEAD")[0] == 1, "the one file that was amended"
        assert work.ask("HEAD")[:2] == (0, 2)


def test_an_index_that_two_repositories_share_serves_both(
    copy: Checkout, tmp_path: Path, home: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    generate(tmp_path / "other", Population(seed=9, nodes=30, types=3), 2)
    other = Checkout(tmp_path / "other", home)
    place = str(tmp_path / "shared.sqlite3")
    plain = [one.run("query", "--at", "HEAD", "--no-index").stdout for one in (copy, other)]
    for _ in range(2):
        for one, wanted in zip((copy, other), plain, strict=True):
            done = one.run("query", "--at", "HEAD", "--index", place)
            assert (done.stdout, done.stderr) == (wanted, "")
    parsed: list[object] = []
    learn = facts.learn
    monkeypatch.setattr(facts, "learn", lambda tree, entry: parsed.append(entry) or learn(tree, entry))
    for one in (copy, other):
        with Registry.open(one.path, index=place) as registry:
            assert registry.at("HEAD").query(signal="no_such_signal") == ()
    assert parsed == [], "what it knows of blobs it knows of both"


@pytest.mark.parametrize("nodes", [50, 800])
def test_a_commit_of_one_file_costs_one_blob_whatever_the_size(
    tmp_path: Path, home: dict[str, str], nodes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate(tmp_path / "registry", Population(seed=3, nodes=nodes, types=8), 12)
    registry = Checkout(tmp_path / "registry", home)
    work = Counted(registry.path, monkeypatch)
    blobs, _, _ = work.ask("HEAD")
    assert blobs == len(set(registry.git("ls-tree", "-r", "--object-only", "HEAD", "registry/nodes").split()))
    assert work.ask("HEAD")[:2] == (0, 2), "the folders above nodes, to know that they are as they were"

    path = next(registry.path.glob("registry/nodes/**/*.yaml")).relative_to(registry.path).as_posix()
    depth = path.count("/") + 1
    registry.replace(path, "schema_version: nodespec.v1", "schema_version:   nodespec.v1")
    registry.commit("one file")
    blobs, trees, statements = work.ask("HEAD")
    assert blobs == 1
    assert trees <= 3 * depth + 8, "the folders on the way to the file, in both commits, and those above nodes"
    assert statements <= 60

    changed = registry.git("diff", "--name-only", "--diff-filter=DM", "HEAD~5", "HEAD~1", "registry/nodes").split()
    assert work.ask("HEAD~5")[0] == len(changed), "what was changed since, and nothing else"
    blobs, trees, statements = work.ask("HEAD~5")
    assert (blobs, trees) == (0, 2), "the second time only the folders above nodes"
    assert statements <= 8
    monkeypatch.setattr(work_trees, "RACY_NS", 0)  # as though two seconds had passed
    work.ask(None)
    blobs, trees, statements = work.ask(None)
    assert (blobs, trees) == (0, 0)
    assert statements <= 8


DAILY = {
    "query --at HEAD --lane core": (0, 2, 30),
    "query --at HEAD --signal {signal}": (0, 2, 30),
    "show --at HEAD {node}": (0, 6, 30),
    "stats --at HEAD": (0, 60, 45),
    "graph --at HEAD": (0, 2, 30),
    "diff HEAD~1 HEAD": (0, 6, 40),
}
"""What people ask every day, of commits that were asked about before: at most how many blobs that reads, how many
folders, and how many statements of SQL it takes, whatever the size of the registry."""


@pytest.mark.parametrize("nodes", [50, 800])
def test_what_people_ask_every_day_costs_the_same_whatever_the_size(
    tmp_path: Path, home: dict[str, str], nodes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate(tmp_path / "registry", Population(seed=3, nodes=nodes, types=8), 3)
    node = next(node for node in Registry.open(tmp_path / "registry").at("HEAD") if node.emits)
    list(Registry.open(tmp_path / "registry").at("HEAD~1"))
    work = Counted(tmp_path / "registry", monkeypatch)
    for command, most in DAILY.items():
        taken = work.run(command.format(node=node.id, signal=node.emits[0].name))
        assert all(one <= limit for one, limit in zip(taken, most, strict=True)), (command, taken)


def test_a_name_that_could_forge_a_notice_is_printed_as_it_is(copy: Checkout, tmp_path: Path) -> None:
    strange = tmp_path / "a\x1b[31m.sqlite3"
    strange.write_text("rubbish")
    done = copy.run("query", "--index", str(strange))
    assert done.returncode == 2
    assert printable(str(strange)) in done.stderr
    assert "\x1b" not in done.stderr


def test_an_answer_is_typed_as_ever(example: Checkout) -> None:
    nodes = Registry.open(example.path).at("HEAD").query(emits="memory_stored")
    assert [node.id for node in nodes] == [ADAPTER]
    assert nodes[0].path == ADAPTER_FILE
    assert json.loads(json.dumps(nodes[0].value)) == nodes[0].value


def test_a_file_that_came_and_went_between_two_processes_leaves_no_ghost(
    copy: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One process has looked at the folders; another sees and writes a new file; the first writes; the file goes."""
    monkeypatch.setattr(work_trees, "RACY_NS", 0)
    spec = next(copy.path.glob("registry/nodes/**/*.yaml"))
    guest = spec.with_name("guest.yaml")
    list(Registry.open(copy.path).at())
    spec.write_bytes(spec.read_bytes() + b"# changed\n")
    original = work_trees._identify  # between the look and the writing
    turns: list[int] = []

    def identify(work: Any, entries: Any) -> Any:
        turns.append(1)
        if len(turns) == 1:
            guest.write_bytes(spec.read_bytes())
            list(Registry.open(copy.path).at())
        return original(work, entries)

    monkeypatch.setattr(work_trees, "_identify", identify)
    list(Registry.open(copy.path).at())
    assert len(turns) == 2
    guest.unlink()
    for _ in range(2):
        mine, plain = Registry.open(copy.path).at(), Registry.open(copy.path, index=False).at()
        assert mine.unreadable == plain.unreadable
        assert list(mine) == list(plain)


def test_what_no_tree_holds_any_more_is_forgotten(example: Checkout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "SPARE_FACTS", 0)
    monkeypatch.setattr(rows, "MAX_TREES", 3)
    paths = sorted(example.path.glob("registry/nodes/**/*.yaml"))
    known = []
    for turn in range(9):
        for path in paths:
            path.write_text(path.read_text().partition("# turn")[0] + f"# turn {turn}\n")
        example.commit("every file")
        mine, plain = Registry.open(example.path), Registry.open(example.path, index=False)
        for back in range(min(turn, 3) + 1):
            asked = {"signal": "memory_stored"}
            assert mine.at(f"HEAD~{back}").query(**asked) == plain.at(f"HEAD~{back}").query(**asked)
        database = sqlite3.connect(example.path / INDEX)
        known.append(database.execute("SELECT count(*) FROM fact").fetchone()[0])
        loose = "SELECT count(*) FROM signal WHERE fact NOT IN (SELECT id FROM fact)"
        assert database.execute(loose).fetchone() == (0,)
        database.close()
    assert max(known) <= 6 * len(paths), "nine times as many blobs were read"


def test_what_is_odd_is_said_in_a_line(copy: Checkout) -> None:
    (copy.path / "registry/nodes/stray.txt").write_text("a stray\n")
    done = copy.run("query", "--lane", "core", "--format", "ids")
    assert done.stderr.count("answered from the files, without the index: registry/nodes/stray.txt is no node") == 1


def test_a_log_parses_the_versions_of_its_node_and_a_difference_nothing_that_is_known(
    copy: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over forty commits in which hundreds of other files change."""
    changed = copy.git("log", "--format=", "--name-only", "--", "registry/nodes").split()
    path = max(set(changed), key=changed.count)
    name = node_id(path)
    versions = len(copy.git("log", "--format=%h", "--", path).split())
    assert versions < len(copy.git("rev-list", "HEAD").split())
    parsed: list[bytes] = []
    original = document.parse
    monkeypatch.setattr(document, "parse", lambda data: parsed.append(data) or original(data))
    assert len(list(history.versions(Registry.open(copy.path), name))) == versions
    assert len(parsed) <= 2 * versions, "each version, and the one before it"

    registry = Registry.open(copy.path)
    for back in (0, 30):
        registry.at(f"HEAD~{back}").query(signal="nothing")
    parsed.clear()
    registry = Registry.open(copy.path)
    assert list(difference.between(registry.at("HEAD~30"), registry.at("HEAD")))
    assert parsed == []
