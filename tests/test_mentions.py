"""Files that hold a name are found without parsing any, and none that a parser would find is missed."""

from __future__ import annotations

import pytest

from nodespec import document
from nodespec.mentions import mentioning
from nodespec.text import MAX_BYTES
from nodespec.tree import MemoryTree


def found(*names: str, **texts: bytes) -> list[str]:
    tree = MemoryTree({f"registry/nodes/{name}.yaml": text for name, text in texts.items()})
    held = mentioning(tree, tree.entries, names)
    return [entry.path.removeprefix("registry/nodes/").removesuffix(".yaml") for entry in held]


def test_a_file_that_holds_a_name_is_found_and_no_other() -> None:
    texts = {"a": b"signal: rain_fell\n", "b": b"signal: snow_fell\n", "c": b"# rain_fell\n"}
    assert found("rain_fell", **texts) == ["a", "c"]
    assert found("rain_fell", "snow_fell", **texts) == ["a", "b", "c"]
    assert found(**texts) == []
    assert found("fell.", **texts) == [], "a name is no pattern"


@pytest.mark.parametrize(
    "text", [rb'signal: "rain\u005ffell"', rb'signal: "rain\x5ffell"', b'signal: "rain_\\\n  fell"']
)
def test_a_name_that_is_written_with_an_escape_is_found(text: bytes) -> None:
    value = document.parse(text + b"\n").value
    assert value == {"signal": "rain_fell"}
    assert found("rain_fell", a=text) == ["a"]


def test_a_file_that_is_too_large_to_be_a_node_is_nobodys() -> None:
    assert found("rain_fell", a=b"rain_fell" + b" " * MAX_BYTES) == []


def test_many_processes_find_what_one_does() -> None:
    files = {f"registry/nodes/n{number:04}.yaml": b"signal: s%d\n" % (number % 7) for number in range(900)}
    tree = MemoryTree(files)
    one, several = (mentioning(tree, tree.entries, ["s3", "s5"], jobs=jobs) for jobs in (1, 2))
    assert one == several
    assert len(one) == sum(number % 7 in (3, 5) for number in range(900))
