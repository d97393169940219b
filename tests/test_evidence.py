"""What somebody else's test run says, and what of it is refused."""

from __future__ import annotations

import time

import pytest

from nodespec import evidence
from nodespec.errors import UsageError
from nodespec.evidence import Evidence, parse

BOMB = '<?xml version="1.0"{}?><!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">{}]><testsuite><testcase name="&z;"/></testsuite>'


def test_cases_are_counted_whatever_the_totals_say() -> None:
    data = (
        b"<testsuites tests='99' failures='0'><testsuite><testcase/><testcase><failure/></testcase></testsuite>"
        b"<testsuite><testcase><error/></testcase><testcase><skipped/></testcase></testsuite></testsuites>"
    )
    run = parse(data, "report.xml")
    assert run == Evidence(tests=4, failed=2, skipped=1)
    assert not run.passed


@pytest.mark.parametrize(
    "suite",
    [
        "<testsuite tests='5' failures='3'><testcase/></testsuite>",
        "<testsuite errors='1'><testcase/></testsuite>",
        "<testsuite><error>it crashed</error><testcase/></testsuite>",
        "<testsuites failures='1'><testsuite><testcase/></testsuite></testsuites>",
    ],
)
def test_what_a_report_says_against_itself_counts(suite: str) -> None:
    run = parse(suite.encode(), "report.xml")
    assert run.failed >= 1
    assert not run.passed


@pytest.mark.parametrize("claim", ["", "-1", "1e9", "9999999999999999999", "٣", "x"])
def test_a_claim_that_is_no_number_counts_for_nothing(claim: str) -> None:
    assert parse(f"<testsuite failures='{claim}'><testcase/></testsuite>".encode(), "report.xml").passed


@pytest.mark.parametrize(
    ("text", "passed"),
    [
        ("<testcase/>", True),
        ("", False),
        ("<testcase><skipped/></testcase>", False),
        ("<testcase><failure/></testcase>", False),
    ],
)
def test_nothing_tested_is_not_passed(text: str, passed: bool) -> None:
    assert parse(f"<testsuite>{text}</testsuite>".encode(), "x").passed is passed


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "utf-7"])
def test_a_document_type_is_refused_in_every_encoding_and_costs_nothing(encoding: str) -> None:
    said = f' encoding="{encoding}"' if encoding not in ("utf-8", "utf-8-sig") else ""
    grown = "".join(f'<!ENTITY {chr(98 + n)} "{f"&{chr(97 + n)};" * 10}">' for n in range(25))
    started = time.monotonic()
    with pytest.raises(UsageError):
        parse(BOMB.format(said, grown).encode(encoding), "report.xml")
    assert time.monotonic() - started < 1


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is not XML"),
        (b"not xml", "is not XML"),
        (b"<html/>", "holds no test suites"),
        (b"<!doctype a><testsuite/>", "is refused"),
        (b"\xff\xfe", "is not UTF-8"),
        (b"<testsuite>\xe9</testsuite>", "is not UTF-8"),
        (b"<testsuite>&a;</testsuite>", "is not XML"),
    ],
)
def test_what_is_no_report_is_said_to_be_none(data: bytes, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        parse(data, "report.xml")


def test_a_report_of_any_size_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "MAX_BYTES", 100)
    assert parse(b"<testsuite/>".ljust(100), "x").tests == 0
    with pytest.raises(UsageError, match="is larger"):
        parse(b"<testsuite/>".ljust(101), "x")


def test_a_report_nested_without_end_is_read_or_refused() -> None:
    depth = 100_000
    assert parse(b"<testsuite>" * depth + b"<testcase/>" + b"</testsuite>" * depth, "x").tests == 1
