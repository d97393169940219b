"""Git's file system monitor: it spares looking at files, and never changes an answer."""

from __future__ import annotations

import json
import os
import random
import shutil
import socket
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.generate import generate
from benchmarks.population import Population
from benchmarks.questions import git_watches
from nodespec import Registry, fsmonitor
from nodespec.fsmonitor import Seen, changed_since
from nodespec.index import file_states, store, work_trees
from nodespec.index.file_states import MANY, within
from nodespec.worktree import WorkTree
from tests.conftest import Checkout
from tests.watchers import PLACE, SOON_NS, Listener, Watcher, message, packet, rest, session_now, watched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

INDEX = ".git/nodespec/index.sqlite3"
TOP = "registry/nodes"
SESSION = "builtin:0.7.20260102T030405.678901Z:"
BEGAN = 1_767_323_045_678_901_000


@pytest.fixture(scope="module")
def grown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry of 60 nodes with 12 commits."""
    folder = tmp_path_factory.mktemp("grown") / "registry"
    generate(folder, Population(seed=12, nodes=60, types=6), 12)
    return folder


@pytest.fixture
def copy(grown: Path, tmp_path: Path, home: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Checkout:
    shutil.copytree(grown, tmp_path / "registry", symlinks=True)
    monkeypatch.chdir(tmp_path / "registry")
    return Checkout(tmp_path / "registry", home)


@pytest.fixture
def listener(copy: Checkout) -> Iterator[Listener]:
    heard = Listener(copy.path / ".git", lambda _: message(f"{SESSION}1"))
    yield heard
    heard.close()


# The protocol.


def test_without_a_monitor_nobody_is_asked(copy: Checkout, tmp_path: Path) -> None:
    root = str(copy.path)
    assert changed_since(root, None) is None
    (copy.path / ".git" / PLACE).write_text("no socket")
    assert changed_since(root, None) is None
    (copy.path / ".git" / PLACE).unlink()
    gone = Listener(copy.path / ".git", lambda _: message(f"{SESSION}1"))
    assert changed_since(root, None) == Seen(f"{SESSION}1", (), BEGAN)
    gone.close()
    deaf = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    deaf.bind(f".git/{PLACE}")
    deaf.close()
    assert changed_since(root, None) is None, "a socket that nobody listens at"
    assert changed_since(str(tmp_path), None) is None, "no repository"
    assert changed_since(str(copy.path / "registry"), None) is None, "below the top of one"


def test_a_socket_of_somebody_else_is_not_asked(listener: Listener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert changed_since(".", None) is None
    assert listener.asked == []


def test_a_token_is_sent_back_and_nothing_else_is(listener: Listener) -> None:
    """Other words are commands to Git's process: one of them ends it."""
    for token in (None, "", "quit", b"\xff\0", "builtin:\u00e9", "builtin:" + "9" * 70_000, f"{SESSION}0"):
        assert changed_since(".", token) == Seen(f"{SESSION}1", (), BEGAN)
    assert listener.asked == [b"builtin:none:0"] * 6 + [f"{SESSION}0".encode()]


def test_an_answer_is_read_whatever_its_packets(listener: Listener) -> None:
    listener.answer = lambda _: (
        packet(SESSION[:9].encode())
        + packet(f"{SESSION[9:]}2\0a".encode())
        + packet(b"")
        + packet(b"/b\0\xff\0")
        + b"0000"
    )
    assert changed_since(".", None) == Seen(f"{SESSION}2", ("a/b", "\udcff"), BEGAN)
    listener.answer = lambda _: message(f"{SESSION}3", "a/b", "/")
    assert changed_since(".", None) == Seen(f"{SESSION}3", None, BEGAN)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"0000",
        b"00",
        b"zzzz",
        b"0003",
        b"0001",
        b"-001",
        b"0040" + SESSION.encode() + b"1\0",
        packet(f"{SESSION}1\0".encode()),
        packet(f"{SESSION}1".encode()) + b"0000",
        packet(f"{SESSION}1\0a".encode()) + b"0000",
        message("other:here:1"),
        message("1700000000"),
    ],
)
def test_what_is_no_answer_is_none(listener: Listener, answer: bytes) -> None:
    listener.answer = lambda _: answer
    assert changed_since(".", None) is None


