"""Keys: every scheme there and back, secrets that never show, and other people's vectors."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from nodespec.errors import UsageError
from nodespec.keys import (
    HMAC_SCHEME,
    MIN_PASSPHRASE,
    PUBLISHED_HMAC_KEYS,
    SCHEMES,
    HmacKey,
    PrivateKey,
    PublicKey,
    generate,
    load_der,
    load_private,
    load_public,
)

EXAMPLES = settings(max_examples=200, deadline=None, derandomize=True)
PASSPHRASE = "correct horse battery"
SIGNATURE_BYTES = {"ml-dsa-44": 2420, "ml-dsa-65": 3309, "ml-dsa-87": 4627, "ed25519": 64}
"""FIPS 204, table 2; RFC 8032, section 5.1.6."""

VECTORS = Path(__file__).parents[2] / "shared" / "vectors" / "wycheproof"


@pytest.fixture(scope="module", params=SCHEMES)
def key(request: pytest.FixtureRequest) -> PrivateKey:
    return generate(request.param)


def pem_of(private: Any, passphrase: bytes = b"") -> bytes:
    lock = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    return private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock)


def spki_of(public: Any, encoding: serialization.Encoding = serialization.Encoding.DER) -> bytes:
    return public.public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)


# There and back.


def test_a_signature_verifies_over_its_message_and_no_other(key: PrivateKey) -> None:
    signature = key.sign(b"message")
    assert len(signature) == SIGNATURE_BYTES[key.public.scheme]
    assert key.public.verify(signature, b"message")
    assert not key.public.verify(signature, b"massage")
    assert not key.public.verify(signature, b"")
    assert not key.public.verify(signature, b"message\0")


def test_any_flipped_bit_of_a_signature_is_noticed(key: PrivateKey) -> None:
    signature = key.sign(b"message")
    for position in range(0, len(signature), max(1, len(signature) // 64)):
        for bit in range(8):
            changed = bytearray(signature)
            changed[position] ^= 1 << bit
            assert not key.public.verify(bytes(changed), b"message")


def test_a_signature_of_the_wrong_length_is_no_signature(key: PrivateKey) -> None:
    signature = key.sign(b"message")
    for wrong in (b"", signature[:-1], signature + b"\0", signature * 2, b"\0" * len(signature), b"\xff" * 5000):
        assert not key.public.verify(wrong, b"message")


def test_another_key_of_the_same_scheme_does_not_verify(key: PrivateKey) -> None:
    other = generate(key.public.scheme)
    assert other.public.key_id != key.public.key_id
    assert not other.public.verify(key.sign(b"message"), b"message")


def test_a_key_of_another_scheme_does_not_verify(key: PrivateKey) -> None:
    signature = key.sign(b"message")
    for scheme in set(SCHEMES) - {key.public.scheme}:
        assert not generate(scheme).public.verify(signature, b"message")


def test_an_empty_and_a_long_message_can_be_signed(key: PrivateKey) -> None:
    for message in (b"", b"\0", b"x" * 1_000_000):
        assert key.public.verify(key.sign(message), message)


def test_a_private_key_comes_back_from_its_file(key: PrivateKey) -> None:
    pem = key.pem(PASSPHRASE)
    assert pem.startswith(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    again = load_private(pem, PASSPHRASE, name="key.pem")
    assert again.public == key.public
    assert key.public.verify(again.sign(b"message"), b"message")


def test_a_public_key_comes_back_from_its_file(key: PrivateKey) -> None:
    assert key.public.pem.startswith(b"-----BEGIN PUBLIC KEY-----\n")
    again = load_public(key.public.pem, name="key.pub")
    assert again == key.public
    assert again.scheme == key.public.scheme
    assert again.verify(key.sign(b"message"), b"message")


def test_the_key_id_is_the_hash_of_the_public_key_info(key: PrivateKey) -> None:
    body = b"".join(key.public.pem.splitlines()[1:-1])
    der = serialization.load_pem_public_key(key.public.pem)
    assert key.public.key_id == sha256(spki_of(der)).hexdigest()
    assert key.public.key_id == sha256(key.public.der).hexdigest()
    assert body


def test_dilithium2_is_a_spelling_of_ml_dsa_44() -> None:
    assert generate("dilithium2").public.scheme == "ml-dsa-44"


def test_the_published_example_keys_are_known_as_such() -> None:
    folder = Path(__file__).parent / "keys"
    files = sorted(file for file in folder.rglob("*") if file.is_file() and b"BEGIN PUBLIC" in file.read_bytes())
    assert files
    for file in files:
        assert load_public(file.read_bytes(), name=file.name).published, file.name
    assert not generate("ed25519").public.published


# Secrets never show.


def test_a_wrong_passphrase_is_refused_without_repeating_it(key: PrivateKey) -> None:
    pem = key.pem(PASSPHRASE)
    for wrong in ("incorrect horse battery", "", PASSPHRASE + " ", PASSPHRASE.upper(), "é" * 20):
        with pytest.raises(UsageError, match=r"key\.pem cannot be opened: wrong passphrase") as refusal:
            load_private(pem, wrong, name="key.pem")
        assert "horse" not in str(refusal.value) + refusal.value.hint
        assert refusal.value.__cause__ is None
        assert refusal.value.__suppress_context__


def test_a_passphrase_that_is_too_short_protects_nothing(key: PrivateKey) -> None:
    short = "x" * (MIN_PASSPHRASE - 1)
    with pytest.raises(UsageError, match="fewer than 12 characters") as refusal:
        key.pem(short)
    assert short not in str(refusal.value)
    assert key.pem(short + "x")


def test_a_private_key_does_not_print_itself(key: PrivateKey) -> None:
    assert repr(key) == f"PrivateKey({key.public.scheme}, {key.public.key_id})"
    assert f"{key}" == repr(key)


def test_a_damaged_key_file_is_refused(key: PrivateKey) -> None:
    pem = key.pem(PASSPHRASE)
    first, *body, last = pem.splitlines(keepends=True)
    for damaged in (pem[:200], b"".join([first, *body[:-1], last]), b"".join([first, *body[1:], last]), first + last):
        with pytest.raises(UsageError, match="cannot be opened"):
            load_private(damaged, PASSPHRASE, name="key.pem")


def test_a_private_key_that_lies_open_is_refused() -> None:
    for private in (ed25519.Ed25519PrivateKey.generate(), mldsa.MLDSA44PrivateKey.generate()):
        with pytest.raises(UsageError, match="is not an encrypted private key") as refusal:
            load_private(pem_of(private), PASSPHRASE, name="key.pem")
        assert "nodespec keys" in refusal.value.hint


@pytest.mark.parametrize("data", [b"", b"hello", b"-----BEGIN ENCRYPTED PRIVATE KEY-----", b"\0\xff" * 100])
def test_what_is_no_key_is_refused(data: bytes) -> None:
    with pytest.raises(UsageError, match=r"key\.pem"):
        load_private(data, PASSPHRASE, name="key.pem")
    with pytest.raises(UsageError, match=r"key\.pub is not a public key"):
        load_public(data, name="key.pub")


def test_a_private_key_is_no_public_key(key: PrivateKey) -> None:
    with pytest.raises(UsageError, match="is not a public key"):
        load_public(key.pem(PASSPHRASE), name="key.pub")


def test_keys_of_other_kinds_are_refused() -> None:
    for private in (rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())):
        with pytest.raises(UsageError, match="keys of this kind are not used"):
            load_private(pem_of(private, PASSPHRASE.encode()), PASSPHRASE, name="key.pem")
        with pytest.raises(UsageError, match="keys of this kind are not used"):
            load_public(spki_of(private.public_key(), serialization.Encoding.PEM), name="key.pub")


def test_a_public_key_in_another_wrapping_is_refused() -> None:
    public = ed25519.Ed25519PrivateKey.generate().public_key()
    ssh = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    for data in (ssh, spki_of(public), spki_of(public, serialization.Encoding.PEM).replace(b"PUBLIC", b"RSA PUBLIC")):
        with pytest.raises(UsageError, match="is not a public key"):
            load_public(data, name="key.pub")


@given(st.binary(max_size=200))
@EXAMPLES
def test_any_bytes_are_a_public_key_or_a_usage_error(data: bytes) -> None:
    wrapped = b"-----BEGIN PUBLIC KEY-----\n" + data + b"\n-----END PUBLIC KEY-----\n"
    for text in (data, wrapped):
        with pytest.raises(UsageError):
            load_public(text, name="key.pub")


# HMAC.

GOOD_HMAC = "9f2c84d1e07b5a36c8f01d9b7e64a2530f8c1b6d"


def test_an_hmac_key_signs_and_verifies_as_rfc_4231_says() -> None:
    """Test case 4 has a 25-byte key, below our minimum, hence case 6: 131 bytes, too uniform for from_text."""
    secret = HmacKey(secret=b"\xaa" * 131)
    expected = "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
    message = b"Test Using Larger Than Block-Size Key - Hash Key First"
    assert secret.sign(message).hex() == expected
    assert secret.verify(bytes.fromhex(expected), message)
    assert not secret.verify(bytes.fromhex(expected), message + b"x")
    assert not secret.verify(bytes.fromhex(expected)[:-1], message)
    assert not secret.verify(b"", message)
    assert secret.key_id == HMAC_SCHEME


def test_an_hmac_key_comes_from_text_and_does_not_print_itself() -> None:
    secret = HmacKey.from_text(GOOD_HMAC)
    assert secret.secret == GOOD_HMAC.encode()
    assert GOOD_HMAC not in repr(secret)


@pytest.mark.parametrize("text", [None, ""])
def test_hmac_has_no_default_key(text: str | None) -> None:
    with pytest.raises(UsageError, match="REGISTRY_HMAC_KEY is not set; hmac-sha256 has no default key") as refusal:
        HmacKey.from_text(text)
    assert "openssl rand" in refusal.value.hint


@pytest.mark.parametrize("text", ["short", GOOD_HMAC[:31], "é" * 15])
def test_an_hmac_key_that_is_too_short_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="at least 32 are needed") as refusal:
        HmacKey.from_text(text)
    assert text not in str(refusal.value)


@pytest.mark.parametrize(
    "text",
    [
        *sorted(PUBLISHED_HMAC_KEYS),
        *(f" {name.upper()}\n" for name in sorted(PUBLISHED_HMAC_KEYS)),
        *["a" * 64, "ab" * 32, "0" * 64, "1234567" * 8],
    ],
)
def test_an_hmac_key_that_anyone_can_guess_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="published or guessable") as refusal:
        HmacKey.from_text(text, name="THE_KEY")
    assert str(refusal.value).startswith("THE_KEY")
    assert text.strip() not in str(refusal.value)


# Other people's vectors: C2SP Wycheproof.


def groups(name: str) -> list[dict[str, Any]]:
    file = VECTORS / name
    if not file.exists():
        pytest.skip("vectors not present")
    found: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["testGroups"]
    return found


def verdicts(name: str, load: Any) -> dict[str, int]:
    """Compare every test that our interface can express; return how many of each kind there were."""
    count = {"valid": 0, "invalid": 0, "key refused": 0, "other context": 0}
    for group in groups(name):
        key = load(group)
        for test in group["tests"]:
            if test.get("ctx"):
                count["other context"] += 1
                continue
            expected = test["result"] == "valid"
            if key is None:
                assert not expected, test["tcId"]
                count["key refused"] += 1
                continue
            signature, message = bytes.fromhex(test["sig"]), bytes.fromhex(test["msg"])
            assert key.verify(signature, message) == expected, (test["tcId"], test["comment"])
            count[test["result"]] += 1
    return count


def test_wycheproof_agrees_about_ed25519() -> None:
    def load(group: dict[str, Any]) -> PublicKey:
        key = PublicKey(scheme="ed25519", der=bytes.fromhex(group["publicKeyDer"]))
        raw = ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(group["publicKey"]["pk"]))
        assert spki_of(raw) == key.der
        return key

    count = verdicts("ed25519_test.json", load)
    assert count["valid"] > 80
    assert count["invalid"] > 50


@pytest.mark.parametrize(
    ("name", "scheme", "kind"),
    [
        ("mldsa_44_verify_test.json", "ml-dsa-44", mldsa.MLDSA44PublicKey),
        ("mldsa_65_verify_test.json", "ml-dsa-65", mldsa.MLDSA65PublicKey),
    ],
)
def test_wycheproof_agrees_about_ml_dsa(name: str, scheme: str, kind: Any) -> None:
    def load(group: dict[str, Any]) -> PublicKey | None:
        try:
            return PublicKey(scheme=scheme, der=spki_of(kind.from_public_bytes(bytes.fromhex(group["publicKey"]))))
        except ValueError:
            return None

    count = verdicts(name, load)
    assert count["valid"] > 10
    assert count["invalid"] > 10


@pytest.mark.parametrize("y", [0, 1, 2**255 - 20, 2**255 - 18, 2**255 - 19])
@pytest.mark.parametrize("sign", [0, 1])
def test_a_public_key_for_which_anyone_can_sign_is_refused(y: int, sign: int) -> None:
    raw = (y | sign << 255).to_bytes(32, "little")
    with pytest.raises(ValueError, match="cannot be used"):
        load_der(bytes.fromhex("302a300506032b6570032100") + raw)
