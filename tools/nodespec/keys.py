"""Keys that sign and verify: ML-DSA (FIPS 204), Ed25519 (RFC 8032), and HMAC-SHA256 for compatibility.

- **Key id**: the hex SHA-256 of the DER SubjectPublicKeyInfo. It names exactly one key of one scheme.
- **Scheme**: read from the trusted key, never from a message. ``dilithium2`` is the name that
  ML-DSA-44 had before it was standardised; it is accepted as a spelling and means the same.
- **Public keys** are stored as PEM SubjectPublicKeyInfo, **private keys** as PEM PKCS#8, always
  encrypted (PBES2: PBKDF2-HMAC-SHA256, AES-256-CBC). The key derivation is OpenSSL's default of 2,048
  rounds, so the strength comes from the passphrase: at least 12 characters are asked for.
- **HMAC**: anyone who can verify can also sign, so it proves nothing to a third party. It exists to
  read what older systems signed, is labelled everywhere, and has no default key.

Signatures are made over exactly the bytes given, with an empty ML-DSA context.
"""

from __future__ import annotations

import hmac
from functools import cached_property
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from nodespec import claims
from nodespec.encoding import b64decode, b64encode
from nodespec.errors import UsageError
from nodespec.frozen import frozen

if TYPE_CHECKING:
    from collections.abc import Callable

HMAC_SCHEME = "hmac-sha256"
SCHEMES = ("ml-dsa-44", "ml-dsa-65", "ml-dsa-87", "ed25519")
SCHEME_ALIASES = {"dilithium2": "ml-dsa-44"}

MIN_PASSPHRASE = 12
"""Characters. PBKDF2 at 2,048 rounds makes each guess cheap, so guessing must be hopeless."""

MAX_PASSPHRASE = 1023
"""Bytes: OpenSSL's limit for a PKCS#8 password."""

MIN_HMAC_KEY = 32
"""Bytes: the output length of SHA-256 (RFC 2104, section 3, advises against less)."""

PUBLISHED_HMAC_KEYS = frozenset(
    [
        "0123456789abcdef0123456789abcdef",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "change-me-change-me-change-me-change-me",
        "example-registry-hmac-key-do-not-use",
        "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
    ]
)
"""Keys that stand in documents, this project's among them. Whoever can read can sign with them."""

PUBLISHED_KEY_IDS: frozenset[str] = frozenset(
    [
        "8798431fcdf18f93cf7adb959baa1cc5b1934fa40363683fbad413cd97d83777",
        "0f2c503b73bb6f1c3d6dbe1af4098c47528834e1f500af4157cf5c019bfd437e",
        "3fc795033e1294f1715e8e9eec332238ffbfc902b4f5c4cb947c157edc0c346c",
        "d47a173b555e9c34e281a0e5b9bbad76d5ee122657126a332f06c3a9a686fcef",
        "9e6c6f270df53b71b5f0aead0bfb3e122c6e37430ff533b51418a79fd364cb09",
        "855c14df3abda3fa0c1e62a77d801b2e5a28f3595e1aedce7617d5e12a856c23",
        "959b03cd55e5b44182f982f119256f8930d30f86a29cdcd39f89b9dcae15a556",
        "4f02c2ee0a1844c450da813c3a342f3788b0f789a33bbedfd7ea0d8aa2ae92fa",
        "09ab79f93d5b5b82691e6d5c7c88e8c263b6af10a0ec1701288e8c1247d82e6d",
    ]
)
"""The keys under ``tests/keys``: their private halves are in this repository, for the example registry only."""