def test_a_monitor_that_has_too_much_to_say_is_asked_where_it_stands(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fsmonitor, "LIMIT", 1000)
    many = [f"build/{number}" for number in range(200)]
    listener.answer = lambda asked: message(f"{SESSION}2", *(many if asked.startswith(SESSION.encode()) else ["/"]))
    assert changed_since(".", f"{SESSION}1") == Seen(f"{SESSION}2", None, BEGAN)
    assert listener.asked == [f"{SESSION}1".encode(), b"builtin:none:0"]
    listener.answer = lambda _: message(f"{SESSION}2", *many)
    assert changed_since(".", None) is None, "it always has"


@pytest.mark.parametrize(
    "words", [b"", b"0004", b"0005a"], ids=["nothing", "nothing, for ever", "one letter, for ever"]
)
def test_nobody_waits_for_a_monitor_that_does_not_end(
    listener: Listener, words: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fsmonitor, "PATIENCE", 0.05)
    monkeypatch.setattr(fsmonitor, "LIMIT", 1 << 40)
    if words:
        listener.answer = lambda _: words * 5_000_000  # more than can be read in time
        assert changed_since(".", None) is None
        assert listener.interrupted.wait(10)
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as mute:
        os.rename(f".git/{PLACE}", ".git/kept")
        mute.bind(f".git/{PLACE}")
        mute.listen()
        assert changed_since(".", None) is None
    os.rename(".git/kept", f".git/{PLACE}")


