r"""Who signs: the user's own key files, or a program that holds the keys.

**Key files** are opened only when one of them is needed, and the passphrase is asked for once.

**A program** (``--signer exec:CMD``; an HSM, a cloud KMS, an agent) is run without a shell, its words split as a
POSIX shell would. It reads one JSON object from standard input, writes one to standard output and ends with 0; what
it says on standard error is shown. It is asked twice::

    {"version": 1, "ask": "keys"}
    {"keys": [{"keyid": hex, "scheme": text, "public": base64 of the DER SubjectPublicKeyInfo}, …]}

    {"version": 1, "ask": "sign", "keyid": hex, "message": base64 of the bytes to sign}
    {"signature": base64}

The signature is over exactly these bytes: pure ML-DSA with an empty context, or Ed25519; no prehash. It is verified
before it is used, so a program that signs something else is found out at once.
"""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from nodespec import claims, keyring
from nodespec.encoding import b64decode, b64encode, printable, quoted, strict_json
from nodespec.errors import UsageError
from nodespec.keys import PublicKey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from nodespec.envelope import Signer
    from nodespec.keyring import KeyFile

PREFIX = "exec:"
TIMEOUT = 120
"""Seconds for one answer: somebody may have to touch a device."""

_MAX_ANSWER = 1024 * 1024


class Wallet(Protocol):
    """Keys that can sign, wherever they are."""

    @property
    def keys(self) -> Sequence[PublicKey]:
        """The public halves."""

    def signers(self, keys: Iterable[PublicKey]) -> list[tuple[str, Signer]]:
        """Return (key id, signer) for each of these keys, all of which are among :attr:`keys`."""


@dataclass(frozen=True)
class FileWallet:
    """The keys in the user's configuration folder whose private halves are there."""

    files: Sequence[KeyFile]
    passphrase: Callable[[], str]

    @cached_property
    def keys(self) -> Sequence[PublicKey]:
        """The public halves."""
        return [file.public for file in self.files if file.is_whole]

    def signers(self, keys: Iterable[PublicKey]) -> list[tuple[str, Signer]]:
        """Open the private halves that are needed."""
        wanted = {key.key_id for key in keys}
        files = [file for file in self.files if file.public.key_id in wanted and file.is_whole]
        by_id = {file.public.key_id: file for file in files}
        opened = keyring.unlock(list(by_id.values()), self.passphrase) if by_id else []
        return [(key.public.key_id, key) for key in opened]


@dataclass(frozen=True)
class ExternalWallet:
    """A program that holds the keys."""

    command: str

    @cached_property
    def keys(self) -> Sequence[PublicKey]:
        """Ask the program which keys it has."""
        answer = self._ask({"ask": "keys"}, ("keys",))
        try:
            return [PublicKey.from_fields(item) for item in claims.items(answer["keys"], "keys", most=64)]
        except ValueError as error:
            raise UsageError(f"the signer {quoted(self.command)} answered with {error}") from None

    def signers(self, keys: Iterable[PublicKey]) -> list[tuple[str, Signer]]:
        """Return signers that ask the program."""
        return [(key.key_id, _External(self, key)) for key in keys]

    def sign(self, key: PublicKey, message: bytes) -> bytes:
        """Ask for a signature, and verify it."""
        question = {"ask": "sign", "keyid": key.key_id, "message": b64encode(message)}
        answer = self._ask(question, ("signature",))
        try:
            signature = b64decode(claims.text(answer["signature"], "signature"))
        except ValueError as error:
            raise UsageError(f"the signer {quoted(self.command)} answered with no signature: {error}") from None
        if not key.verify(signature, message):
            raise UsageError(f"the signer {quoted(self.command)} made a signature that does not verify")
        return signature

    def _ask(self, question: dict[str, Any], keys: Sequence[str]) -> dict[str, Any]:
        shown = quoted(self.command)
        try:
            words = shlex.split(self.command)
            with quiet_pipes():
                done = subprocess.run(
                    words,
                    input=json.dumps({"version": 1, **question}).encode() + b"\n",
                    stdout=subprocess.PIPE,
                    timeout=TIMEOUT,
                    check=False,
                )
        except (OSError, ValueError, IndexError) as error:
            raise UsageError(f"the signer {shown} cannot be run: {printable(str(error))}") from None
        except subprocess.TimeoutExpired:
            raise UsageError(f"the signer {shown} gave no answer within {TIMEOUT} seconds") from None
        if done.returncode != 0:
            raise UsageError(f"the signer {shown} ended with exit code {done.returncode}")
        try:
            if len(done.stdout) > _MAX_ANSWER:
                raise ValueError("it is too long")
            return claims.members(strict_json(done.stdout), keys, "the answer")
        except ValueError as error:
            raise UsageError(f"the signer {shown} gave an answer that cannot be used: {error}") from None


@contextmanager
def quiet_pipes() -> Iterator[None]:
    """Survive a program that does not read what it is told: the terminal's default is to die of it (SIGPIPE)."""
    before = signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGPIPE, before)


@dataclass(frozen=True)
class _External:
    wallet: ExternalWallet
    key: PublicKey

    def sign(self, message: bytes) -> bytes:
        return self.wallet.sign(self.key, message)


def external(text: str) -> ExternalWallet:
    """Return the wallet that ``exec:CMD`` names."""
    if not text.startswith(PREFIX) or not text.removeprefix(PREFIX).strip():
        raise UsageError(
            f"{quoted(text)} names no signer", hint="expected exec: and a command, as in: exec:my-hsm --slot 3"
        )
    return ExternalWallet(text.removeprefix(PREFIX))


def holding(wallet: Wallet, keys: Iterable[PublicKey]) -> list[PublicKey]:
    """Return the keys, among these, that the wallet can sign with."""
    own = {key.key_id for key in wallet.keys}
    return [key for key in keys if key.key_id in own]