@frozen(slots=False)
class PublicKey:
    """A key that verifies. ``der`` is its SubjectPublicKeyInfo."""

    scheme: str
    der: bytes

    @cached_property
    def key_id(self) -> str:
        """The hex SHA-256 of the DER SubjectPublicKeyInfo."""
        return sha256(self.der).hexdigest()

    @property
    def published(self) -> bool:
        """Whether the private half is published with this project."""
        return self.key_id in PUBLISHED_KEY_IDS

    @cached_property
    def pem(self) -> bytes:
        """PEM SubjectPublicKeyInfo."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        return bytes(self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))

    @property
    def fields(self) -> dict[str, str]:
        """The key as signed records hold it: ``{"keyid", "scheme", "public": base64 of the DER}``."""
        return {"keyid": self.key_id, "scheme": self.scheme, "public": b64encode(self.der)}

    @classmethod
    def from_fields(cls, value: Any) -> PublicKey:
        """Read what :attr:`fields` writes; raise ``ValueError`` when a part is missing, more, or not true."""
        fields = claims.members(value, ("keyid", "scheme", "public"), "a key")
        key = load_der(b64decode(claims.text(fields["public"], "public")))
        if key.fields != fields:
            raise ValueError("a key whose keyid or scheme is not that of its bytes")
        return key

    @cached_property
    def _key(self) -> Any:
        from cryptography.hazmat.primitives.serialization import load_der_public_key

        return load_der_public_key(self.der)

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Say whether ``signature`` is this key's over ``message``."""
        from cryptography.exceptions import InvalidSignature

        try:
            self._key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


@frozen
class PrivateKey:
    """A key that signs."""

    public: PublicKey
    _key: Any

    def sign(self, message: bytes) -> bytes:
        """Return the signature over ``message``."""
        return bytes(self._key.sign(message))

    def pem(self, passphrase: str) -> bytes:
        """Return encrypted PKCS#8."""
        from cryptography.hazmat.primitives import serialization as s

        check_passphrase(passphrase)
        lock = s.BestAvailableEncryption(passphrase.encode())
        return bytes(self._key.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, lock))

    def __repr__(self) -> str:
        return f"PrivateKey({self.public.scheme}, {self.public.key_id})"


@frozen
class HmacKey:
    """The shared key of the compatibility scheme."""

    secret: bytes

    @classmethod
    def from_text(cls, text: str | None, *, name: str = "REGISTRY_HMAC_KEY") -> HmacKey:
        """Return the key in ``text``, or raise ``UsageError`` naming the variable and never the value."""
        how = "make one with: openssl rand -hex 32"
        if not text:
            raise UsageError(f"{name} is not set; {HMAC_SCHEME} has no default key", hint=how)
        secret = text.encode("utf-8", "surrogateescape")
        if len(secret) < MIN_HMAC_KEY:
            raise UsageError(f"{name} has {len(secret)} bytes; at least {MIN_HMAC_KEY} are needed", hint=how)
        if text.strip().lower() in PUBLISHED_HMAC_KEYS or len(set(secret)) < 8:
            raise UsageError(f"{name} is a published or guessable example; whoever can read can sign with it", hint=how)
        return cls(secret=secret)

    @property
    def key_id(self) -> str:
        """HMAC keys have no public half, hence no identity beyond the scheme's name."""
        return HMAC_SCHEME

    def sign(self, message: bytes) -> bytes:
        """Return HMAC-SHA256 over ``message``."""
        return hmac.digest(self.secret, message, "sha256")

    def verify(self, signature: bytes, message: bytes) -> bool:
        """Compare in constant time."""
        return hmac.compare_digest(self.sign(message), signature)

    def __repr__(self) -> str:
        return f"HmacKey({HMAC_SCHEME})"


def check_passphrase(passphrase: str) -> None:
    """Raise ``UsageError`` when a passphrase is too short to protect a key file that leaks, or too long to be used."""
    if len(passphrase.encode("utf-8", "surrogateescape")) > MAX_PASSPHRASE:
        raise UsageError(f"the passphrase has more than {MAX_PASSPHRASE} bytes", hint="is it the right file?")
    if len(passphrase) < MIN_PASSPHRASE:
        hint = "four random words are easier to remember than eight random characters"
        raise UsageError(f"the passphrase has fewer than {MIN_PASSPHRASE} characters", hint=hint)