def test_a_linked_work_tree_has_a_monitor_of_its_own(
    copy: Checkout, listener: Listener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy.git("worktree", "add", "-q", str(tmp_path / "linked"))
    assert changed_since(str(tmp_path / "linked"), None) is None
    monkeypatch.chdir(copy.path / ".git/worktrees/linked")
    own = Listener(copy.path / ".git/worktrees/linked", lambda _: message("builtin:linked:1"))
    assert changed_since(str(tmp_path / "linked"), None) == Seen("builtin:linked:1", (), None)
    own.close()
    assert listener.asked == []


def copied_linked(place: Checkout, folder: Path) -> Path:
    place.git("worktree", "add", "-q", str(folder / "linked"))
    shutil.copytree(folder / "linked", folder / "copy", symlinks=True)
    return folder / "copy"


def separate(place: Checkout, folder: Path) -> Path:
    place.git("clone", "-q", f"--separate-git-dir={folder / 'apart.git'}", str(place.path), str(folder / "copy"))
    return folder / "copy"


def linked_folder(place: Checkout, folder: Path) -> Path:
    shutil.copytree(place.path, folder / "copy", ignore=shutil.ignore_patterns(".git"))
    (folder / "copy/.git").symlink_to(place.path / ".git")
    return folder / "copy"


def elsewhere(place: Checkout, folder: Path) -> Path:
    place.git("config", "core.worktree", str(folder))
    return place.path


@pytest.mark.parametrize("sharing", [copied_linked, separate, linked_folder, elsewhere])
def test_a_monitor_that_may_watch_another_folder_is_not_asked(
    copy: Checkout, tmp_path: Path, sharing: Callable[[Checkout, Path], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = sharing(copy, tmp_path)
    folder = Path(copy.git("-C", str(root), "rev-parse", "--absolute-git-dir")) if root != copy.path else Path(".git")
    monkeypatch.chdir(folder)
    heard = Listener(Path.cwd(), lambda _: message(f"{SESSION}1"))
    try:
        assert changed_since(str(root), None) is None
        assert heard.asked == []
        assert not fsmonitor.may_watch(str(root))
    finally:
        heard.close()


# What an answer means.


@pytest.mark.parametrize(
    ("paths", "found"),
    [
        ((), []),
        (("README.md", "docs/a.md", "schemas/nodespec.v1.json", "registrys/nodes/a.yaml"), []),
        (("registry/owners/a/owner.yaml", "registry/nodes.txt"), []),
        ((f"{TOP}/a/b.yaml", f"{TOP}/c/", "x"), [f"{TOP}/a/b.yaml", f"{TOP}/c"]),
        ((TOP,), None),
        ((f"{TOP}/",), None),
        (("registry",), None),
        (("registry/",), None),
        (("registry/.git",), []),
        (("Registry/Nodes/a.yaml",), None),
        (("registry/Nodes/a.yaml",), None),
        ((f"{TOP}/A.yaml",), None),
        ((f"{TOP}/\udcff.yaml",), None),
        (("regi\u017ftry/nodes/a.yaml",), None),
        (("registr\u0443/nodes/a.yaml",), None),
        (tuple(f"{TOP}/{number}" for number in range(MANY + 1)), None),
    ],
)
def test_only_paths_whose_meaning_is_certain_spare_a_look(paths: tuple[str, ...], found: list[str] | None) -> None:
    assert within(Seen("builtin:x:1", paths, None), TOP) == found


def test_nothing_is_certain_when_anything_may_have_changed() -> None:
    assert within(Seen("builtin:x:1", None, None), TOP) is None


# The same answers.


class Actor:
    """Does to a work tree what people, editors and Git do."""

    def __init__(self, place: Checkout, rng: random.Random, gentle: int = 2) -> None:
        self.place = place
        self.gentle = gentle
        self.rng = rng
        self.nodes = place.path / TOP
        self.texts = [path.read_text(encoding="utf-8") for path in sorted(self.nodes.rglob("*.yaml"))]

    def files(self) -> list[Path]:
        return sorted(path for path in self.nodes.rglob("*.yaml") if path.is_file() and not path.is_symlink())

    def folders(self) -> list[Path]:
        found = (path for path in self.nodes.rglob("*") if ".git" not in path.parts[len(self.nodes.parts) :])
        return sorted(path for path in found if path.is_dir() and not path.is_symlink())

    def edit(self) -> None:
        with self.rng.choice(self.files()).open("a", encoding="utf-8") as file:  # in place, as some editors do
            file.write("# a remark\n")

    def rewrite(self) -> None:
        path = self.rng.choice(self.files())
        draft = path.with_name(".draft")
        draft.write_text(path.read_text(encoding="utf-8").replace("tier: 1", "tier: 2"), encoding="utf-8")
        draft.replace(path)

    def damage(self) -> None:
        self.rng.choice(self.files()).write_text("broken: [", encoding="utf-8")

    def delete(self) -> None:
        self.rng.choice(self.files()).unlink()

    def delete_folder(self) -> None:
        shutil.rmtree(self.rng.choice(self.folders()))

    def move(self) -> None:
        path = self.rng.choice(self.files())
        path.rename(path.with_name(f"moved{self.rng.randrange(3)}.yaml"))

    def move_folder(self) -> None:
        folder = self.rng.choice(self.folders())
        target = folder.with_name(f"folder{self.rng.randrange(3)}")
        if not target.exists():
            folder.rename(target)

    def add(self) -> None:
        folder = self.rng.choice([*self.folders(), self.nodes / "new/deep/deeper", self.nodes])
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"new{self.rng.randrange(9)}.yaml").write_text(self.rng.choice(self.texts), encoding="utf-8")

    def replace_by_folder(self) -> None:
        path = self.rng.choice(self.files())
        path.unlink()
        path.mkdir()
        (path / "inner.yaml").write_text(self.rng.choice(self.texts), encoding="utf-8")

    def link(self) -> None:
        path = self.rng.choice(self.folders()).with_name("linked")
        if not path.is_symlink():
            path.symlink_to(self.rng.choice(self.folders()))

    def unlink(self) -> None:
        for path in self.nodes.rglob("linked"):
            path.unlink()

    def nest(self) -> None:
        (self.rng.choice(self.folders()) / ".git").mkdir(exist_ok=True)

    def unnest(self) -> None:
        for path in [*self.nodes.rglob(".git")]:
            shutil.rmtree(path)

    def elsewhere(self) -> None:
        (self.place.path / "notes.txt").write_text(str(self.rng.random()), encoding="utf-8")

    def come_and_go(self) -> None:
        path = self.nodes / "4913"
        path.write_text("x", encoding="utf-8")
        path.unlink()

    def swap_whole(self) -> None:
        registry, aside = self.place.path / "registry", self.place.path / "aside"
        shutil.copytree(registry, aside, symlinks=True)
        shutil.rmtree(registry)
        aside.rename(registry)

    def give_another_name(self) -> None:
        other = self.place.path / f"other{self.rng.randrange(3)}.yaml"
        if not other.exists():
            other.hardlink_to(self.rng.choice(self.files()))

    def edit_by_another_name(self) -> None:
        for other in self.place.path.glob("other*.yaml"):
            with other.open("a", encoding="utf-8") as file:
                file.write("# a remark\n")

    def commit(self) -> None:
        self.unnest()
        self.place.commit()

    def back(self) -> None:
        self.unnest()
        self.unlink()
        self.place.git("clean", "-qfdx", "registry")
        self.place.git("checkout", "-q", "-f", self.rng.choice(["main", "main~2", "main~6"]), "--", "registry")

    def act(self) -> str:
        often = [*self.gentle * [self.edit], self.rewrite, self.add, self.move, self.delete, self.elsewhere]
        seldom = [self.damage, self.delete_folder, self.move_folder, self.replace_by_folder, self.link, self.unlink]
        seldom += [self.give_another_name, self.edit_by_another_name]
        rarely = [self.nest, self.unnest, self.come_and_go, self.swap_whole, self.commit, self.back, self.back]
        if len(self.files()) < 20 or len(self.folders()) < 5:
            self.back()
            return "back"
        action = self.rng.choice([*often, *often, *seldom, *rarely])
        action()
        return action.__name__


def check_same(place: Checkout, what: object) -> None:
    with Registry.open(place.path) as mine, Registry.open(place.path, index=False) as other:
        watched, plain = mine.at(), other.at()
        assert list(watched) == list(plain), what
        assert watched.unreadable == plain.unreadable, what


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("by_git", [False, True], ids=["watcher", "git"])
def test_a_watched_work_tree_is_followed_through_every_kind_of_change(
    copy: Checkout, seed: int, by_git: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if by_git and not git_watches():
        pytest.skip("this Git has no file system monitor")
    rng = random.Random(seed)
    monkeypatch.setattr(file_states, "RACY_NS", SOON_NS)
    if seed % 2:
        monkeypatch.setattr(work_trees, "RACY_NS", 0)  # as though two seconds had passed: times are believed
    actor, done = Actor(copy, rng, gentle=rng.choice([2, 20])), ["nothing"]
    for _ in range(6):  # each time, folders are believed in again
        with watched(copy, by_git=by_git):
            for _ in range(rng.randrange(3)):  # a monitor has a past before it is asked
                actor.act()
            for _ in range(rng.randrange(16)):
                check_same(copy, done)
                done = [actor.act() for _ in range(rng.choice([1, 1, 1, 2, 5]))]
            check_same(copy, done)


def test_a_monitor_that_comes_goes_and_comes_again_makes_no_difference(
    copy: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work_trees, "RACY_NS", 0)
    monkeypatch.setattr(file_states, "RACY_NS", SOON_NS)
    actor = Actor(copy, random.Random(3))
    for turn in range(12):
        check_same(copy, turn)
        if turn % 3:
            with watched(copy, by_git=False):
                check_same(copy, turn)
                actor.edit()
                actor.add()
                check_same(copy, turn)
                actor.delete()
        actor.edit()


# What it spares.


class Looks:
    """Counts the folders of a work tree that are looked at, and the statements of SQL."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folders: list[str] = []
        states = WorkTree.states

        def counted(tree: WorkTree, top: str, **options: Any) -> Any:
            for state in states(tree, top, **options):
                self.folders.append(state.path)
                yield state

        monkeypatch.setattr(WorkTree, "states", counted)

    def ask(self, place: Checkout) -> tuple[set[str], int]:
        self.folders.clear()
        statements: list[str] = []
        with Registry.open(place.path) as registry:
            assert registry.store is not None
            registry.store.trace(statements.append)
            assert registry.at().query(signal="no_such_signal") == ()
        return set(self.folders), len(statements)


@pytest.mark.parametrize("nodes", [60, 600])
def test_a_question_to_a_watched_work_tree_looks_at_what_has_changed_whatever_the_size(
    tmp_path: Path, home: dict[str, str], nodes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    generate(tmp_path / "registry", Population(seed=3, nodes=nodes, types=nodes // 10), 2)
    monkeypatch.chdir(tmp_path / "registry")
    monkeypatch.setattr(work_trees, "RACY_NS", 0)
    monkeypatch.setattr(file_states, "RACY_NS", SOON_NS)
    monkeypatch.setattr(file_states, "SHARED_FROM", 1000)  # another process is not counted here
    place, looks = Checkout(tmp_path / "registry", home), Looks(monkeypatch)
    with watched(place, by_git=False):
        everything, _ = looks.ask(place)
        assert len(everything) > nodes / 10
        folders, statements = looks.ask(place)
        assert (folders, statements <= 9) == (set(), True)
        first, *_, last = sorted((place.path / TOP).rglob("*.yaml"))
        with first.open("a", encoding="utf-8") as file:
            file.write("# a remark\n")
        folders, statements = looks.ask(place)
        assert folders == {os.path.relpath(first.parent, place.path)}
        assert statements <= 60
        assert looks.ask(place)[0] == set()
        (place.path / "notes.txt").write_text("elsewhere", encoding="utf-8")
        folders, statements = looks.ask(place)
        assert (folders, statements <= 15) == (set(), True)
        last.rename(last.with_name("renamed.yaml"))
        for _ in range(2):  # a folder that has itself changed is looked at from now on
            assert looks.ask(place)[0] == {os.path.relpath(last.parent, place.path)}
        (place.path / "registry/nodes/new").mkdir()
        assert looks.ask(place)[0] == {*everything, "registry/nodes/new"}, "and all that is below it"
    assert looks.ask(place)[0] == {*everything, "registry/nodes/new"}, "without a monitor, all are looked at"


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WorkTree:
    """A work tree of folders that have stood still for a while."""
    monkeypatch.setattr(file_states, "RACY_NS", SOON_NS)
    place = Checkout(tmp_path)
    for folder in ("a/one/deep", "a/two", "b", "c", "d", "e", "f"):
        place.write(f"{TOP}/{folder}/node.yaml", "x: 1\n")
    rest(place)
    return WorkTree(str(tmp_path))


def standing(tree: WorkTree) -> dict[str, bytes | None]:
    return dict(file_states.digests(tree, TOP, expected=0))


def test_a_folder_that_changed_is_looked_at_with_all_that_is_below_it(folders: WorkTree, tmp_path: Path) -> None:
    known, seen = standing(folders), Seen("", (f"{TOP}/c/node.yaml", f"{TOP}/c/.swp"), time.time_ns())
    (tmp_path / TOP / "a/one").rename(tmp_path / TOP / "a/other")  # what is in it has not changed
    found = file_states.digests_since(folders, TOP, seen, known)
    assert found is not None
    fresh, gone = found
    assert sorted(fresh) == [f"{TOP}/{name}" for name in ("a", "a/other", "a/other/deep", "a/two", "c")]
    assert sorted(gone) == [f"{TOP}/a/one", f"{TOP}/a/one/deep"]
    assert all(fresh[path] == known[path] for path in fresh if path in known)


def test_where_most_folders_changed_or_one_above_them_nothing_is_believed(folders: WorkTree, tmp_path: Path) -> None:
    known, seen = standing(folders), Seen("", (), time.time_ns())
    assert file_states.digests_since(folders, TOP, seen, known) == ({}, [])
    assert file_states.count_younger(folders, TOP, seen.began or 0) == (0, len(known))
    for name in "abc":
        (tmp_path / TOP / name / "more.yaml").touch()
    assert file_states.count_younger(folders, TOP, seen.began or 0) == (6, len(known))
    assert file_states.digests_since(folders, TOP, seen, known) is None, "six of ten"
    rest(Checkout(tmp_path))
    seen = Seen("", (), time.time_ns())
    assert file_states.digests_since(folders, TOP, seen, known) == ({}, []), "a monitor that was started again"
    (tmp_path / "registry/registry.yaml").touch()
    assert file_states.digests_since(folders, TOP, seen, known) is None, "registry/ has changed"


def test_a_file_with_a_second_name_is_looked_at_each_time(folders: WorkTree, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.yaml").hardlink_to(tmp_path / TOP / "b/node.yaml")
    known, seen = standing(folders), Seen("", (), time.time_ns())
    (tmp_path / "elsewhere.yaml").write_text("x: 23\n")
    found = file_states.digests_since(folders, TOP, seen, known)
    assert found is not None
    assert list(found[0]) == [f"{TOP}/b"]
    assert found[0][f"{TOP}/b"] != known[f"{TOP}/b"]


# Several processes.


@pytest.mark.parametrize("busy", [False, True])
def test_a_question_waits_for_no_writer_to_note_how_far_a_monitor_saw(
    copy: Checkout, busy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(work_trees, "RACY_NS", 0)
    monkeypatch.setattr(store, "PATIENCE", 3600)  # whoever waits, waits for an hour
    session, notices = session_now(), list[str]()
    heard = Listener(copy.path / ".git", lambda _: message(f"{session}1", "/"))
    try:
        check_same(copy, "first")
        heard.answer = lambda _: message(f"{session}2", *(f"build/{number}" for number in range(101)))
        with closing(sqlite3.connect(copy.path / INDEX, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE" if busy else "BEGIN")
            with Registry.open(copy.path, notice=notices.append) as mine:
                assert list(mine.at()) == list(Registry.open(copy.path, index=False).at())
        assert (notices, seen_of(copy)) == ([], f"{session}{1 if busy else 2}")
    finally:
        heard.close()


@pytest.mark.parametrize("token", [b"\xff\0", "builtin:\u00e9", 7])
def test_a_token_that_is_none_is_replaced(copy: Checkout, token: object) -> None:
    check_same(copy, "first")
    with closing(sqlite3.connect(copy.path / INDEX)) as database, database:
        database.execute("UPDATE tree SET seen = ? WHERE name LIKE 'work tree %'", (token,))
    with watched(copy, by_git=False):
        check_same(copy, token)
        assert str(seen_of(copy)).startswith("builtin:0.")


def test_how_far_a_monitor_saw_is_forgotten_when_another_process_wrote_meanwhile(
    copy: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows when that process had looked at what it wrote of."""
    monkeypatch.setattr(work_trees, "RACY_NS", 0)
    spec = min((copy.path / TOP).rglob("*.yaml"))
    watcher = Watcher(copy)
    try:
        check_same(copy, "first")
        assert seen_of(copy)
        original, turns = work_trees._identify, []

        def identify(work: Any, entries: Any) -> Any:
            turns.append(1)
            if len(turns) == 1:  # between the look and the writing
                with Registry.open(copy.path, index=True) as other:
                    assert other.store is not None
                    with other.store.writing() as database:
                        database.execute("INSERT OR REPLACE INTO meta VALUES ('test', 'written')")
            return original(work, entries)

        monkeypatch.setattr(work_trees, "_identify", identify)
        spec.write_text(spec.read_text(encoding="utf-8") + "# a remark\n", encoding="utf-8")
        check_same(copy, "second")
        assert (len(turns), seen_of(copy)) == (1, None)
        check_same(copy, "third")
        assert seen_of(copy)
    finally:
        watcher.close()
    spec.write_text(spec.read_text(encoding="utf-8") + "# another\n", encoding="utf-8")
    check_same(copy, "without a monitor")
    assert seen_of(copy) is None


def seen_of(place: Checkout) -> str | None:
    """Return how far a monitor had seen, by the index."""
    with closing(sqlite3.connect(place.path / INDEX)) as database:
        (row,) = database.execute("SELECT seen FROM tree WHERE name LIKE 'work tree %'").fetchall()
        seen: str | None = row[0]
        return seen


def test_a_folder_that_is_gone_when_it_is_looked_at_makes_all_be_looked_at(
    copy: Checkout, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its change will be told by the next answer; until then there is something else to go by."""
    monkeypatch.setattr(file_states, "RACY_NS", SOON_NS)
    rest(copy)
    session = session_now()
    heard = Listener(copy.path / ".git", lambda _: message(f"{session}1", "/"))
    try:
        check_same(copy, "first")
        heard.answer = lambda _: message(f"{session}2", f"{TOP}/nowhere/at/all.yaml")
        check_same(copy, "a path that never was")
        shutil.rmtree(copy.path / TOP)
        check_same(copy, "nothing is left")
    finally:
        heard.close()


@pytest.mark.parametrize(
    ("session", "believed"),
    [
        ("now", True),
        ("builtin:0.7.20990101T000000.000000Z:", False),
        ("lost", False),
        ("builtin:0.7.20261302T030405.678901Z:", False),
        ("builtin:something-new:", False),
    ],
    ids=["now", "the clock was set back", "it lost its thread", "no date", "another kind"],
)
def test_a_monitor_is_believed_whose_beginning_is_known(
    copy: Checkout, session: str, believed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """This one overlooks an edit, so whoever believes it does, too."""
    monkeypatch.setattr(work_trees, "RACY_NS", 0)
    monkeypatch.setattr(file_states, "RACY_NS", SOON_NS)
    rest(copy)
    session = {"now": session_now(), "lost": session_now().replace(":0.", ":1.")}.get(session, session)
    heard = Listener(copy.path / ".git", lambda _: message(f"{session}1", "/"))
    try:
        check_same(copy, "first")
        heard.answer = lambda _: message(f"{session}1")
        spec = min((copy.path / TOP).rglob("*.yaml"))
        with spec.open("a", encoding="utf-8") as file:
            file.write("broken: [")
        with Registry.open(copy.path) as mine:
            assert [item.path for item in mine.at().unreadable] == (
                [] if believed else [spec.relative_to(copy.path).as_posix()]
            )
    finally:
        heard.close()


def test_stats_say_how_a_monitor_helps(copy: Checkout) -> None:
    copy.run("query", "--format", "ids")

    def told() -> Any:
        return json.loads(copy.run("stats", "--format", "json").stdout)["index"]["monitor"]

    assert told() is None
    assert "monitor" not in copy.run("stats").stdout.replace(str(copy.path), "")
    folders = sum(1 for _ in os.walk(copy.path / TOP))
    with watched(copy, by_git=False):
        assert told() == {"folders": folders, "younger": folders}, "two seconds have not passed"
        assert f"no help, {folders} of {folders} folders are younger" in copy.run("stats").stdout
    while time.time_ns() < max(os.lstat(folder).st_ctime_ns for folder, _, _ in os.walk(copy.path)) + 2_100_000_000:
        time.sleep(0.05)
    with watched(copy, by_git=False):
        assert told() == {"folders": folders, "younger": 0}
        assert f"look at 0 of {folders} folders, and at what has changed" in copy.run("stats").stdout
        shutil.rmtree(copy.path / "registry/nodes")
        (copy.path / "registry").rename(copy.path / "aside")
    with watched(copy, by_git=False):
        assert copy.run("stats").returncode == 2
