"""The manifest: the same bytes from the same commit anywhere, checked against git's own commands."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodespec import manifest
from nodespec.errors import RegistryError
from nodespec.git import GitRepository
from nodespec.manifest import Manifest
from nodespec.tree import MemoryTree
from nodespec.worktree import WorkTree
from tests.simulator import Repository

if TYPE_CHECKING:
    from pathlib import Path

EXAMPLES = settings(max_examples=200, deadline=None, derandomize=True)

FILES = {
    "registry/registry.yaml": b"id: example\n",
    "registry/nodes/a/b/one.yaml": b"a: 1\n",
    "registry/nodes/a/b.yaml": b"a: 2\n",
    "registry/nodes/a-b/two.yaml": "é: 漢\n".encode(),
    "registry/nodes/a/b/empty.yaml": b"",
    "registry/nodes/a/with space.yaml": b"binary \0\xff\r\n",
    "registry/owners/ö/x.json": b"{}",
    "schemas/nodespec.v1.schema.json": b"{}\n",
    "README.md": b"not part of it\n",
    "registry.yaml": b"nor this\n",
}


def repository(path: Path) -> Repository:
    repo = Repository.init(path)
    for name, content in FILES.items():
        repo.write(name, content)
    repo.commit()
    return repo


def manifest_of(path: Path, revision: str = "HEAD") -> bytes:
    git = GitRepository.open(str(path))
    return manifest.of_tree(git.tree(git.resolve(revision))).dump()


def by_git_alone(repo: Repository) -> bytes:
    """Make the manifest with ls-tree and cat-file, and hash the folders by the RFC's recursion."""

    def rfc6962(leaves: list[bytes]) -> bytes:
        if len(leaves) < 2:
            return sha256(b"\x00" + leaves[0] if leaves else b"").digest()
        split = 1 << ((len(leaves) - 1).bit_length() - 1)
        return sha256(b"\x01" + rfc6962(leaves[:split]) + rfc6962(leaves[split:])).digest()

    def folder(below: bytes, files: list[tuple[bytes, bytes]]) -> bytes:
        inside: dict[bytes, list[tuple[bytes, bytes]]] = {}
        leaves = []
        for path, digest in files:
            inside.setdefault(path.removeprefix(below).split(b"/")[0], []).append((path, digest))
        for name, members in sorted(inside.items()):
            is_file = members[0][0] == below + name
            digest = members[0][1] if is_file else folder(below + name + b"/", members)
            leaves.append((b"file" if is_file else b"folder") + b"\x00" + name + b"\x00" + digest)
        return rfc6962(leaves)

    lines, files = [], []
    for row in repo.git("ls-tree", "-r", "-z", "HEAD", "registry/", "schemas/").split("\0")[:-1]:
        fields, path = row.split("\t")
        mode, _, blob = fields.split(" ")
        size = repo.git("cat-file", "-s", blob)
        data = (repo.git("cat-file", "blob", blob) + "\0").encode("utf-8", "surrogateescape")
        # The helper drops one final newline; the size says whether there was one.
        data = data[:-1] if len(data) - 1 == int(size) else data[:-1] + b"\n"
        digest = sha256(data).digest()
        files.append((path.encode(), digest))
        lines.append((path.encode(), f"{mode} {size} {digest.hex()} {path}\n"))
    head = f"nodespec-manifest/v1\nroot {folder(b'', files).hex()}\nfiles {len(files)}\n"
    return (head + "".join(line for _, line in sorted(lines))).encode()


