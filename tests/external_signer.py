"""A signer for ``--signer exec:…`` that shares no code with nodespec: the protocol, and one key in a PEM file.

    external_signer.py KEY.pem PASSPHRASE_FILE [LIE]

What it does wrong on purpose is named by LIE; without one it is honest. Each question is noted in KEY.pem.log, if that
file exists, so that a test can see what was asked.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key


def main(pem: str, secret: str, lie: str = "") -> int:
    """Answer one question; return the exit code."""
    question = json.loads(sys.stdin.read())
    log = Path(pem + ".log")
    if log.exists():
        with log.open("a") as file:
            file.write(json.dumps(question) + "\n")
    passphrase = Path(secret).read_text().splitlines()[0]
    key = load_pem_private_key(Path(pem).read_bytes(), passphrase.encode())
    der = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    scheme = "ed25519" if len(der) < 100 else {1334: "ml-dsa-44", 1974: "ml-dsa-65", 2614: "ml-dsa-87"}[len(der)]
    if question["version"] != 1:
        return 64
    if question["ask"] == "keys":
        return say(keys(der, scheme, lie), lie)
    if question["ask"] != "sign" or question["keyid"] != sha256(der).hexdigest():
        print("this signer has no such key", file=sys.stderr)
        return 65
    return sign(key, b64decode(question["message"]), lie)


def keys(der: bytes, scheme: str, lie: str) -> dict[str, object]:
    """Return the answer to which keys there are."""
    entry = {"keyid": sha256(der).hexdigest(), "scheme": scheme, "public": b64encode(der).decode()}
    if lie == "another scheme":
        entry["scheme"] = "ml-dsa-87"
    elif lie == "another key id":
        entry["keyid"] = "0" * 64
    elif lie == "no key":
        return {"keys": []}
    elif lie == "a broken key":
        entry["public"] = entry["public"][:-8]
    elif lie == "a private part":
        return {"keys": [entry | {"private": "no"}]}
    elif lie == "keys that are text":
        return {"keys": "all"}
    elif lie.endswith(".pub.pem"):  # somebody else's key, as if it were here
        lines = Path(lie).read_text().strip().split("\n")
        other = b64decode("".join(lines[1:-1]))
        return {"keys": [{"keyid": sha256(other).hexdigest(), "scheme": scheme, "public": b64encode(other).decode()}]}
    return {"keys": [entry]}


def sign(key: object, message: bytes, lie: str) -> int:
    """Answer with a signature, or with what the lie makes of it."""
    if lie == "crash":
        print("the device is on fire", file=sys.stderr)
        return 5
    if lie == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if lie == "hang up":
        os.close(1)
        return 0
    if lie == "binary":
        sys.stdout.buffer.write(b"\xff\x00\x1b[31m")
        return 0
    if lie == "without end":
        sys.stdout.write("[" * 2_000_000)
        return 0
    if lie == "twice":
        print("{}")
    signature = key.sign(b"something else" if lie == "another message" else message)  # type: ignore[attr-defined]
    signature = {"cut": signature[:-1], "nothing": b"", "flipped": bytes([signature[0] ^ 1]) + signature[1:]}.get(
        lie, signature
    )
    text = b64encode(signature).decode()
    answers = {"a number": 7, "no base64": "%%%", "loose base64": text + "\n", "null": None}
    answer: dict[str, object] = {"signature": answers.get(lie, text)}
    if lie == "more than asked":
        answer["note"] = "hello"
    return say(answer, lie)


def say(answer: dict[str, object], lie: str) -> int:
    """Print the answer."""
    print("not JSON" if lie == "garbage" else json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
