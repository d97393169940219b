"""The Merkle tree: every small tree against the RFC's own recursion, and folders against nested mappings."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nodespec import merkle

EXAMPLES = settings(max_examples=200, deadline=None, derandomize=True)

EMPTY_ROOT = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def mth(data: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, word for word: the hash of a list of inputs."""
    if not data:
        return sha256(b"").digest()
    if len(data) == 1:
        return sha256(b"\x00" + data[0]).digest()
    k = 1
    while k * 2 < len(data):
        k *= 2
    return sha256(b"\x01" + mth(data[:k]) + mth(data[k:])).digest()


def nest(files: dict[str, bytes]) -> dict[bytes, Any]:
    """Return folders as mappings inside mappings."""
    top: dict[bytes, Any] = {}
    for path, digest in files.items():
        *folders, name = path.encode("utf-8", "surrogateescape").split(b"/")
        folder = top
        for part in folders:
            folder = folder.setdefault(part, {})
        folder[name] = digest
    return top


def folder_digest(folder: dict[bytes, Any]) -> bytes:
    leaves = []
    for name in sorted(folder):
        inside = folder[name]
        kind, digest = (b"folder", folder_digest(inside)) if isinstance(inside, dict) else (b"file", inside)
        leaves.append(kind + b"\x00" + name + b"\x00" + digest)
    return mth(leaves)


def leaves_of(size: int) -> list[bytes]:
    return [b"leaf %d" % number for number in range(size)]


def flipped(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


@pytest.mark.parametrize("size", range(65))
def test_every_tree_of_up_to_64_leaves_is_the_tree_of_the_rfc(size: int) -> None:
    leaves = leaves_of(size)
    assert merkle.tree_hash([merkle.leaf_hash(leaf) for leaf in leaves]) == mth(leaves)


def test_the_hash_of_no_leaves_is_the_hash_of_nothing() -> None:
    assert merkle.tree_hash([]).hex() == EMPTY_ROOT
    assert merkle.root({}).hex() == EMPTY_ROOT


def test_published_vectors_hold() -> None:
    """The eight inputs and roots that Certificate Transparency's reference implementation tests with."""
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    roots = {
        1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        4: "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        6: "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        7: "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    }
    leaves = [merkle.leaf_hash(bytes.fromhex(text)) for text in inputs]
    assert {size: merkle.tree_hash(leaves[:size]).hex() for size in roots} == roots


def test_a_leaf_can_never_pass_for_an_inner_node() -> None:
    left, right = merkle.leaf_hash(b"a"), merkle.leaf_hash(b"b")
    assert merkle.leaf_hash(left + right) != merkle.node_hash(left, right)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8])
def test_one_flipped_bit_in_any_leaf_changes_the_hash(size: int) -> None:
    leaves = [merkle.leaf_hash(leaf) for leaf in leaves_of(size)]
    hashes = {merkle.tree_hash(leaves)}
    for position in range(size):
        for bit in range(256):
            changed = flipped(leaves[position], bit)
            hashes.add(merkle.tree_hash([*leaves[:position], changed, *leaves[position + 1 :]]))
    assert len(hashes) == 1 + size * 256


# Names sort around the slash: "a-b" and "a.b" before "a/…", "a0" after it.
segments = st.sampled_from(["a", "a-b", "a.b", "a0", "A", "b", "z", "é", "漢", "\udcff", "a b"])
paths = st.lists(segments, min_size=1, max_size=5).map("/".join)


def without_conflicts(files: dict[str, bytes]) -> dict[str, bytes]:
    """Drop each file whose path is also a folder's: no file system and no Git tree can hold both."""
    folders = {"/".join(path.split("/")[:depth]) for path in files for depth in range(1, path.count("/") + 1)}
    return {path: digest for path, digest in files.items() if path not in folders}


file_sets = st.dictionaries(paths, st.binary(min_size=32, max_size=32), max_size=20).map(without_conflicts)


@given(file_sets)
@EXAMPLES
def test_the_root_follows_the_folders(files: dict[str, bytes]) -> None:
    assert merkle.root(files) == folder_digest(nest(files))


@given(file_sets, st.randoms(use_true_random=False))
@EXAMPLES
def test_the_order_in_which_files_are_named_does_not_matter(files: dict[str, bytes], dice: Any) -> None:
    shuffled = list(files.items())
    dice.shuffle(shuffled)
    assert merkle.root(dict(shuffled)) == merkle.root(files)


@given(file_sets.filter(bool), st.integers(0, 255), st.data())
@EXAMPLES
def test_any_change_to_a_file_changes_the_root(files: dict[str, bytes], bit: int, data: Any) -> None:
    before = merkle.root(files)
    path = data.draw(st.sampled_from(sorted(files)))
    assert merkle.root({**files, path: flipped(files[path], bit)}) != before
    assert merkle.root({name: digest for name, digest in files.items() if name != path}) != before
    moved = {name: digest for name, digest in files.items() if name != path}
    assert merkle.root({**moved, path + ".moved": files[path]}) != before


def test_a_file_and_a_folder_of_one_name_and_digest_differ() -> None:
    digest = bytes(32)
    inside = merkle.root({"b": digest})
    assert merkle.root({"a/b": digest}) != merkle.root({"a": inside})


def test_moving_a_file_between_folders_changes_the_root() -> None:
    digest = bytes(32)
    shapes = [{"a/b/c": digest}, {"a/b-c": digest}, {"ab/c": digest}, {"a/bc": digest}, {"abc": digest}]
    assert len({merkle.root(files) for files in shapes}) == len(shapes)


def test_a_thousand_folders_deep_is_no_problem() -> None:
    files = {"/".join(["d"] * 1000) + "/f": bytes(32)}
    assert merkle.root(files) == folder_digest_of_a_chain(1000, bytes(32))


def folder_digest_of_a_chain(depth: int, digest: bytes) -> bytes:
    inside = mth([b"file\x00f\x00" + digest])
    for _ in range(depth):
        inside = mth([b"folder\x00d\x00" + inside])
    return inside
