"""Family S: departures from a document's JSON Schema, found and explained by :mod:`nodespec.schema`."""

from __future__ import annotations

from nodespec.rule import Rule, declare


def _found_by_schema(code: str, slug: str, *, why: str, fix: str) -> None:
    declare(Rule(code=code, slug=slug, severity="error", why=why, fix=fix))


_found_by_schema(
    "S001",
    "unknown-key",
    why="The schema is closed: a misspelt key would otherwise be a setting that silently does nothing.",
    fix="Correct the spelling, or prefix a key of your own with x-.",
)
_found_by_schema(
    "S002",
    "missing-key",
    why="Everything that reads a registry may rely on the required keys.",
    fix="Add the key.",
)
_found_by_schema(
    "S003",
    "wrong-type",
    why='A tier of "4" sorts, compares and signs differently from a tier of 4.',
    fix="Write the value as the expected type.",
)
_found_by_schema(
    "S004",
    "value-not-allowed",
    why="These words have agreed meanings; a new one would be understood by nobody.",
    fix="Use one of the allowed values.",
)
_found_by_schema(
    "S005",
    "wrong-form",
    why="Names, versions, handles and dates are compared and parsed, so they have one form.",
    fix="Write it in the form the schema describes.",
)
_found_by_schema(
    "S006",
    "out-of-range",
    why="The number lies outside what has a meaning here.",
    fix="Use a number within the range.",
)
_found_by_schema(
    "S007",
    "wrong-length",
    why="Limits keep specs readable and hostile ones cheap; a list that must say something may not be empty.",
    fix="Shorten or complete it.",
)
_found_by_schema(
    "S008",
    "repeated-item",
    why="An item that is listed twice is a mistake or two opinions.",
    fix="Remove one of them.",
)
_found_by_schema(
    "S009",
    "no-variant-matches",
    why="The value may take one of several forms, and this is none of them.",
    fix="Write it in one of the forms.",
)
