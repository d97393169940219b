"""The fast reader: it declines, or it gives the very value that the reference parser gives without a problem.

``QUICK_TEXTS=1000000 python -m pytest tests/test_fast.py`` tries that many texts in each of the random tests.
"""

from __future__ import annotations

import itertools
import os
import random
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.population import Population
from benchmarks.spec_text import render
from nodespec.document import Document, fast, parse
from nodespec.document.reference import decide
from nodespec.edit import new_registry
from nodespec.text import MAX_BYTES, MAX_DEPTH
from tests.test_yaml_suite import SUITE, below_a_key, read_cases

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[1]
TEXTS = int(os.environ.get("QUICK_TEXTS", "20000"))

Dice = random.Random


def taken(data: bytes) -> bool:
    """Say whether the fast reader takes a text; if so, the reference parser must agree to the letter."""
    value = fast.read(data)
    if value is None:
        return False
    found = decide(data)
    assert found.problems == (), data
    assert repr(value) == repr(found.value), data
    return True


def share_taken(texts: list[bytes]) -> float:
    return sum(map(taken, texts)) / len(texts)


def generated_specs(count: int) -> list[bytes]:
    population = Population(seed=3, nodes=count, types=20)
    return [render(3, population.node(number), number % 3) for number in range(count)]


NODES = [path.read_bytes() for path in sorted((ROOT / "registry" / "nodes").rglob("*.yaml"))]
REPOSITORY = [
    path.read_bytes()
    for folder in ("registry", "tests/fixtures", "schemas")
    for path in sorted((ROOT / folder).rglob("*.*"))
    if path.is_file()
]


# What there is.


@pytest.mark.skipif(not SUITE.is_dir(), reason="the YAML Test Suite is not here; run: python tests/fetch_vectors.py")
def test_it_agrees_about_every_case_of_the_yaml_test_suite() -> None:
    cases = read_cases()
    below = [text for case in cases if (text := below_a_key(case)) is not None]
    assert sum(map(taken, [case.text for case in cases])) > 10
    assert sum(map(taken, below)) > 20


def test_it_agrees_about_every_file_of_this_repository() -> None:
    assert len(REPOSITORY) > 200
    assert sum(map(taken, REPOSITORY)) > 100


def test_it_serves_the_common_case() -> None:
    assert share_taken(NODES) >= 0.95
    assert share_taken(generated_specs(1000)) >= 0.95
    assert share_taken([data for path, data in new_registry("lab").items() if path.endswith(".yaml")]) == 1


def deep(levels: int, innermost: str) -> str:
    """Return a text of keys in each other's mappings, ``levels`` of them, and something in the last."""
    return "".join(f"{' ' * level}a:\n" for level in range(levels)) + innermost.replace("^", " " * levels)


INNERMOST = ["^b: 1\n", "^b: [1]\n", "^b: {c: [1]}\n", "^- 1\n", "^- [1]\n", "^- {c: [1]}\n", "^- c: {d: [1]}\n"]
INNERMOST += ["^- c:\n^  - {d: [1]}\n", "^- c:\n^  - d:\n^    - {e: [1]}\n"]


@pytest.mark.parametrize("innermost", INNERMOST)
def test_it_goes_no_deeper_than_the_deciding_parser(innermost: str) -> None:
    answers = [taken(deep(levels, innermost).encode()) for levels in range(1, MAX_DEPTH + 4)]
    assert answers == sorted(answers, reverse=True)
    assert answers[:20] == [True] * 20


TAKEN = {
    "comments and blank lines": "# a\n\n  # b\na: 1 # c\n\n \nb: # d\n  c: x\n",
    "lists at and beyond their key's column": "a:\n- 1\n- b: x\n  c:\n  - x\n  d: z\ne:\n  -   f: 1\n      g: 2\n",
    "numbers, words and text": 'a: 1\nb: -0.5\nc: true\nd: null\ne: 1.2.0\nf: a:b, c [d] {e} it\'s "f"\n',
    "quoted text": 'a: "yes: # no"\nb: \'C:\\d\'\nc: ""\nd:\n  - "x"  # y\n',
    "brackets": 'a: []\nb: {}\nc: [x y, "z, ]", 1]\nd: {e: [1, 2], f: "g: h", i: true}\nj:\n  - {k: l}\n  - [m]\n',
    "blocks": "a: >-\n  b: c\n  # d\n\ne: |\n  f\n    g\nh:\n  - i: >\n      j\n      k\n  - l: |- # m\n     n\n",
    "letters of every script": "naïve: Größe 漢字 🦊\nb: è\nc: [à la]\n",
}


