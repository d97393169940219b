"""What runs in the sandbox: it reads questions from standard input and answers them, one JSON text a line.

    {"languages": [...]}                                        no answer; the libraries are loaded, the door is shut
    {"load": n, "language": "cel", "variables": [[name, expr]], "rules": [expr]}
    {"load": n, "language": "rego", "name": …, "text": …}       {"problems": [...]}, none when it can be used; in Rego,
                                                                also {"policy": …}, what the text says of itself
    {"subject": {...}}                                          no answer; what the next questions are about
    {"judge": n}                                                for each rule true, false, or why there is no answer

Shutting the door: no file can be opened or written, no process started, and memory is bounded. Each policy has an
account of processor time, which each question fills up a little; the kernel ends the process when it is overdrawn,
whatever native code is busy with.
"""

from __future__ import annotations

import importlib
import json
import resource
import signal
import sys
import time
from collections import defaultdict
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from nodespec.policy.limits import MEMORY, SECONDS, SECONDS_EACH

if TYPE_CHECKING:
    from collections.abc import Iterator

Problem = dict[str, Any]
"""Why a part of a policy cannot be used: ``part`` of it, ``line`` and ``column`` from 1 (0 for no place), ``text``."""

_ENGINES = {"cel": "nodespec.policy.cel", "rego": "nodespec.policy.rego"}
"""Where each language is spoken."""

_NOT_HERE = "the library for this language is not installed; for Rego: pip install 'nodespec[rego]'"


def main() -> None:
    """Answer until nobody asks any more."""
    programs: dict[int, Any] = {}
    engines: dict[str, Any] = {}
    accounts: defaultdict[int, float] = defaultdict(lambda: SECONDS)
    subject: dict[str, Any] = {}
    signal.signal(signal.SIGPROF, signal.SIG_DFL)  # whatever was inherited: it ends the process
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGPROF])
    for line in sys.stdin.buffer:
        question = json.loads(line)
        if "judge" in question:
            number = question["judge"]
            with _charged(accounts, number):
                answers = programs[number].judge(subject)
            _say(answers)
        elif "subject" in question:
            subject = question["subject"]
        elif "load" in question:
            number, engine = question["load"], engines[question["language"]]
            if engine is None:
                _say({"problems": [{"part": [], "line": 0, "column": 0, "text": _NOT_HERE}]})
                continue
            with _charged(accounts, number):
                programs[number] = engine.Program(question)
            _say({"problems": programs[number].problems, "policy": programs[number].policy})
        else:
            engines = {name: _engine(name) for name in question["languages"]}
            _shut_the_door()


def _engine(language: str) -> Any:
    """Return the module that speaks a language; None where its library is not installed."""
    try:
        return importlib.import_module(_ENGINES[language])
    except ModuleNotFoundError:
        return None


@contextmanager
def _charged(accounts: defaultdict[int, float], number: int) -> Iterator[None]:
    """Let a policy use up what is in its account, and no more; what it did not use stays there."""
    before = time.process_time()
    signal.setitimer(signal.ITIMER_PROF, accounts[number])
    yield
    signal.setitimer(signal.ITIMER_PROF, 0)
    accounts[number] = min(SECONDS, accounts[number] - (time.process_time() - before) + SECONDS_EACH)


def _say(answer: Any) -> None:
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n")
    sys.stdout.buffer.flush()


def _reserved() -> int:
    """Return the address space that is taken already, where the system says so (Linux)."""
    try:
        with open("/proc/self/statm", encoding="ascii") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:
        return 0


def _shut_the_door() -> None:
    limits = {
        resource.RLIMIT_AS: _reserved() + MEMORY,
        resource.RLIMIT_NOFILE: 0,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_CORE: 0,
        resource.RLIMIT_NPROC: 0,
    }
    for kind, most in limits.items():
        with suppress(OSError, ValueError):  # not every system has every limit
            resource.setrlimit(kind, (most, most))
