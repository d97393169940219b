"""The sandbox: a process of its own in which policies are evaluated, and nothing else happens.

A policy is written by whoever could merge it, and may be on trial itself. No bound within this process would hold:
native code that evaluates an expression cannot be interrupted, and when it crashes, the process is gone. So it is done
in a child process (:mod:`nodespec.policy.sandbox_child`) with an empty environment, in the root folder, with one open
socket, whose processor time is bounded for each question. When it ends, or stays silent, the question has no answer,
and the next question needs a new sandbox.
"""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from nodespec.child_process import Child
from nodespec.errors import RegistryError
from nodespec.policy.limits import MAX_ANSWER, PATIENCE, SECONDS, SECONDS_EACH, LostError

if TYPE_CHECKING:
    from collections.abc import Sequence

_ISOLATED = (
    *("-I", "-S", "-X", "utf8"),
    *(("-B",) if sys.dont_write_bytecode else ()),
    *(("-X", f"pycache_prefix={sys.pycache_prefix}") if sys.pycache_prefix else ()),
    "-c",
)
"""No variable, no installed package, no user's folder and no current folder has a say in what is imported; where
compiled modules are kept is as here."""

_BEGIN = """
import importlib.util, sys
spec = importlib.util.spec_from_file_location("nodespec", sys.argv[1] + "/__init__.py")
sys.modules["nodespec"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sys.modules["nodespec"])
sys.path += sys.argv[2:]
from nodespec.policy.sandbox_child import main
main()
"""
"""The package is this very one, wherever it was imported from; the libraries are those that would be found here."""

_LIBRARIES = {"cel": "cel_expr_python", "rego": "regorus"}


class Sandbox:
    """A process that evaluates policies in these languages; it ends with whoever holds it."""

    def __init__(self, languages: Sequence[str]) -> None:
        command = [sys.executable, *_ISOLATED, _BEGIN, *_homes(languages)]
        try:
            self._child = Child(command, folder="/", environment={})
        except OSError as error:
            hint = "policies are evaluated by a second Python process"
            raise RegistryError(f"no process can be started: {error.strerror or error}", hint=hint) from None
        self._child.socket.settimeout(PATIENCE)
        self._unread = self._before = b""
        with suppress(OSError):  # whoever asks is told
            self._child.send(_line({"languages": list(languages)}))

    @property
    def is_there(self) -> bool:
        """Whether the process runs; whoever ended it before the first question has nothing to do with a policy."""
        return self._child.process.poll() is None

    def tell(self, message: Any) -> None:
        """Say what needs no answer; it goes along with the next question."""
        self._before += _line(message)

    def ask(self, question: Any) -> Any:
        """Return the answer to a question; raise ``LostError`` when there is none, and the sandbox is gone then."""
        try:
            self._child.send(self._before + _line(question))
            self._before = b""
            return json.loads(self._answer())
        except TimeoutError:
            self._child.process.kill()
            raise LostError(self._why_gone(f"there was no answer within {PATIENCE:.0f} seconds")) from None
        except (OSError, ValueError):
            raise LostError(self._why_gone("the process that evaluates it ended")) from None

    def _answer(self) -> bytes:
        while b"\n" not in self._unread:
            part = self._child.socket.recv(MAX_ANSWER)
            if not part or len(self._unread) > MAX_ANSWER:
                raise ValueError("no whole answer")
            self._unread += part
        answer, _, self._unread = self._unread.partition(b"\n")
        return answer

    def _why_gone(self, otherwise: str) -> str:
        with suppress(subprocess.TimeoutExpired):  # it is ending by itself, unless it closed its socket alone
            self._child.process.wait(timeout=SECONDS)
        self._child.end()
        if self._child.process.returncode == -signal.SIGPROF:
            return f"it took more processor time than it may: {SECONDS:.0f} s, and {SECONDS_EACH * 1000:.0f} ms a node"
        return f"{otherwise} ({self._child.process.returncode})"


def _homes(languages: Sequence[str]) -> list[str]:
    """Return the folder of this package, and those in which the libraries for some languages are; none is imported."""
    homes = [os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
    for language in languages:
        found = importlib.util.find_spec(_LIBRARIES[language])
        if found is not None:
            homes += [os.path.dirname(os.path.abspath(folder)) for folder in found.submodule_search_locations or ()]
    return homes


def _line(message: Any) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"