def generate(scheme: str) -> PrivateKey:
    """Make a new key from the operating system's randomness."""
    return _private(_generators()[SCHEME_ALIASES.get(scheme, scheme)]())


def _generators() -> dict[str, Callable[[], Any]]:
    from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa

    return {
        "ml-dsa-44": mldsa.MLDSA44PrivateKey.generate,
        "ml-dsa-65": mldsa.MLDSA65PrivateKey.generate,
        "ml-dsa-87": mldsa.MLDSA87PrivateKey.generate,
        "ed25519": ed25519.Ed25519PrivateKey.generate,
    }


def load_private(pem: bytes, passphrase: str, *, name: str) -> PrivateKey:
    """Read encrypted PKCS#8; ``name`` is the file's, for messages. Raises ``UsageError``; never repeats a secret."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    if b"-----BEGIN ENCRYPTED PRIVATE KEY-----" not in pem:
        hint = "make one with: nodespec keys new"
        raise UsageError(f"{name} is not an encrypted private key (PEM PKCS#8)", hint=hint)
    try:
        return _private(load_pem_private_key(pem, passphrase.encode()))
    except (ValueError, TypeError):
        raise UsageError(f"{name} cannot be opened: wrong passphrase, or the file is damaged") from None
    except UnsupportedAlgorithm:
        raise UsageError(f"{name} holds a key of a kind that is not supported") from None


def load_public(pem: bytes, *, name: str) -> PublicKey:
    """Read a PEM SubjectPublicKeyInfo; ``name`` is the file's, for messages."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        return _public(load_pem_public_key(pem))
    except UsageError as error:
        raise UsageError(f"{name}: {error}") from None
    except (ValueError, UnsupportedAlgorithm):
        hint = "expected PEM, beginning with -----BEGIN PUBLIC KEY-----"
        raise UsageError(f"{name} is not a public key that can be used", hint=hint) from None


def load_der(der: bytes) -> PublicKey:
    """Read a DER SubjectPublicKeyInfo in its one encoding; raise ``ValueError`` otherwise."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    try:
        key = _public(load_der_public_key(der))
    except (UsageError, ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("a public key that cannot be used") from None
    if key.der != der:
        raise ValueError("a public key that is not in its one DER form")
    return key


def _private(key: Any) -> PrivateKey:
    return PrivateKey(public=_public(key.public_key()), _key=key)


def _public(key: Any) -> PublicKey:
    from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    kinds = {
        mldsa.MLDSA44PublicKey: "ml-dsa-44",
        mldsa.MLDSA65PublicKey: "ml-dsa-65",
        mldsa.MLDSA87PublicKey: "ml-dsa-87",
        ed25519.Ed25519PublicKey: "ed25519",
    }
    if isinstance(key, ed25519.Ed25519PublicKey) and _is_weak(key.public_bytes(Encoding.Raw, PublicFormat.Raw)):
        raise UsageError("an Ed25519 key of small order, or not in its one form: anyone can sign for it")
    scheme = next((name for kind, name in kinds.items() if isinstance(key, kind)), None)
    if scheme is None:
        raise UsageError(f"keys of this kind are not used here; expected one of {', '.join(SCHEMES)}")
    return PublicKey(scheme=scheme, der=key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


_ED25519_PRIME = 2**255 - 19
_ED25519_SMALL_ORDER = frozenset(
    [
        0,
        1,
        _ED25519_PRIME - 1,
        int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"),
        int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"),
    ]
)
"""The y coordinates of the eight points whose order divides 8 (RFC 8032, section 5.1). With such a public key one
constant signature verifies for every message, and libraries do not refuse them."""


def _is_weak(raw: bytes) -> bool:
    """Say whether an Ed25519 public key has a small order, or a y coordinate that is not reduced."""
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    return y >= _ED25519_PRIME or y in _ED25519_SMALL_ORDER