@pytest.mark.parametrize("text", TAKEN.values(), ids=TAKEN)
def test_it_takes(text: str) -> None:
    assert taken(text.encode())


DECLINED = {
    "nothing": "",
    "only a comment": "# a\n",
    "a last line without an end": "a: 1",
    "a tab": "a:\tb\n",
    "a byte-order mark": "\ufeffa: 1\n",
    "a line end of YAML 1.1": "a: b\u2028c: d\n",
    "a word that readers disagree about": "a: yes\n",
    "such a word as a key": "yes: a\n",
    "such a word in brackets": "a: [1e3]\n",
    "such a word as a key in brackets": "a: {no: b}\n",
    "a number out of range": "a: 9007199254740992\n",
    "a key that is a number": "1: a\n",
    "a key twice": "a: 1\na: 2\n",
    "a key twice in brackets": "a: {b: 1, b: 2}\n",
    "a key without a value": "a:\nb: 1\n",
    "a last key without a value": "a: 1\nb:\n",
    "an item without a value": "a:\n  -\n",
    "a mapping below a value": "a: b\n  c: d\n",
    "a list below a value": "a: b\n- c\n",
    "a column that nothing stands at": "a:\n    b: 1\n  c: 2\n",
    "a key at a list's column": "a:\n  - b\n  c: d\n",
    "an item at a mapping's column": "a:\n  b: c\n  - d\n",
    "a list at the top": "- a\n",
    "a mapping that does not begin the line": " a: 1\n",
    "a value in the next line": "a:\n  b\n",
    "a value of two lines": "a: b\n  c\n",
    "a block with a blank line": "a: |\n  b\n\n  c\n",
    "a block with spaces at a line's end": "a: >\n  b \n  c\n",
    "a folded block with deeper lines": "a: >\n  b\n    c\n",
    "a block with a shallower line": "a:\n  b: |\n      c\n    d\n",
    "a block with spaces in lines after it": "a:\n  b: >-\n   c\n  \n    \n",
    "a block that begins with a blank line": "a: |\n\n  b\n",
    "a block of nothing": "a: |\nb: c\n",
    "a comment without a space": 'a: "b"# c\n',
    "an escape": 'a: "\\x41"\n',
    "a document's start": "---\na: 1\n",
    "a document's end": "a: 1\n...\n",
    "a long line": f"a: {'b' * 1000}\n",
    "a file that is too large": "a: 1\n" + "# b\n" * (MAX_BYTES // 4),
    **{f"a value that begins with {sign}": f"a: {sign}b\n" for sign in "&*!?|>%@`'\",[]{}#:"},
    **{f"a value that begins with {sign} and a space": f"a: {sign} b\n" for sign in "-?:"},
}


@pytest.mark.parametrize("text", DECLINED.values(), ids=DECLINED)
def test_it_declines(text: str) -> None:
    assert fast.read(text.encode()) is None


# What there might be.

TOKENS = [
    *["- ", ": ", " #", "#", "? ", "?", "|", ">", "|\n", ">-\n", "&a ", "*a", "!t ", "%", "@", "`", '"', "'", ","],
    *["[", "]", "{", "}", "[]", "{}", "\t", "\r", "\0", "\x85", "\u2028", "\ufeff", "\xa0", "---", "...", "\n---\n"],
    *["<<", "<<: ", "yes", "007", "1e3", "0x1f", "-1", "null", "~", "  ", "    ", "key :", "key:", '"a" : b', '"a": b'],
    *["-", "--", "- - ", "-\n", ":", "a: b: c", "a:b", "\n", "\n\n", "\n  ", "\n    ", "\n- ", "\n...\n", "é", "\\"],
    *["{a: b}", "[a, b]", "2025-01-01", "22:22", "''", '""', ": \n", " \n", "x" * 1030, "a" * 70_000],
    *[f"{'y' * 1023}: ", f"{'z' * 1025}: 1\n"],  # on both sides of the longest key that libyaml takes
]
KEYS = ["yes", "true", "12", "1.2.0", '"a"', "'b'", "è", "a b", "a/b", "g.h", "-a", "<<", "~", "a\xa0", "?", "a:b", ""]
PLAIN = ["x", "y z", "a:b", "1", "0.5", '"q"', "[a, b c]", "{a: 1}", "[]"]
VALUES = [
    *[
        "-3",
        "007",
        "yes",
        "true",
        "null",
        "'q'",
        '"a: b # c"',
        '"',
        "'",
        "''",
        '"\\"',
        "&a x",
        "*a",
        "!t x",
        "%",
        "@",
        "`",
    ],
    *["{}", "[a,b]", '["a, b", c d]', "[yes]", "[a, ]", "{a: 1, a: 2}", "{a: [1], b: c}", "{a:1}", "[[a]]", "[{a: b}]"],
    *["|+", "|2", ">- # c", "- a", "? a", "a: b", "a :b", "a #b", "a#b", "- ", "-", ":", "a:", "a, b]", "[a: b]"],
    *["%", "@", "`", "a  b", "[a, -1]", "[a b, c:d]", "a\xa0", "\xa0a"],
    *[
        "é",
        "漢",
        "\\",
        "<",
        "+",
        "=",
        ".",
        "...",
        "---",
        "-1:30",
        "1 2",
        "a  b",
        "[a, -1]",
        "[a b, c:d]",
        "a\xa0",
        "\xa0a",
    ],
]
WHOLE = ["", " ", "    ", "# c", "  # c", "---", "...", "text", "  text", "    text", "    te  xt", "text ", "-", "  -"]


def line(choice: Callable[[Any], Any]) -> str:
    """Return one line: most often a key with a value or an item, now and then something odd."""
    whole, odd_key, odd_value, odd_lead, odd_end = (choice(range(8)) == 7 for _ in range(5))
    if whole:
        return str(choice(WHOLE))
    indent = " " * choice((0, 0, 0, 0, 0, 2, 2, 2, 2, 4, 4, 1, 3))
    lead = choice(("-  ", "- - ", "-", "? ", "# ") if odd_lead else ("", "", "", "", "", "", "- ", "- "))
    key = choice(KEYS if odd_key else "abcdefg")
    value = choice(VALUES if odd_value else (*PLAIN, *PLAIN, "", "", "", "|", "|-", ">", ">-"))
    end = choice((" ", "  # c", " # c", "# c", "  ")) if odd_end else ""
    said = value if lead and choice((False, True)) else f"{key}: {value}" if value else f"{key}:"
    return f"{indent}{lead}{said}{end}"


def mutated(dice: Dice, data: bytes) -> bytes:
    """Return a text with one to three things done to it that an author, an editor or an enemy might do."""
    for _ in range(dice.choice((1, 1, 1, 2, 3))):
        data = dice.choice(MUTATIONS)(dice, data)
    return data


def flip(dice: Dice, data: bytes) -> bytes:
    at = dice.randrange(len(data) + 1)
    return data[:at] + bytes([dice.choice((dice.randrange(256), dice.randrange(32, 127)))]) + data[at + 1 :]


def insert(dice: Dice, data: bytes) -> bytes:
    at, token = dice.randrange(len(data) + 1), dice.choice(TOKENS).encode()
    return data[:at] + token + data[at + dice.choice((0, 0, 1, len(token))) :]


def cut(dice: Dice, data: bytes) -> bytes:
    at = dice.randrange(len(data) + 1)
    return data[:at] + data[at + dice.randrange(1, 20) :]


def on_lines(change: Callable[[Dice, list[bytes], int], None]) -> Callable[[Dice, bytes], bytes]:
    def mutate(dice: Dice, data: bytes) -> bytes:
        lines = data.split(b"\n")
        change(dice, lines, dice.randrange(len(lines)))
        return b"\n".join(lines)

    return mutate


def drop(_dice: Dice, lines: list[bytes], at: int) -> None:
    del lines[at]


def repeat(dice: Dice, lines: list[bytes], at: int) -> None:
    lines.insert(dice.choice((at, dice.randrange(len(lines)))), lines[at])


def swap(dice: Dice, lines: list[bytes], at: int) -> None:
    other = dice.randrange(len(lines))
    lines[at], lines[other] = lines[other], lines[at]


def indent(dice: Dice, lines: list[bytes], at: int) -> None:
    for row in range(at, min(len(lines), at + dice.choice((1, 1, 2, 5)))):
        lines[row] = b" " * dice.choice((1, 2, 4)) + lines[row]


def dedent(dice: Dice, lines: list[bytes], at: int) -> None:
    width = dice.choice((1, 2, 4))
    for row in range(at, min(len(lines), at + dice.choice((1, 1, 2, 5)))):
        lines[row] = lines[row].removeprefix(b" " * width)


def extend(dice: Dice, lines: list[bytes], at: int) -> None:
    lines[at] += dice.choice(TOKENS).encode()


def empty(dice: Dice, lines: list[bytes], at: int) -> None:
    lines[at] = lines[at].partition(b":")[0] + b":"


def revalue(dice: Dice, lines: list[bytes], at: int) -> None:
    lines[at] = lines[at].partition(b": ")[0] + b": " + dice.choice(VALUES + TOKENS).encode()


def intrude(dice: Dice, lines: list[bytes], at: int) -> None:
    lines.insert(at, line(dice.choice).encode())


MUTATIONS: list[Callable[[Dice, bytes], bytes]] = [
    *[flip, insert, insert, cut],
    *map(on_lines, (drop, repeat, swap, indent, dedent, extend, empty, revalue, revalue, intrude)),
]


def sources() -> list[bytes]:
    return [*NODES, *(text.encode() for text in TAKEN.values()), *generated_specs(50)]


def test_it_agrees_about_specs_that_something_happened_to() -> None:
    dice = random.Random(20260401)
    texts = sources()
    assert sum(taken(mutated(dice, dice.choice(texts))) for _ in range(TEXTS)) > TEXTS // 10


def test_it_agrees_about_lines_put_together_at_random() -> None:
    dice = random.Random(20260402)

    def text() -> bytes:
        return "".join(line(dice.choice) + "\n" for _ in range(dice.randint(1, 6))).encode()

    assert sum(taken(text()) for _ in range(TEXTS)) > TEXTS // 50


def test_it_agrees_about_tokens_put_together_at_random() -> None:
    dice = random.Random(20260403)
    tokens = [token for token in TOKENS if len(token) < 100] + KEYS + VALUES

    def text() -> bytes:
        body = "".join(dice.choice(tokens) for _ in range(dice.randint(1, 6)))
        return (dice.choice(("", "a: ", "a:\n  ", "a:\n- ", "a: [")) + body + dice.choice(("", "\n", "]\n"))).encode()

    assert sum(taken(text()) for _ in range(TEXTS)) > TEXTS // 100


CHARACTERS = "ab: -\n#1"
PIECES = ["a: b", "a:", "b: |", "c: 1", "- ", " ", "\n", "\n  ", "{}", " #"]


def short_texts() -> Iterator[bytes]:
    for length in range(1, 7):
        for pieces in itertools.product(CHARACTERS, repeat=length):
            yield "".join(pieces).encode() + b"\n"
    for length in range(1, 6):
        for pieces in itertools.product(PIECES, repeat=length):
            yield "".join(pieces).encode() + b"\n"


def test_it_agrees_about_every_short_text() -> None:
    """Every text of up to six of these characters, and of up to five of these pieces: 410,000."""
    assert sum(map(taken, short_texts())) > 500


STRUCTURE = ["^:", "^: 1", "- 1", "- ^:", "- ^: 1", "  ^:", "  ^: 1", "  - 1", "  - ^: 1", "    ^: 1", " ^: 1"]
BELOW_A_SIGN = ["", " ", "  ", "   ", "    ", "c: x", " c: x", "  c: x", "   q", "    q", "   # l", "  # l", "# l"]


def test_it_agrees_about_every_structure_of_up_to_five_lines() -> None:
    """All 177,000 of these lines, fitting and unfitting, each with a key of its own."""
    shapes = (lines for length in range(1, 6) for lines in itertools.product(STRUCTURE, repeat=length))
    texts = ("".join(f"{line}\n".replace("^", "abcde"[row]) for row, line in enumerate(shape)) for shape in shapes)
    assert sum(taken(text.encode()) for text in texts) > 500


@pytest.mark.parametrize("sign", ["|", "|-", ">", ">-"])
def test_it_agrees_about_every_block_of_up_to_four_lines(sign: str) -> None:
    """All 31,000 of these lines below a sign."""
    texts = (lines for length in range(5) for lines in itertools.product(BELOW_A_SIGN, repeat=length))
    assert sum(taken(("\n".join(("a:", f"  b: {sign}", *lines)) + "\n").encode()) for lines in texts) > 100


@given(st.data(), st.integers(1, 12))
@settings(max_examples=200, deadline=None, derandomize=True)
def test_it_agrees_about_lines_that_hypothesis_chooses(data: st.DataObject, count: int) -> None:
    lines = [line(lambda options: data.draw(st.sampled_from(options))) for _ in range(count)]
    taken(("\n".join(lines) + "\n").encode())


@given(st.text(max_size=40), st.text(max_size=20))
@settings(max_examples=500, deadline=None, derandomize=True)
def test_it_agrees_about_any_key_and_value(key: str, value: str) -> None:
    taken(f"{key}: {value}\n".encode("utf-8", "replace"))
    taken(f"a: [{value}, {key}]\nb: {{{key}: {value}}}\n".encode("utf-8", "replace"))


HOSTILE = [" " * 60_000 + "%\n", "a:" + " " * 60_000 + "%\n", "- " * 30_000 + "\n", "a: " + "b " * 30_000 + ":\n"]
HOSTILE += [f"a: {'[a, ' * 12_000}\n", (" " * 490 + "%\n") * 120, ("a: " + "b " * 240 + ":\n") * 120]
HOSTILE += [("a: [" + "b c, " * 95 + "\n") * 120, ("a: {" + "b: [c d], " * 48 + "\n") * 120]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text.strip()[:10])
def test_a_hostile_text_is_declined_at_once(text: str) -> None:
    begin = time.process_time()
    assert fast.read(text.encode()) is None
    for line in text.split("\n"):
        fast.read(f"{line}\n".encode())
    assert time.process_time() - begin < 0.2


# What it leaves to others, and what it remembers.


def key_paths(value: Any, above: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield above
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for part, inner in items:
        yield from key_paths(inner, (*above, part))


@pytest.mark.parametrize("data", [NODES[0], NODES[-1], *(text.encode() for text in TAKEN.values())])
def test_marks_are_those_of_the_deciding_parser(data: bytes) -> None:
    quickly, slowly = parse(data), Document(*decide(data))
    assert taken(data)
    for path in [*key_paths(slowly.value), ("absent",), ("a", "absent", 3)]:
        for on_key in (False, True):
            assert quickly.locate(path, on_key=on_key) == slowly.locate(path, on_key=on_key)


def test_two_texts_with_equal_lines_share_no_list_and_no_mapping() -> None:
    data = b"a: [1]\nb: {c: [d], e: f}\ng:\n  - [h]\n  - {}\n"
    one, other = parse(data).value, parse(data).value
    assert one is not None
    for path in key_paths(one):
        part, twin = one, other
        for step in path:
            part, twin = part[step], twin[step]
        assert part is not twin or not isinstance(part, dict | list)
