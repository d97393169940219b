"""Tree objects read quickly: only those about which there is nothing to say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodespec.errors import RegistryError
from nodespec.rawtree import _plain_entries, _read_entries, raw_entries

if TYPE_CHECKING:
    from nodespec.tree import Defect

MODES = st.sampled_from([b"100644", b"40000", b"120000", b"160000", b"100755", b"100664", b"040000", b"7", b"", b"x"])
PARTS = st.sampled_from(
    [b"a", b"b", b"-", b".", b"a0", b"git", b".git", b"~1", b":", b" ", b"/", b"\xe2\x80\x8c", b"\xff"]
)
NAMES = st.lists(PARTS, max_size=4).map(b"".join) | st.binary(max_size=3) | st.just(b"n" * 256)
IDS = st.binary(min_size=20, max_size=20)
ENTRIES = st.lists(st.tuples(MODES, NAMES, IDS), max_size=6)


def tree(entries: list[tuple[bytes, bytes, bytes]]) -> bytes:
    return b"".join(b"%b %b\0%b" % entry for entry in entries)


def in_order(entries: list[tuple[bytes, bytes, bytes]]) -> list[tuple[bytes, bytes, bytes]]:
    return sorted(entries, key=lambda entry: entry[1] + b"/" * (entry[0] == b"40000"))


def agrees(data: bytes) -> bool:
    """Whether the fast reader reads these bytes; it may only where the other finds the same, and nothing odd."""
    quick = _plain_entries(data)
    if not quick:
        return False
    defects: list[Defect] = []
    assert quick == _read_entries(data, "", defects)
    assert defects == []
    return True


@given(ENTRIES, st.booleans(), st.integers(0, 40))
def test_the_quick_reader_reads_nothing_that_is_odd(
    entries: list[tuple[bytes, bytes, bytes]], ordered: bool, cut: int
) -> None:
    data = tree(in_order(entries) if ordered else entries)
    agrees(data)
    agrees(data[: len(data) - cut])
    agrees(data[cut:])


@given(st.lists(st.from_regex(r"[a-z][a-z0-9_.-]{0,20}", fullmatch=True), min_size=1, max_size=20, unique=True), IDS)
def test_the_quick_reader_reads_what_is_plain(names: list[str], oid: bytes) -> None:
    entries = [(b"40000" if len(name) % 2 else b"100644", name.encode(), oid) for name in names]
    assert agrees(tree(in_order(entries)))


@pytest.mark.parametrize("beside", [b"z", b"z~"])
def test_a_name_is_odd_whatever_stands_beside_it(beside: bytes) -> None:
    defects: list[Defect] = []
    raw_entries(tree([(b"100644", b"a\\.git", b"1" * 20), (b"100644", beside, b"2" * 20)]), "", defects)
    assert [defect.what for defect in defects] == ["the tree holds a name that no checkout may create"]


@pytest.mark.parametrize("data", [b"100644 a", b"100644 a\0" + b"1" * 19, b"10064x a\0" + b"1" * 20, b"a"])
def test_what_is_malformed_is_refused(data: bytes) -> None:
    with pytest.raises(RegistryError, match="malformed"):
        raw_entries(data, "", [])