def test_the_manifest_is_what_gits_own_commands_say(tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo")
    text = manifest_of(repo.path)
    assert text == by_git_alone(repo)
    assert text.count(b"\n") == 3 + len(FILES) - 2


def test_a_clone_a_bare_clone_and_a_repacked_clone_give_the_same_bytes(tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo")
    expected = manifest_of(repo.path)
    clone = repo.clone(tmp_path / "clone")
    bare = repo.clone(tmp_path / "bare.git", "--bare")
    packed = repo.clone(tmp_path / "packed")
    packed.git("repack", "-a", "-d", "-f", "--depth=50")
    packed.git("prune-packed")
    shallow = repo.clone(tmp_path / "shallow", "--depth=1")
    assert [manifest_of(other.path) for other in (clone, bare, packed, shallow)] == [expected] * 4


def test_a_clean_checkout_and_its_commit_give_the_same_bytes(tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo")
    assert manifest.of_tree(WorkTree(str(repo.path))).dump() == manifest_of(repo.path)


def test_the_manifest_is_about_the_commit_and_not_the_checkout(tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo")
    expected = manifest_of(repo.path)
    repo.write("registry/registry.yaml", "id: changed\n")
    repo.write("registry/new.yaml", "a: 1\n")
    (repo.path / "schemas/nodespec.v1.schema.json").unlink()
    assert manifest_of(repo.path) == expected


def test_attributes_that_change_a_checkout_change_no_manifest(tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo")
    expected = manifest_of(repo.path)
    repo.write(".gitattributes", "* text eol=crlf\n*.yaml ident export-subst\n")
    repo.git("add", ".gitattributes")
    repo.git("commit", "--quiet", "--message", "attributes")
    clone = repo.clone(tmp_path / "clone")
    assert b"\r\n" in (clone.path / "registry/registry.yaml").read_bytes()
    assert manifest_of(clone.path) == expected


def test_what_stands_outside_the_two_folders_does_not_count(tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo")
    expected = manifest_of(repo.path)
    repo.write("README.md", "changed\n")
    repo.write("registry-2/a.yaml", "a: 1\n")
    repo.commit()
    assert manifest_of(repo.path) == expected
    repo.write("registry/nodes/a/b/one.yaml", "a: 3\n")
    repo.commit()
    assert manifest_of(repo.path) != expected


def test_a_repository_without_a_registry_has_the_empty_manifest(tmp_path: Path) -> None:
    repo = Repository.init(tmp_path / "repo")
    repo.write("README.md", "x\n")
    repo.commit()
    empty = sha256(b"").hexdigest()
    assert manifest_of(repo.path) == f"nodespec-manifest/v1\nroot {empty}\nfiles 0\n".encode()


# What has no manifest.


def refusal(path: Path) -> str:
    with pytest.raises(RegistryError) as error:
        manifest_of(path)
    return str(error.value)


def test_an_executable_file_has_no_place_in_a_manifest(tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo")
    repo.write("registry/run.yaml", "a: 1\n", mode=0o755)
    repo.commit()
    assert "registry/run.yaml: only regular files" in refusal(repo.path)


def test_a_symbolic_link_has_no_place_in_a_manifest(tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo")
    repo.link("schemas/link.json", "nodespec.v1.schema.json")
    repo.commit()
    assert "schemas/link.json: only regular files" in refusal(repo.path)


def test_the_registry_itself_cannot_be_a_link_or_a_file(tmp_path: Path) -> None:
    repo = Repository.init(tmp_path / "repo")
    repo.link("registry", "elsewhere")
    repo.commit()
    assert "registry: only regular files" in refusal(repo.path)


def test_a_submodule_has_no_place_in_a_manifest(tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo")
    repo.commit_registry(("160000", b"nodes", repo.head))
    assert "registry/nodes: only regular files" in refusal(repo.path)


@pytest.mark.parametrize("name", [b"a\nb", b"a\x1b[31m", b"a\x7f", b"\ta"])
def test_a_path_with_a_control_character_has_no_manifest(tmp_path: Path, name: bytes) -> None:
    repo = repository(tmp_path / "repo")
    repo.commit_registry(("100644", name, repo.blob(b"x")))
    said = refusal(repo.path)
    assert "control character" in said
    assert said.isprintable()


def test_a_tree_that_readers_take_differently_has_no_manifest(tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo")
    one, two = repo.blob(b"1"), repo.blob(b"2")
    repo.commit_registry(("100644", b"a.yaml", one), ("100644", b"a.yaml", two))
    assert "names this twice" in refusal(repo.path)


def test_a_name_that_is_not_utf8_is_listed_as_the_bytes_it_is(tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo")
    repo.commit_registry(("100644", b"a\xff.yaml", repo.blob(b"x")))
    text = manifest_of(repo.path)
    assert text.endswith(b" registry/a\xff.yaml\n")
    assert manifest.parse(text).dump() == text


# Reading.


@given(st.dictionaries(st.text("ab/é. ", min_size=1).map("registry/".__add__), st.binary(max_size=20), max_size=6))
@EXAMPLES
def test_what_is_written_is_read_back_byte_for_byte(contents: dict[str, bytes]) -> None:
    folders = {path[:end] for path in contents for end, letter in enumerate(path) if letter == "/"}
    contents = {path: data for path, data in contents.items() if path not in folders}
    written = Manifest.of(contents)
    assert manifest.parse(written.dump()) == written
    assert manifest.parse(written.dump()).dump() == written.dump()


@given(st.binary(max_size=200))
@EXAMPLES
def test_any_bytes_are_a_manifest_or_a_value_error(data: bytes) -> None:
    try:
        read = manifest.parse(data)
    except ValueError:
        return
    assert read.dump() == data


GOOD = Manifest.of({"registry/a.yaml": b"1", "registry/b.yaml": b"22"}).dump()
ROOT = GOOD.split(b"\n")[1]
LINES = GOOD.split(b"\n")[3:5]

ALMOST = {
    "nothing": b"",
    "another version": GOOD.replace(b"/v1", b"/v2"),
    "no final newline": GOOD[:-1],
    "one newline more": GOOD + b"\n",
    "Windows line ends": GOOD.replace(b"\n", b"\r\n"),
    "a wrong count": GOOD.replace(b"files 2", b"files 3"),
    "a padded count": GOOD.replace(b"files 2", b"files 02"),
    "a wrong root": GOOD.replace(ROOT, b"root " + b"0" * 64),
    "a root in capitals": GOOD.replace(ROOT, ROOT.upper().replace(b"ROOT", b"root")),
    "another order": GOOD.replace(b"\n".join(LINES), b"\n".join(LINES[::-1])),
    "a file twice": GOOD.replace(LINES[0], LINES[0] + b"\n" + LINES[0]).replace(b"files 2", b"files 3"),
    "a file left out": GOOD.replace(LINES[0] + b"\n", b""),
    "another mode": GOOD.replace(b"100644", b"100755", 1),
    "a padded size": GOOD.replace(b"100644 1 ", b"100644 01 "),
    "a negative size": GOOD.replace(b"100644 1 ", b"100644 -1 "),
    "a size in other digits": GOOD.replace(b"100644 1 ", "100644 ١ ".encode()),
    "another path": GOOD.replace(b"registry/a.yaml", b"registry/A.yaml"),
    "a path with a tab": GOOD.replace(b"registry/a.yaml", b"registry/a\t.yaml"),
    "no path": GOOD.replace(b" registry/a.yaml", b" "),
    "a space more": GOOD.replace(b"100644 1", b"100644  1"),
    "a comment": GOOD + b"# x\n",
}


@pytest.mark.parametrize("text", ALMOST.values(), ids=ALMOST)
def test_what_is_almost_a_manifest_is_refused(text: bytes) -> None:
    assert manifest.parse(GOOD).dump() == GOOD
    assert text != GOOD
    with pytest.raises(ValueError, match="not a manifest"):
        manifest.parse(text)


def test_every_flipped_bit_is_refused_or_is_in_a_size_which_the_root_does_not_bind() -> None:
    for position in range(len(GOOD)):
        for bit in range(8):
            changed = bytearray(GOOD)
            changed[position] ^= 1 << bit
            try:
                read = manifest.parse(bytes(changed))
            except ValueError:
                continue
            assert read.root == manifest.parse(GOOD).root
            assert [file.size for file in read.files] != [1, 2]


def test_a_tree_in_memory_has_a_manifest_too() -> None:
    assert manifest.of_tree(MemoryTree({"registry/a.yaml": b"1", "registry/b.yaml": b"22"})).dump() == GOOD
