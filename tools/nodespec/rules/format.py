"""Family F: departures from the strict YAML profile, found by :mod:`nodespec.document`."""

from __future__ import annotations

from nodespec.rule import Rule, declare


def _found_by_loader(code: str, slug: str, *, why: str, fix: str) -> Rule:
    return declare(Rule(code=code, slug=slug, severity="error", why=why, fix=fix))


_DECLARED = (
    _found_by_loader(
        "F001",
        "too-large",
        why=(
            "A spec is read by people. A file beyond 64 KiB is not a description of a node, and a limit keeps "
            "a hostile one cheap to refuse."
        ),
        fix="Move what is not about the node itself elsewhere, and refer to it.",
    ),
    _found_by_loader(
        "F002",
        "not-utf8",
        why="The same bytes must be the same text on every machine, so there is one encoding.",
        fix="Save the file as UTF-8.",
    ),
    _found_by_loader(
        "F003",
        "byte-order-mark",
        why="Some readers take a byte-order mark for part of the first key, and signatures are over bytes.",
        fix="Save the file as UTF-8 without a byte-order mark, or run: nodespec fmt",
    ),
    _found_by_loader(
        "F004",
        "carriage-return",
        why="A file with Windows line ends has other bytes, hence another digest, than the same text elsewhere.",
        fix="Save the file with \\n line ends, or run: nodespec fmt",
    ),
    _found_by_loader(
        "F005",
        "control-character",
        why=(
            "Control characters can end a string early, move a terminal's cursor or forge a log line. A tab is "
            "one: YAML forbids it as indentation, and readers differ about it elsewhere."
        ),
        fix="Remove the character; indent with spaces.",
    ),
    _found_by_loader(
        "F006",
        "hidden-character",
        why=(
            "Characters that are invisible or turn the direction of text make a reviewer see something other "
            "than what is there (CVE-2021-42574)."
        ),
        fix="Remove the character.",
    ),
    _found_by_loader(
        "F007",
        "syntax-error",
        why="What is not YAML has no meaning to judge.",
        fix="Correct the line; the mistake is often a missing quote or space just before this place.",
    ),
    _found_by_loader(
        "F008",
        "empty-document",
        why="A file with nothing in it registers nothing.",
        fix="Fill in the spec, or delete the file.",
    ),
    _found_by_loader(
        "F009",
        "multiple-documents",
        why="Readers differ about which of several documents counts; one file is one node.",
        fix="Give each node a file of its own, and remove the line ---.",
    ),
    _found_by_loader(
        "F010",
        "not-a-mapping",
        why="A spec is a mapping of keys to values; anything else cannot be read as one.",
        fix="Begin the file with keys such as node_type: and metadata:.",
    ),
    _found_by_loader(
        "F011",
        "anchor-or-alias",
        why=(
            "A few hundred bytes of aliases can stand for millions of values, and a reader of one line cannot "
            "see what it says."
        ),
        fix="Write the value out where it is used.",
    ),
    _found_by_loader(
        "F012",
        "tag",
        why="Tags make a reader construct something other than what is written, in some languages any object.",
        fix="Remove the tag; quote the value if it is meant as text.",
    ),
    _found_by_loader(
        "F013",
        "directive",
        why="A directive changes the meaning of the lines after it, and readers support different ones.",
        fix="Remove the line that begins with %.",
    ),
    _found_by_loader(
        "F014",
        "too-deep",
        why="Deep nesting exhausts readers; the schema needs seven levels, and 32 are allowed.",
        fix="Flatten the structure.",
    ),
    _found_by_loader(
        "F015",
        "duplicate-key",
        why=(
            "Of two equal keys some readers take the first and some the last, so that reviewer and machine "
            "read different specs."
        ),
        fix="Keep one of them.",
    ),
    _found_by_loader(
        "F016",
        "merge-key",
        why="A merge key brings in values that do not stand where they count, and YAML 1.2 no longer has it.",
        fix="Write the keys out.",
    ),
    _found_by_loader(
        "F017",
        "key-not-text",
        why="JSON has text keys only; 1, true or a list as a key is lost or changed on the way.",
        fix="Quote the key.",
    ),
    _found_by_loader(
        "F018",
        "ambiguous-scalar",
        why=(
            "YAML 1.1, YAML 1.2 and their readers disagree about this spelling: NO is a country or false, "
            "22:22 is a time or 1342, 2025-10-24 is text or a date."
        ),
        fix="Put it in quotes. nodespec fmt does that; if a number or a boolean was meant, write it as JSON would.",
    ),
    _found_by_loader(
        "F019",
        "number-out-of-range",
        why="Beyond ±(2^53 - 1), and outside the finite floats, readers round differently or fail.",
        fix="Use a smaller number, or quote it if it is an identifier.",
    ),
)

CODES = {entry.slug: entry.code for entry in _DECLARED}
"""The loader's slugs to codes."""
