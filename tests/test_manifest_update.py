"""A root from an earlier one's: the same as by reading everything, whatever the store says, for less work."""

from __future__ import annotations

import random
import shutil
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks.generate import generate
from benchmarks.population import Population
from nodespec import manifest, manifest_update, merkle
from nodespec.commit import CommitTree
from nodespec.errors import RegistryError
from nodespec.git import GitRepository
from nodespec.index import merkle_cache
from nodespec.index.merkle_cache import KnownFolders
from nodespec.manifest_update import Base, Extent
from nodespec.tree import MAX_FOLDER_DEPTH
from tests.simulator import Repository

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from nodespec.merkle import Entries


class Kept:
    """The lists of an index, and how often a whole tree's were written into it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.notices: list[str] = []
        self.renewed = 0
        self.loaded = 0
        self._known = KnownFolders(str(path), self.notices.append)

    def entries(self, digest: bytes) -> Entries | None:
        self.loaded += 1
        return self._known.entries(digest)

    def grow(self, added: Mapping[bytes, Entries], replaced: Collection[bytes]) -> None:
        self._known.grow(added, replaced)

    def renew(self, found: Sequence[tuple[bytes, Entries]]) -> None:
        self.renewed += 1
        self._known.renew(found)

    def again(self) -> Kept:
        """Open the same file as the next process would."""
        return Kept(self.path)


def tree_of(path: Path, revision: str = "HEAD") -> CommitTree:
    git = GitRepository.open(str(path))
    return git.tree(git.resolve(revision))


def whole(tree: CommitTree) -> Extent:
    listing = manifest.of_tree(tree)
    return Extent(listing.root, len(listing.files))


def base_of(path: Path, revision: str = "HEAD") -> Base:
    tree = tree_of(path, revision)
    return Base(tree, whole(tree))


FILES = {
    "registry/registry.yaml": "id: example\n",
    "registry/nodes/a/b/one.yaml": "a: 1\n",
    "registry/nodes/a/b/two.yaml": "a: 2\n",
    "registry/nodes/a/c/three.yaml": "a: 3\n",
    "registry/nodes/d/four.yaml": "a: 4\n",
    "registry/nodes/d.yaml": "a: 5\n",
    "schemas/one.json": "{}\n",
    "README.md": "not part of it\n",
}


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    made = Repository.init(tmp_path / "repo")
    for path, text in FILES.items():
        made.write(path, text)
    made.commit()
    return made


@pytest.fixture
def kept(repo: Repository, tmp_path: Path) -> Kept:
    """A store that knows the folders of HEAD."""
    store = Kept(tmp_path / "index.sqlite3")
    manifest_update.extent(tree_of(repo.path), None, store)
    return store.again()


# The same root.


class Gardener:
    """Makes random changes in a work tree, among few names, so that they meet."""

    def __init__(self, repo: Repository, seed: int) -> None:
        self.repo = repo
        self.rng = random.Random(seed)

    def files(self) -> list[str]:
        found = (path for top in ("registry", "schemas") for path in (self.repo.path / top).rglob("*"))
        return sorted(path.relative_to(self.repo.path).as_posix() for path in found if path.is_file())

    def somewhere(self) -> str:
        parts = [self.rng.choice("abc") for _ in range(self.rng.randint(1, 4))]
        return "/".join([self.rng.choice(["registry", "registry/nodes", "schemas"]), *parts])

    def put(self, path: str, text: str = "") -> None:
        """Write a file, taking away whatever is in its way: a file on the way to it, a folder in its place."""
        target = self.repo.path / path
        for above in target.relative_to(self.repo.path).parents:
            if (self.repo.path / above).is_file():
                (self.repo.path / above).unlink()
        if target.is_dir():
            shutil.rmtree(target)
        self.repo.write(path, text or f"{self.rng.random()}\n")

    def add(self) -> None:
        self.put(self.somewhere())

    def change(self) -> None:
        if self.files():
            self.repo.write(self.rng.choice(self.files()), f"{self.rng.random()}\n")

    def remove(self) -> None:
        if self.files():
            (self.repo.path / self.rng.choice(self.files())).unlink()

    def move(self) -> None:
        if self.files():
            old = self.repo.path / self.rng.choice(self.files())
            text = old.read_text()
            old.unlink()
            self.put(self.somewhere(), text)

    def bring_a_folder(self) -> None:
        top = self.somewhere()
        for name in "abcde":
            self.put(f"{top}/{name}/{self.rng.choice('xyz')}")

    def take_a_folder(self) -> None:
        if self.files():
            path = self.repo.path / self.rng.choice(self.files())
            shutil.rmtree(self.rng.choice(list(path.parents)[: len(path.relative_to(self.repo.path).parts) - 1]))

    def copy_a_folder(self) -> None:
        if self.files():
            source = self.rng.choice(self.files()).rpartition("/")[0]
            target = self.somewhere()
            texts = {path: (self.repo.path / path).read_text() for path in self.files() if path.startswith(source)}
            for path, text in texts.items():
                self.put(target + path.removeprefix(source), text)

    def nothing(self) -> None:
        self.repo.write("README.md", f"{self.rng.random()}\n")

    def commit(self) -> None:
        acts = [self.add, self.add, self.change, self.change, self.remove, self.move]
        acts += [self.bring_a_folder, self.take_a_folder, self.copy_a_folder, self.nothing]
        for _ in range(self.rng.choice([1, 1, 1, 2, 5])):
            self.rng.choice(acts)()
        self.repo.commit()


@pytest.mark.parametrize("seed", range(3))
def test_a_random_history_has_the_same_roots_and_counts_both_ways(tmp_path: Path, repo: Repository, seed: int) -> None:
    gardener = Gardener(repo, seed)
    store = Kept(tmp_path / "index.sqlite3")
    history = [Base(tree := tree_of(repo.path), manifest_update.extent(tree, None, store))]
    for _ in range(70):
        gardener.commit()
        tree = tree_of(repo.path)
        base = history[-1] if gardener.rng.random() < 0.8 else gardener.rng.choice(history[-20:])
        found = manifest_update.extent(tree, base, store)
        assert found == whole(tree)
        history.append(Base(tree, found))
    assert len({base.extent.root for base in history}) > 50
    assert store.renewed == 1, "every list that was needed was there"
    assert store.notices == []


def test_every_change_of_kind_between_files_and_folders(repo: Repository, kept: Kept) -> None:
    base = base_of(repo.path)
    for gone, come in (
        (["registry/nodes/a"], ["registry/nodes/a"]),
        (["registry/nodes/a/b"], ["registry/nodes/a/b"]),
        (["registry/nodes/d.yaml"], ["registry/nodes/d.yaml/deep/down"]),
        (["registry/nodes/d"], []),
        (["schemas"], []),
        (["registry", "schemas"], []),
        (
            ["registry/nodes/a/b/one.yaml", "registry/nodes/a/c"],
            ["registry/nodes/a/b/one.yaml/x", "registry/nodes/a/c"],
        ),
        ([], ["registry/new/folder/of/many/a", "registry/new/folder/b"]),
    ):
        repo.git("checkout", "-q", "-f", "-B", "trial", "main")
        for path in gone:
            repo.remove(path)
        for path in come:
            repo.write(path, "new\n")
        repo.commit()
        tree = tree_of(repo.path)
        assert manifest_update.extent(tree, base, kept) == whole(tree)
    assert kept.renewed == 0


def test_a_commit_that_touches_no_file_asks_the_store_for_nothing(repo: Repository, kept: Kept) -> None:
    base = base_of(repo.path)
    repo.write("README.md", "changed\n")
    repo.commit()
    assert manifest_update.extent(tree_of(repo.path), base, kept) == base.extent
    assert kept.loaded == 0


def test_a_name_that_is_not_utf8_grows_as_the_bytes_it_is(repo: Repository, kept: Kept) -> None:
    base = base_of(repo.path)
    repo.commit_registry(("100644", b"a\xff.yaml", repo.blob(b"x")), ("100644", "é\n".encode()[:2], repo.blob(b"y")))
    tree = tree_of(repo.path)
    assert manifest_update.extent(tree, base, kept) == whole(tree)
    assert kept.renewed == 0


# What has no manifest has none either way.


def nested(repo: Repository, depth: int) -> str:
    """Return the id of a folder that holds a file this many folders down."""
    tree = repo.raw_tree(("100644", b"deep.yaml", repo.blob(b"x")))
    for _ in range(depth):
        tree = repo.raw_tree(("40000", b"d", tree))
    return tree


NOWHERE = "12" * 20
ODD: dict[str, Callable[[Repository, str], object]] = {
    "an executable": lambda repo, blob: repo.commit_registry(("100755", b"run", blob)),
    "a link": lambda repo, blob: repo.commit_registry(("120000", b"link", blob)),
    "a submodule": lambda repo, _: repo.commit_registry(("160000", b"nodes", repo.head)),
    "a mode of nobody": lambda repo, blob: repo.commit_registry(("100600", b"a", blob)),
    "a control character": lambda repo, blob: repo.commit_registry(("100644", b"a\nb", blob)),
    "a name twice": lambda repo, blob: repo.commit_registry(("100644", b"a", blob), ("100644", b"a", repo.blob(b"y"))),
    "another order": lambda repo, blob: repo.commit_registry(("100644", b"b", blob), ("100644", b"a", blob)),
    "a forbidden name": lambda repo, blob: repo.commit_registry(("100644", b".git", blob)),
    "an empty name": lambda repo, blob: repo.commit_registry(("100644", b"", blob)),
    "a blob that is not here": lambda repo, _: repo.commit_registry(("100644", b"a", NOWHERE)),
    "a folder that is not here": lambda repo, _: repo.commit_registry(("40000", b"a", NOWHERE)),
    "a folder that is a file": lambda repo, blob: repo.commit_registry(("40000", b"a", blob)),
    "the registry as a link": lambda repo, blob: repo.commit_tree(repo.raw_tree(("120000", b"registry", blob))),
    "the registry twice": lambda repo, _: repo.commit_tree(
        repo.raw_tree(*[("40000", b"registry", repo.raw_tree())] * 2)
    ),
    "a forbidden name beside it": lambda repo, blob: repo.commit_tree(repo.raw_tree(("100644", b"..", blob))),
    "too deep": lambda repo, _: repo.commit_registry(("40000", b"d", nested(repo, MAX_FOLDER_DEPTH - 1))),
    "far too deep": lambda repo, _: repo.commit_registry(("40000", b"d", nested(repo, MAX_FOLDER_DEPTH + 9))),
}


@pytest.mark.parametrize("what", ODD)
def test_an_odd_tree_is_refused_in_the_same_words(repo: Repository, kept: Kept, what: str) -> None:
    base = base_of(repo.path)
    ODD[what](repo, repo.blob(b"x"))
    tree = tree_of(repo.path)
    with pytest.raises(RegistryError) as plain:
        manifest.of_tree(tree)
    with pytest.raises(RegistryError) as grown:
        manifest_update.extent(tree_of(repo.path), base, kept)
    assert (str(grown.value), grown.value.hint) == (str(plain.value), plain.value.hint)


def test_the_deepest_folder_that_is_listed_grows(repo: Repository, kept: Kept) -> None:
    base = base_of(repo.path)
    repo.write("registry/" + "d/" * (MAX_FOLDER_DEPTH - 1) + "deep.yaml", "a: 1\n")
    repo.commit()
    tree = tree_of(repo.path)
    assert manifest_update.extent(tree, base, kept) == whole(tree)
    assert kept.renewed == 0


# Nothing that the store says is believed.


def poisons(rows: dict[bytes, bytes], rng: random.Random) -> dict[str, object]:
    """Return what may stand in place of a list, by what is wrong about it."""
    other = rng.choice(list(rows.values()))
    entries = dict(merkle_cache.unpack(rng.choice([row for row in rows.values() if row])) or {})
    name = rng.choice(list(entries))
    kind, digest = entries[name]
    swapped = entries | {name: (kind, bytes(32))}
    return {
        "another digest": merkle_cache.pack(swapped),
        "another kind": merkle_cache.pack(entries | {name: (b"file" if kind == b"folder" else b"folder", digest)}),
        "another name": merkle_cache.pack({b"z" + key: value for key, value in entries.items()}),
        "an entry more": merkle_cache.pack(entries | {b"guest": (b"file", digest)}),
        "an entry less": merkle_cache.pack({key: value for key, value in entries.items() if key != name}),
        "cut short": other[:-3],
        "nothing": b"",
        "another folder's": other,
        "foreign bytes": rng.randbytes(80),
        "text": "rubbish",
        "a number": 7,
    }


def lists_of(path: Path) -> dict[bytes, bytes]:
    with sqlite3.connect(path) as database:
        return dict(database.execute("SELECT digest, entries FROM merkle").fetchall())


def test_a_poisoned_store_never_changes_a_root(repo: Repository, kept: Kept) -> None:
    base = base_of(repo.path)
    repo.write("registry/nodes/a/b/one.yaml", "a: changed\n")
    repo.remove("registry/nodes/a/c")
    repo.commit()
    tree = tree_of(repo.path)
    wanted, healthy = whole(tree), lists_of(kept.path)
    rng = random.Random(4)
    slower = 0
    for digest in healthy:
        for what, lie in poisons(healthy, rng).items():
            with sqlite3.connect(kept.path) as database:
                database.executemany("INSERT OR REPLACE INTO merkle VALUES (?, ?, NULL)", healthy.items())
                database.execute("UPDATE merkle SET entries = ? WHERE digest = ?", (lie, digest))
            store = kept.again()
            assert manifest_update.extent(tree, base, store) == wanted, what
            slower += store.renewed
            again = kept.again()
            assert manifest_update.extent(tree, Base(tree, wanted), again) == wanted
            assert again.renewed == 0
    assert slower > len(healthy), "many a lie made it slower"


def test_what_is_forgotten_costs_a_full_build_and_is_known_again(repo: Repository, kept: Kept) -> None:
    base = base_of(repo.path)
    repo.write("registry/nodes/a/b/one.yaml", "a: changed\n")
    repo.commit()
    tree = tree_of(repo.path)
    for digest in lists_of(kept.path):
        with sqlite3.connect(kept.path) as database:
            database.execute("DELETE FROM merkle WHERE digest = ?", (digest,))
        assert manifest_update.extent(tree, base, kept.again()) == whole(tree)
        manifest_update.extent(base.tree, None, kept.again())
    last = kept.again()
    assert manifest_update.extent(tree, base, last) == whole(tree)
    assert last.renewed == 0


def test_a_base_that_is_not_the_trees_own_is_left_to_the_full_build(repo: Repository, kept: Kept) -> None:
    """An extent that does not belong to the commit: its lists are known, and do not fit the difference."""
    before = tree_of(repo.path)
    repo.write("registry/nodes/a/b/new.yaml", "a: 1\n")
    repo.commit()
    after = tree_of(repo.path)
    stranger = Base(before, manifest_update.extent(after, None, kept))
    kept.renewed = 0
    assert manifest_update.extent(after, stranger, kept) == whole(after)
    assert kept.renewed == 1


def test_what_was_replaced_is_kept_for_some_turns_and_no_longer(
    repo: Repository, kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merkle_cache, "KEPT", 5)
    first = base = base_of(repo.path)
    sizes = []
    for number in range(20):
        repo.write("registry/nodes/a/b/one.yaml", f"a: {number}\n")
        repo.commit()
        tree = tree_of(repo.path)
        base = Base(tree, manifest_update.extent(tree, base, kept))
        sizes.append(len(lists_of(kept.path)))
    assert kept.renewed == 0
    assert sizes[-1] == sizes[-8] < sizes[0] + 30
    assert manifest_update.extent(tree, first, kept) == whole(tree)
    assert kept.renewed == 1, "the first root is forgotten"


@pytest.mark.parametrize("turn", [2**62, 2**63 - 1, -5, "rubbish", 1.5, b"x"])
def test_a_poisoned_turn_does_no_harm(repo: Repository, kept: Kept, turn: object) -> None:
    base = base_of(repo.path)
    with sqlite3.connect(kept.path) as database:
        database.execute("INSERT INTO merkle VALUES (?, ?, ?)", (b"x", b"", turn))
    for number in range(3):
        repo.write("registry/nodes/a/b/one.yaml", f"a: {number}\n")
        repo.commit()
        tree = tree_of(repo.path)
        base = Base(tree, manifest_update.extent(tree, base, kept))
        assert base.extent == whole(tree)
    assert kept.notices == []


@pytest.mark.parametrize("data", [b"f", b"x" * 60, b"f" + bytes(32) + b"\0", b"f" + bytes(32) + b"a", "text", None, 3])
def test_bytes_that_are_no_list_are_none(data: object) -> None:
    assert merkle_cache.unpack(data) is None


# The work that is done.


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    counted = {"blobs read": 0, "folders hashed": 0}
    read, folder_hash = CommitTree.read, merkle.folder_hash

    def counted_read(tree: CommitTree, entry: Any) -> bytes:
        counted["blobs read"] += 1
        return read(tree, entry)

    def counted_hash(entries: Entries) -> bytes:
        counted["folders hashed"] += 1
        return folder_hash(entries)

    monkeypatch.setattr(CommitTree, "read", counted_read)
    for module in (merkle, manifest_update):
        monkeypatch.setattr(module, "folder_hash", counted_hash)
    return counted


def test_a_commit_of_one_file_costs_the_same_in_a_small_and_in_a_large_registry(
    tmp_path: Path, work: dict[str, int]
) -> None:
    costs = []
    for nodes in (50, 800):
        folder = tmp_path / f"of-{nodes}"
        generate(folder, Population(seed=3, nodes=nodes, types=8), 2)
        store = Kept(tmp_path / f"{nodes}.sqlite3")
        tree = tree_of(folder)
        base = Base(tree, manifest_update.extent(tree, None, store))
        assert work["blobs read"] == base.extent.files
        made = Repository(folder)
        spec = next(folder.glob("registry/nodes/**/*.yaml")).relative_to(folder).as_posix()
        made.write(spec, (folder / spec).read_text() + "# changed\n")
        made.commit()
        work.update(dict.fromkeys(work, 0))
        tree = tree_of(folder)
        found = manifest_update.extent(tree, base, store)
        costs.append((dict(work), spec.count("/")))
        assert found == whole(tree)
        work.update(dict.fromkeys(work, 0))
    assert costs[0] == costs[1]
    assert costs[0][0] == {"blobs read": 1, "folders hashed": 2 * (costs[0][1] + 1)}, (
        "each on the way: as it was, and is"
    )
