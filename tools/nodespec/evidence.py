"""What somebody else's test run says, as a JUnit XML file: how many tests there were, and how many failed.

The gate runs nothing. Whoever ran the tests hands over the file; without one, a gate about tests is "not run". The file
is input like any other: it is bounded, and a document type, with which XML could be made to grow, is refused.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from nodespec.errors import UsageError
from nodespec.frozen import frozen

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

MAX_BYTES = 64 * 1024 * 1024
"""Larger than the reports of the largest suites, small enough to read whole."""

_DOCTYPE = re.compile(rb"<!(DOCTYPE|ENTITY)", re.IGNORECASE)


@frozen
class Evidence:
    """Counts of test cases; ``failed`` are failures and errors."""

    tests: int
    failed: int
    skipped: int

    @property
    def passed(self) -> bool:
        """Whether something was tested, and nothing failed."""
        return self.tests > self.skipped and self.failed == 0


def parse(data: bytes, name: str) -> Evidence:
    """Count the cases of a JUnit file; raise ``UsageError`` for what is none.

    What it claims counts against it alone: as many failed as it has cases that did, or as it says, whichever is more.
    """
    from xml.etree.ElementTree import ParseError, fromstring

    hint = "expected a JUnit XML file, as pytest --junit-xml writes it"
    if len(data) > MAX_BYTES or _DOCTYPE.search(data):
        what = "is larger than 64 MiB" if len(data) > MAX_BYTES else "declares a document type, which is refused"
        raise UsageError(f"{name} {what}", hint=hint)
    try:
        text = data.decode("utf-8-sig")  # in another encoding, a document type would not have been seen
        root = fromstring(text)  # bounded, and without a document type nothing expands
    except UnicodeDecodeError:
        raise UsageError(f"{name} is not UTF-8", hint=hint) from None
    except ParseError as error:
        raise UsageError(f"{name} is not XML: {error}", hint=hint) from None
    if root.tag not in ("testsuites", "testsuite"):
        raise UsageError(f"{name} holds no test suites", hint=hint)
    cases = list(root.iter("testcase"))
    suites = [root, *root.iter("testsuite")]
    claimed = max((_claim(suite, "failures") + _claim(suite, "errors") for suite in suites), default=0)
    beside = sum(_has(suite, "failure", "error") for suite in suites)
    failed = sum(_has(case, "failure", "error") for case in cases)
    return Evidence(
        tests=len(cases),
        failed=max(failed + beside, claimed),
        skipped=sum(_has(case, "skipped") for case in cases),
    )


def _claim(suite: Element, name: str) -> int:
    """Return a total that a suite states; one that is no number counts for nothing."""
    text = suite.get(name, "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _has(case: Element, *tags: str) -> bool:
    return any(case.find(tag) is not None for tag in tags)
