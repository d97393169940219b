"""The strict YAML profile: each of its items, hostile texts, and agreement with other people's readers."""

from __future__ import annotations

import io
import itertools
import json
import random
import re
import tracemalloc
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode as RuamelScalar
from ruamel.yaml.tag import Tag

from nodespec.document import Document, dump, parse, reference, strict
from nodespec.document.composer import Composer
from nodespec.finding import START, Span
from nodespec.scalar import plain_meaning
from nodespec.text import MAX_BYTES, MAX_DEPTH, MAX_PROBLEMS, SURPRISE

EXAMPLES = settings(max_examples=200, deadline=None, derandomize=True)


def problems(text: str | bytes) -> list[tuple[str, int, int]]:
    found = parse(text.encode() if isinstance(text, str) else text).problems
    return [(problem.slug, problem.span.line, problem.span.column) for problem in found]


def read_as_1_1(text: str) -> Any:
    """PyYAML's SafeLoader in pure Python: YAML 1.1, and not the parser that nodespec uses."""
    return yaml.load(text, yaml.SafeLoader)


def read_as_1_2(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(io.StringIO(text))


READERS = {"YAML 1.1": read_as_1_1, "YAML 1.2": read_as_1_2}


def same(one: Any, other: Any) -> bool:
    """Equal in value, in type (1 is not True, nor 1.0) and in the order of keys, all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def disagreements(text: str) -> dict[str, object]:
    """Return what each reader makes of an accepted text, where that is something else."""
    value = parse(text.encode()).value
    found: dict[str, object] = {}
    for name, read in READERS.items():
        try:
            other = read(text)
        except Exception as error:  # noqa: BLE001  # whatever another reader raises is its refusal
            found[name] = f"refuses it: {type(error).__name__}"
        else:
            if not same(other, value):
                found[name] = other
    return found


# Each item of the profile.

ACCEPTED = {
    "the smallest mapping": ("a: 1\n", {"a": 1}),
    "an empty mapping in flow style": ("{}\n", {}),
    "comments and blank lines": ("# first\n\na: 1  # why\n\n# last\n", {"a": 1}),
    "a document start marker": ("---\na: 1\n", {"a": 1}),
    "lists and mappings in block style": ("a:\n  - b: 1\n    c: 2\n  - d\n", {"a": [{"b": 1, "c": 2}, "d"]}),
    "a list at its key's own column": ("a:\n- 1\n- 2\n", {"a": [1, 2]}),
    "lists and mappings in flow style": ("a: [1, {b: c}, []]\n", {"a": [1, {"b": "c"}, []]}),
    "JSON": ('{"a": [1, 2.5, null, true, "x"]}\n', {"a": [1, 2.5, None, True, "x"]}),
    "quoted words stay text": ("a: \"yes\"\nb: '007'\n\"null\": '~'\n", {"a": "yes", "b": "007", "null": "~"}),
    "a literal block": ("a: |\n  one\n  two\nb: 1\n", {"a": "one\ntwo\n", "b": 1}),
    "a folded block without its last newline": ("a: >-\n  one\n  two\n", {"a": "one two"}),
    "plain text over two lines": ("a: one\n  two\n", {"a": "one two"}),
    "letters of every script": ("naïve: Größe 漢字 🦊\n", {"naïve": "Größe 漢字 🦊"}),
    "an escaped line end and an escaped tab": ('a: "x\\n\\ty"\n', {"a": "x\n\ty"}),
    "ampersands, stars and bangs inside text": (
        'a: "&x *y !z"\nb: R&D\nc: hey!\n',
        {"a": "&x *y !z", "b": "R&D", "c": "hey!"},
    ),
    "a quoted merge sign": ('"<<": 1\n', {"<<": 1}),
    "the largest integers": ("a: 9007199254740991\nb: -9007199254740991\n", {"a": 2**53 - 1, "b": 1 - 2**53}),
}


@pytest.mark.parametrize(("text", "value"), ACCEPTED.values(), ids=ACCEPTED)
def test_the_profile_accepts(text: str, value: dict[str, Any]) -> None:
    assert problems(text) == []
    assert same(parse(text.encode()).value, value)
    assert disagreements(text) == {}


REFUSED: dict[str, tuple[str | bytes, str, int, int]] = {
    "bytes that are not UTF-8": (b"a: 1\nb: \xff\n", "not-utf8", 2, 4),
    "a surrogate in UTF-8": (b"a: \xed\xa0\x80\n", "not-utf8", 1, 4),
    "an overlong NUL": (b"a: \xc0\x80\n", "not-utf8", 1, 4),
    "UTF-16": ("a: 1\n".encode("utf-16"), "not-utf8", 1, 1),
    "a byte-order mark": (b"\xef\xbb\xbfa: 1\n", "byte-order-mark", 1, 1),
    "Windows line ends": ("a: 1\r\nb: 2\r\n", "carriage-return", 1, 5),
    "a lone carriage return": ("a: 1\rb: 2\n", "carriage-return", 1, 5),
    "a tab": ("a: 1\nb:\t2\n", "control-character", 2, 3),
    "NUL": ("a: 1\nb: x\0y\n", "control-character", 2, 5),
    "escape, which colours terminals": ("a: \x1b[31m\n", "control-character", 1, 4),
    "delete": ("a: \x7f\n", "control-character", 1, 4),
    "next line, a line end in YAML 1.1": ("a: x\x85b: y\n", "control-character", 1, 5),
    "line separator, a line end in YAML 1.1": ("a: x\u2028b: y\n", "hidden-character", 1, 5),
    "text turned right to left": ("a: é\u202e\n", "hidden-character", 1, 5),
    "a zero-width space": ("a: x\u200by\n", "hidden-character", 1, 5),
    "a byte-order mark inside": ("a: x\ufeff\n", "hidden-character", 1, 5),
    "a noncharacter": ("a: \ufffe\n", "hidden-character", 1, 4),
    "NUL by an escape": ('a: 1\nb: "\\0"\n', "control-character", 2, 4),
    "next line by an escape": ('a: "\\N"\n', "control-character", 1, 4),
    "text turned right to left by an escape": ('a: ["\\u202e"]\n', "hidden-character", 1, 5),
    "a hidden character in a key by an escape": ('a: 1\n"\\u200b": 1\n', "hidden-character", 2, 1),
    "half a character by an escape": ('a: "\\ud800"\n', "syntax-error", 1, 7),
    "nothing at all": ("", "empty-document", 1, 1),
    "only a comment": ("# nothing\n", "empty-document", 1, 1),
    "a list": ("# x\n- a\n", "not-a-mapping", 2, 1),
    "a word": ("a\n", "not-a-mapping", 1, 1),
    "two documents": ("a: 1\n---\nb: 2\n", "multiple-documents", 2, 1),
    "an anchor": ("a: &x 1\n", "anchor-or-alias", 1, 4),
    "an anchor on a mapping": ("a: 1\nb: &x {c: 1}\n", "anchor-or-alias", 2, 4),
    "an alias without an anchor": ("a: *x\n", "anchor-or-alias", 1, 4),
    "a merge": ("a: 1\n<<: {b: 2}\n", "merge-key", 2, 1),
    "a tag": ("a: !x 1\n", "tag", 1, 4),
    "a standard tag": ("a: 1\nb: !!str 2\n", "tag", 2, 4),
    "a verbatim tag": ("a: !<tag:x> y\n", "tag", 1, 4),
    "a tag without a name": ("a: ! 12\n", "tag", 1, 4),
    "a tag on the document": ("--- !x\na: 1\n", "tag", 1, 5),
    "a version directive": ("%YAML 1.1\n---\na: 1\n", "directive", 1, 1),
    "a tag directive": ("%TAG ! tag:x,2000:\n---\na: 1\n", "directive", 1, 1),
    "a key that appears twice": ("a: 1\nb: 2\na: 3\n", "duplicate-key", 3, 1),
    "a key that appears twice in two spellings": ('a: 1\n"a": 2\n', "duplicate-key", 2, 1),
    "a key that appears twice further down": ("a:\n  - {b: 1, b: 2}\n", "duplicate-key", 2, 12),
    "a number as a key": ("a: 1\n12: x\n", "key-not-text", 2, 1),
    "true as a key": ("true: x\n", "key-not-text", 1, 1),
    "null as a key": ("null: x\n", "key-not-text", 1, 1),
    "a list as a key": ("{[a]: b}\n", "key-not-text", 1, 2),
    "a key after a question mark": ("a: 1\n? b\n: c\n", "syntax-error", 2, 1),
    "a mapping as a key": ("{{a: 1}: b}\n", "key-not-text", 1, 2),
    "yes as a key": ("yes: x\n", "ambiguous-scalar", 1, 1),
    "yes": ("a: yes\n", "ambiguous-scalar", 1, 4),
    "a key without a value": ("a:\nb: 1\n", "ambiguous-scalar", 1, 3),
    "a flow key without a value": ("a: {b, c: 1}\n", "ambiguous-scalar", 1, 6),
    "a list item without a value": ("a:\n  -\n  - 1\n", "ambiguous-scalar", 2, 4),
    "an integer beyond 2^53 - 1": ("a: 9007199254740992\n", "number-out-of-range", 1, 4),
    "an integer below -(2^53 - 1)": ("a: -9007199254740992\n", "number-out-of-range", 1, 4),
    "an integer of 10,000 digits": (f"a: {'9' * 10_000}\n", "number-out-of-range", 1, 4),
    "an infinite float": ("a: 1.5e+999\n", "number-out-of-range", 1, 4),
    "a mapping inside a plain value": ("a: b: c\n", "syntax-error", 1, 5),
    "indentation that fits nothing": ("  a: 1\n b: 2\n", "syntax-error", 2, 2),
    "a reserved indicator": ("a: @x\n", "syntax-error", 1, 4),
    "a comma without an item": ("a: [,]\n", "syntax-error", 1, 5),
}


@pytest.mark.parametrize(("text", "slug", "line", "column"), REFUSED.values(), ids=REFUSED)
def test_the_profile_refuses(text: str | bytes, slug: str, line: int, column: int) -> None:
    assert problems(text)[0] == (slug, line, column)


@pytest.mark.parametrize("open_end", ["a: 'x\n", 'a: "x\n', "a: [1\n", "a: {b: 1\n", "a: [{]}\n"])
def test_what_is_opened_must_be_closed(open_end: str) -> None:
    assert [slug for slug, _, _ in problems(open_end)] == ["syntax-error"]


def test_the_size_limit_is_exact() -> None:
    comment = b"a: 1\n#" + b"x" * (MAX_BYTES - 7) + b"\n"
    assert len(comment) == MAX_BYTES
    assert problems(comment) == []
    assert problems(comment + b"\n") == [("too-large", 1, 1)]


@pytest.mark.parametrize("style", ["block", "one column a level", "flow", "lists in one line"])
def test_the_depth_limit_is_exact(style: str) -> None:
    def nested(levels: int) -> str:
        if style == "block":
            return "".join(f"{'  ' * level}a:\n" for level in range(levels - 1)) + "  " * (levels - 1) + "a: 1\n"
        if style == "one column a level":
            return "".join(f"{' ' * level}a:\n" for level in range(levels - 1)) + " " * (levels - 1) + "a: 1\n"
        if style == "lists in one line":
            return "a:\n  " + "- " * (levels - 1) + "1\n"
        return "{a: " * levels + "1" + "}" * levels + "\n"

    assert problems(nested(MAX_DEPTH)) == []
    assert [slug for slug, _, _ in problems(nested(MAX_DEPTH + 1))] == ["too-deep"]


def test_every_problem_is_found_at_once_and_no_more_than_the_limit() -> None:
    assert problems("a: yes\nb: 007\na: ~\n") == [
        ("ambiguous-scalar", 1, 4),
        ("ambiguous-scalar", 2, 4),
        ("duplicate-key", 3, 1),
        ("ambiguous-scalar", 3, 4),
    ]
    assert len(problems("".join(f"k{n}: yes\n" for n in range(1000)))) == MAX_PROBLEMS
    assert len(problems("".join(f"k{n}: &a 1\n" for n in range(1000)))) == MAX_PROBLEMS
    assert len(problems("a: \x01" + "\x01" * 1000)) == MAX_PROBLEMS


def test_an_ambiguous_word_comes_with_its_repair() -> None:
    (problem,) = parse(b"a: 007\n").problems
    assert problem.fix == 'Quote it: "007".'
    assert problem.span == Span(line=1, column=4, width=3)
    (problem,) = parse(b"12: x\n").problems
    assert problem.fix == 'Quote it: "12".'


def test_columns_count_characters_not_bytes() -> None:
    assert problems("é漢🦊: yes\n") == [("ambiguous-scalar", 1, 6)]
    assert problems("é漢🦊: \x01\n") == [("control-character", 1, 6)]


def test_a_file_without_a_usable_value_has_none_and_a_file_with_mistakes_keeps_it() -> None:
    assert parse(b"a: &x 1\n").value is None
    assert parse(b"- 1\n").value is None
    assert parse(b"a: yes\nb: 2\n").value == {"a": "yes", "b": 2}


# What a plain scalar means.

WORDS = ["yes", "no", "on", "off", "y", "n", "true", "false", "null"]
AMBIGUOUS = [
    *[word for name in WORDS for word in (name, name.title(), name.upper()) if word not in ("true", "false", "null")],
    *["", "~", "=", "<<", "007", "08", "0o7", "0x1f", "0X1F", "0b1", "-0x1f", "1_000", "1__0", "0_", "-1_0", "1,000"],
    *["1:30", "22:22", "-1:30", "1:2:3.5", "2025-10-24", "2025-1-2", "2001-12-14t21:59:43.10-05:00"],
    *["2001-12-14 21:59:43.10 -5", "2001-12-15T02:59:43.1Z", "1e3", "1E3", "1.5e3", "1e-3", "-1e+3", "1.e+3"],
    *[".5", "-.5", "+.5", "1.", "-1.", "+1", "+1.5", "-0", "00", "-007", "00.5", "1_0.5", ".5_0"],
    *[".nan", ".NaN", ".NAN", ".inf", ".Inf", "-.inf", "+.INF", ":sym", ":a:b"],
]
TEXT = [
    *["1.2.0", "v1", "1.2.3-rc.1", "none", "a1", "None", "NULL_", "nil", "undefined", "yess", "yes please", "offf"],
    *["nan", "inf", "NaN", "Infinity", "e", "x1f", "0x", "0xg", "1a", "12px", "1 2", "1/2", "1-2", "2025-10", "24h"],
    *[
        "a:b",
        "http://example.org/",
        "1.2.3.4",
        "a-b",
        "-a",
        "--",
        "+a",
        "..",
        ".a",
        "a.b",
        "<",
        "<<<",
        "==",
        "~a",
        "a~",
    ],
    *["GLYMPH:0a", "memory:read/*", "5%", "1:a", "1:300", "12:", "2025-10-24x", "t", "f", "True story", "è"],
]
NUMBERS = {
    "0": 0,
    "12": 12,
    "-3": -3,
    "0.5": 0.5,
    "-0.5": -0.5,
    "10.25": 10.25,
    "1.0": 1.0,
    "1.5e+3": 1500.0,
    "1.5E-3": 0.0015,
    "-0.0": -0.0,
    "null": None,
    "true": True,
    "false": False,
}


@pytest.mark.parametrize("text", AMBIGUOUS)
def test_a_scalar_that_readers_take_for_different_things_must_be_quoted(text: str) -> None:
    assert plain_meaning(text).problem == "ambiguous-scalar"
    assert problems(f"a: {text}\n") == [("ambiguous-scalar", 1, 4 if text else 3)]


@pytest.mark.parametrize("text", TEXT)
def test_a_scalar_that_no_reader_takes_for_anything_else_is_text(text: str) -> None:
    meaning = plain_meaning(text)
    assert (meaning.value, meaning.problem) == (text, "")


@pytest.mark.parametrize(("text", "value"), NUMBERS.items())
def test_a_scalar_in_json_notation_is_what_json_says(text: str, value: object) -> None:
    meaning = plain_meaning(text)
    assert meaning.problem == ""
    assert same(meaning.value, value)
    assert same(json.loads(text), value)


@pytest.mark.parametrize("text", [*NUMBERS, *(text for text in TEXT if text not in ("--", "12:"))])
def test_other_readers_agree_about_what_is_accepted_plain(text: str) -> None:
    assert disagreements(f"a: {text}\n") == {}
    assert disagreements(f"a:\n  - {text}\n") == {}


def test_readers_of_both_versions_agree_about_every_short_scalar_that_is_accepted() -> None:
    """Every text of one to four of these characters: 69,904 scalars, resolved as a plain value is."""
    old = yaml.SafeLoader("")
    new = YAML(typ="safe", pure=True)
    new.load("a: 1")

    def as_1_1(text: str) -> object:
        tag = old.resolve(yaml.ScalarNode, text, (True, False))
        return text if tag.endswith(":str") else old.construct_object(yaml.ScalarNode(tag, text))

    def as_1_2(text: str) -> object:
        tag = str(new.resolver.resolve(RuamelScalar, text, (True, False)))
        return text if tag.endswith(":str") else new.constructor.construct_object(RuamelScalar(Tag(suffix=tag), text))

    accepted, holes = 0, {}
    for length in range(1, 5):
        for letters in itertools.product("01-+._:exobyn~=<", repeat=length):
            text = "".join(letters)
            meaning = plain_meaning(text)
            if meaning.problem:
                continue
            accepted += 1
            for read in (as_1_1, as_1_2):
                try:
                    value = read(text)
                except ValueError as error:
                    value = error
                if not same(value, meaning.value):
                    holes[text] = value
    assert accepted > 50_000
    assert holes == {}


# Where readers disagree about more than a scalar.

READERS_DISAGREE = {
    "a comment without a space after a quoted value": 'a: "b"# c\n',
    "a comment without a space after a quoted value in single quotes": "a: 'b'# c\n",
    "a comment without a space after a list": "a: [b]# c\n",
    "a comment without a space after a mapping": "a: {}#\n",
    "a comment without a space after an opening bracket": "a: [# c\n  b]\n",
    "a comment without a space after an opening brace": "a: {# c\n  b: c}\n",
    "a comment without a space after a comma": "a: [b,# c\n  d]\n",
    "a comment without a space after a block sign": "a: |# c\n  b\n",
    "a comment without a space after a block sign and its indicators": "a: >2-# c\n  b\n",
    "a question mark that one reader drops from the key": "a: { ?b: c}\n",
    "a question mark inside a plain word in flow style": "a: [b?]\n",
    "a lone hyphen in flow style": "a: [-]\n",
    "two lone hyphens in flow style": "a: [-, -]\n",
    "a lone hyphen on the next line in flow style": "a: [b:\n  -]\n",
    "a list that goes on at its key's column": "a: [b,\nc]\n",
    "a list that ends at its key's column": "a: [\n  b\n]\n",
    "a mapping that goes on at its key's column": "a:\n  b: {c: 1,\n  d: 2}\n",
    "text in double quotes that goes on at its key's column": 'a: "b\nc"\n',
    "text in single quotes that goes on at its key's column": "a: 'b\nc'\n",
    "a block sign at its key's column": "a:\n|\n  b\n",
    "an empty block whose sign is at its key's column": "a:\n>-\n",
    "an empty block whose sign is at its key's column and ends the file": "a:\n>-",
    "text in quotes with a line that begins with a wide space at its key's column": "a: 'b\n\u3000\n  c'\n",
    "an escaped line end before a blank line": 'a: "b\\\n\n  c"\n',
    "a block whose first line is spaces, fewer than before its text": "a: >\n  \n    b\n",
    "a block of growing lines of spaces": "a: >\n \n  \n   \n # c\nb: 1\n",
    "a block whose first blank line is indented more than its text": "a: |\n     \n  b\n",
    "a block of nothing but spaces": "a: |\n   ",
    "a block whose last line is spaces without a line end": "a: |\n  b\n   ",
    "a block that ends without a line end": "a: |\n  b",
    "a document that ends twice": "a: 1\n...\n...\n",
    "a sign before an underscore": "a: +_1\n",
    "a point before an underscore": "a: ._1\n",
    "a sign and an underscore that one reader chokes on": "a: -_\n",
}


@pytest.mark.parametrize("text", READERS_DISAGREE.values(), ids=READERS_DISAGREE)
def test_a_text_that_readers_take_differently_is_refused(text: str) -> None:
    """Each was found by comparing readers: PyYAML, libyaml, ruamel.yaml, js-yaml, yaml, two parsers in Rust."""
    assert problems(text) != []


PIECES = [
    *[
        "a",
        "b",
        "key",
        "é",
        "🦊",
        "\u3000",
        "\xa0",
        "a  b",
        "x: y",
        "http://x",
        "a:b",
        "#",
        " #",
        "# c",
        "x#y",
        "'#",
        "]#",
    ],
    *["- ", "-", "--", ": ", ":", ",", "[", "]", "{", "}", "[]", "{}", "? ", "?", "?a", "!", "&a", "*a", "%", "@", "`"],
    *["\n", "\n\n", "\n  ", "\n    ", "\n  - ", "\n \n", "\n   \n", " ", "  ", "'", '"', "''", "|", "|\n  ", ">\n  "],
    *["|-", "|+", ">-", "|2\n", "\\", "\\n", '\\"', "\\x41", "\\\n", "---", "...", "\n---\n", "\n...\n", "\\u263a"],
    *["1", "0", "007", "-1", "0.5", "1.5e+3", "1e3", "yes", "null", "true", "~", "=", "<<", "2025-10-24", "1:30"],
    *["+_", "_1", "_", "+", ".", "..", "k: [", "k: {", "k: |\n  ", "k: >\n  ", "k: '", 'k: "', "a: 1\n", "'a':1"],
]
BEGINNINGS = [
    "",
    "a: ",
    "k:\n  ",
    "m: 1\nn: ",
    "k: [",
    "k: {",
    "'q': ",
    "k:\n- ",
    "k: - ",
    "k: |\n  x\n  ",
    'k: "a',
    "k: 'a",
]
CLOSERS = {"k: [": "]", "k: {": "}", 'k: "a': '"', "k: 'a": "'"}

yaml_like = st.builds(
    lambda beginning, pieces, end: beginning + "".join(pieces) + end,
    st.sampled_from(BEGINNINGS),
    st.lists(st.sampled_from(PIECES), max_size=12),
    st.sampled_from(["", "\n", "]\n", "}\n", '"\n', "'\n"]),
)


def check_promises(data: bytes, found: Document) -> None:
    """What holds for any input: a value or problems, and every problem inside the text."""
    assert found.value is None or isinstance(found.value, dict)
    assert found.value is not None or found.problems
    lines = data.decode("utf-8", "replace").split("\n")
    for problem in found.problems:
        span = problem.span
        assert problem.slug
        assert problem.message
        assert 1 <= span.line <= len(lines), f"{problem} is below the last line of {data!r}"
        assert 1 <= span.column <= len(lines[span.line - 1]) + 1, f"{problem} is beside the line in {data!r}"
        assert span.width >= 1


@given(st.binary(max_size=300))
@example(b"a: \xff")
@example(b"?")
@example(b"---")
@EXAMPLES
def test_any_bytes_give_a_document_and_never_an_exception(data: bytes) -> None:
    check_promises(data, parse(data))


@given(st.text(max_size=300))
@EXAMPLES
def test_any_text_gives_a_document_and_never_an_exception(text: str) -> None:
    data = text.encode("utf-8", "replace")
    check_promises(data, parse(data))


@given(yaml_like)
@example("k: [")
@example("a: 1\nb: {# c")
@EXAMPLES
def test_anything_that_looks_like_yaml_gives_a_document(text: str) -> None:
    check_promises(text.encode(), parse(text.encode()))


@given(yaml_like)
@EXAMPLES
def test_what_is_accepted_means_the_same_to_every_reader(text: str) -> None:
    if not parse(text.encode()).problems:
        assert disagreements(text) == {}


def test_thousands_of_accepted_texts_mean_the_same_to_every_reader() -> None:
    dice = random.Random(20260314)
    accepted, holes = 0, {}
    while accepted < 2_000:
        beginning = dice.choice(BEGINNINGS)
        body = "".join(dice.choice(PIECES) for _ in range(dice.randint(0, 10)))
        text = beginning + body + dice.choice(["", CLOSERS.get(beginning, "")]) + dice.choice(["", "\n"])
        found = parse(text.encode())
        check_promises(text.encode(), found)
        if not found.problems:
            accepted += 1
            holes.update({text: disagreements(text)} if disagreements(text) else {})
    assert holes == {}


# Hostile texts.


def alias_bomb() -> bytes:
    """Nine lists of nine aliases each: 289 bytes that stand for 43 million leaves."""
    names = "abcdefgh"
    lines = ["a: &a [" + ",".join(["x"] * 9) + "]"]
    lines += [f"{name}: &{name} [" + ",".join([f"*{above}"] * 9) + "]" for above, name in itertools.pairwise(names)]
    return "\n".join(lines).encode() + b"\n"


HOSTILE = {
    "an alias bomb": (alias_bomb(), "anchor-or-alias"),
    "a mapping that holds itself": (b"a: &a\n  b: *a\n", "anchor-or-alias"),
    "10,000 open brackets": (b"a: " + b"[" * 10_000, "too-deep"),
    "10,000 nested lists": (b"a: " + b"[" * 10_000 + b"]" * 10_000 + b"\n", "too-deep"),
    "10,000 open braces": (b"{a: " * 10_000, "too-deep"),
    "60 KB of list items in list items": (b"- " * 30_000, "too-deep"),
    "60 KB of list items below a key": (b"a:\n  " + b"- " * 30_000 + b"1\n", "too-deep"),
    "explicit keys in explicit keys": (b"? " * 30_000, "too-deep"),
    "mappings deeper by one column each": (b"".join(b" " * n + b"a:\n" for n in range(300)), "too-deep"),
    "flow lists inside deep block lists": (b"a:\n " + b"- " * 18 + b"[" * 64 + b"]" * 64 + b"\n", "too-deep"),
    "block lists far into a line": (b"a:\n" + b" " * 39 + b"- " * 3_000 + b"1\n", "too-deep"),
    "5 MB": (b"a: 1\n" * 1_000_000, "too-large"),
    "5 MB of brackets": (b"[" * 5_000_000, "too-large"),
    "a call to the system": (b"a: !!python/object/apply:os.system [id]\n", "tag"),
    "a call to the system by another name": (
        b"%TAG ! tag:yaml.org,2002:python/\n---\na: !name:os.system\n",
        "directive",
    ),
    "an open quote before 60 KB": (b'a: "' + b"x\n" * 30_000, "syntax-error"),
    "an open single quote before 60 KB": (b"a: '" + b"x\n" * 30_000, "syntax-error"),
    "a key of 2,000 characters": (b"x" * 2_000 + b": 1\n", "syntax-error"),
    "NUL bytes": (b"\0" * 1_000, "control-character"),
    "invalid UTF-8 at the very end": (b"a: 1\n" * 1_000 + b"\xe2\x82", "not-utf8"),
}


EARLY = ("anchor-or-alias", "tag", "directive", "too-large", "too-deep")
WITHIN_BOUNDS = "flow lists inside deep block lists"
"""Deeper than the limit and shallow enough to compose: the walk over the nodes refuses it."""


@pytest.mark.parametrize(("data", "slug"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_text_is_refused_with_a_problem(data: bytes, slug: str) -> None:
    found = parse(data)
    assert found.problems[0].slug == slug
    assert len(found.problems) <= MAX_PROBLEMS
    check_promises(data, found)


@pytest.mark.parametrize(("data", "slug"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_text_costs_little_memory(data: bytes, slug: str) -> None:
    tracemalloc.start()
    try:
        parse(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2 * 1024 * 1024


@pytest.mark.parametrize(
    "name",
    [name for name, (_, slug) in HOSTILE.items() if slug in EARLY and name != WITHIN_BOUNDS],
)
def test_what_can_be_refused_early_is_never_composed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    composed, events = [], []

    class Counting(Composer):
        def get_single_node(self) -> Any:
            composed.append(name)
            return super().get_single_node()

        def get_event(self) -> Any:
            events.append(name)
            return super().get_event()

    monkeypatch.setattr(reference, "Composer", Counting)
    monkeypatch.setattr(strict, "Composer", Counting)
    assert parse(HOSTILE[name][0]).problems
    assert composed == []
    assert len(events) <= 1_000


def test_a_file_without_problems_is_composed_at_most_once_without_an_event_pass(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = []

    class Counting(Composer):
        def get_single_node(self) -> Any:
            calls.append("compose")
            return super().get_single_node()

        def get_event(self) -> Any:
            calls.append("event")
            return super().get_event()

    monkeypatch.setattr(reference, "Composer", Counting)
    monkeypatch.setattr(strict, "Composer", Counting)
    plain = parse(b"name: memoria\nsignals:\n  - {name: stored, latency: 10}\n")
    assert (plain.problems, calls) == ((), [])
    assert plain.locate(("name",)) == plain.locate(("name",)) == Span(line=1, column=7, width=7)
    assert calls == ["compose"]
    assert parse(b'name: "\\x41"\n').problems == ()
    assert calls == ["compose", "compose"]


def test_the_alias_bomb_is_as_small_as_it_is_said_to_be() -> None:
    assert len(alias_bomb()) < 300


# Where things stand.

SPEC = b"""\
name: memoria
identity:
  tier: 4
  roles: [reader, writer]
signals:
  - name: stored
    handler: on_stored
  -   name: recalled
text: |
  one
  two
"""


@pytest.mark.parametrize(
    ("path", "on_key", "where"),
    [
        ((), False, Span(line=1, column=1)),
        (("name",), False, Span(line=1, column=7, width=7)),
        (("name",), True, Span(line=1, column=1, width=4)),
        (("identity",), False, Span(line=2, column=1, width=8)),
        (("identity", "tier"), False, Span(line=3, column=9, width=1)),
        (("identity", "tier"), True, Span(line=3, column=3, width=4)),
        (("identity", "roles"), False, Span(line=4, column=10, width=16)),
        (("identity", "roles", 1), False, Span(line=4, column=19, width=6)),
        (("signals",), False, Span(line=5, column=1, width=7)),
        (("signals", 0), False, Span(line=6, column=5)),
        (("signals", 1, "name"), False, Span(line=8, column=13, width=8)),
        (("text",), False, Span(line=9, column=7)),
        (("text",), True, Span(line=9, column=1, width=4)),
    ],
)
def test_a_key_path_is_found_in_the_text(path: tuple[str | int, ...], on_key: bool, where: Span) -> None:
    found = parse(SPEC)
    assert found.problems == ()
    assert found.locate(path, on_key=on_key) == where


@pytest.mark.parametrize(
    ("missing", "deepest"),
    [
        (("absent",), ()),
        (("identity", "absent"), ("identity",)),
        (("identity", "tier", "absent"), ("identity", "tier")),
        (("identity", "roles", 7), ("identity", "roles")),
        (("identity", "roles", "0"), ("identity", "roles")),
        (("signals", 1, "handler"), ("signals", 1)),
        (("name", 0), ("name",)),
    ],
)
def test_a_missing_path_is_shown_at_its_deepest_part(missing: Any, deepest: Any) -> None:
    assert parse(SPEC).locate(missing) == parse(SPEC).locate(deepest)


def test_of_two_equal_keys_the_last_one_is_shown_because_it_is_the_one_that_counts() -> None:
    found = parse(b"a: 1\na: 2\n")
    assert found.value == {"a": 2}
    assert found.locate(("a",)) == Span(line=2, column=4)


def test_a_text_without_nodes_is_shown_at_its_start() -> None:
    assert parse(b"a: &x 1\n").locate(("a",)) == START
    assert parse(b"").locate(("a", 0)) == START


# Writing.

visible = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cf", "Zl", "Zp", "Cn"])
texts = st.text(visible.filter(lambda char: not re.match(SURPRISE, char)) | st.sampled_from("\n\t"))
tricky = st.sampled_from([*AMBIGUOUS, *TEXT, *NUMBERS])
values = st.recursive(
    st.none() | st.booleans() | st.integers(1 - 2**53, 2**53 - 1) | texts | tricky,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(texts | tricky, values, min_size=1, max_size=5))
@EXAMPLES
def test_what_is_written_is_read_back_alike_by_everyone(value: dict[str, Any]) -> None:
    text = dump(value)
    found = parse(text.encode())
    assert found.problems == ()
    assert same(found.value, value)
    assert disagreements(text) == {}


@given(
    st.lists(st.sampled_from(["a", "%", "&", "!", " " * 13, "- ", ": ", "? ", "-" * 41, " " * 41, "\n"]), max_size=12)
)
def test_the_quick_question_asks_what_the_pattern_asks(parts: list[str]) -> None:
    data = "".join(parts).encode()
    assert strict.needs_event_pass(data) == bool(re.search(rb"[&!]|^%|^[ ?:-]{41}", data, re.MULTILINE))
