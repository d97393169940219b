"""Base64 has several spellings of the same bytes; a signed file has one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from nodespec.encoding import b64decode, b64encode
from tests.village import SCOUT, village

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize("text", ["QR==", "QQ", "QQ=", "QQ===", "Q Q==", "QQ==\n", "-_8=", "QQ==QQ=="])
def test_only_the_canonical_spelling_is_read(text: str) -> None:
    with pytest.raises(ValueError, match="base64"):
        b64decode(text)
    assert b64encode(b64decode("QQ==")) == "QQ=="


def url_safe(data: bytes) -> bytes:
    return data.replace(b"+", b"-").replace(b"/", b"_").replace(b"application_vnd", b"application/vnd")


def unpadded(data: bytes) -> bytes:
    return data.replace(b'=="', b'"').replace(b'="', b'"')


def last_bits_set(data: bytes) -> bytes:
    """Change the unused bits of the last character before the padding of the signature."""
    end = data.rindex(b"=")
    start = end - 1 if data[end - 1 : end] != b"=" else end - 2
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = alphabet[alphabet.index(data[start : start + 1]) ^ 1 : (alphabet.index(data[start : start + 1]) ^ 1) + 1]
    return data[:start] + other + data[start + 1 :]


@pytest.mark.parametrize("change", [url_safe, unpadded, last_bits_set])
def test_another_spelling_of_the_same_bytes_is_refused(change: Callable[[bytes], bytes]) -> None:
    s = village()
    path = s.attestation_file(SCOUT)
    before = s.files[path]
    s.files[path] = change(before)
    assert s.files[path] != before
    assert s.codes() == ["P009"]
    s.files[path] = before
    assert s.codes() == []
