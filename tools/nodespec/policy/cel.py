"""CEL, as policies use it: expressions compiled and evaluated (the only importer of cel_expr_python).

This runs in the sandbox only (:mod:`nodespec.policy.sandbox_child`), since an evaluation cannot be interrupted. Names
and their types are declared, so that a misspelt name is an error of the policy and not of the first node that meets it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cel_expr_python import cel

from nodespec.policy.limits import MEMORY

if TYPE_CHECKING:
    from nodespec.policy.sandbox_child import Problem

_TEXT, _BOOL, _DYN = cel.Type.STRING, cel.Type.BOOL, cel.Type.DYN
_MAPPING = cel.Type.Map(_TEXT, _DYN)
_TEXTS = cel.Type.Map(_TEXT, _TEXT)

_DECLARED = {
    "node": _MAPPING,
    "emits": cel.Type.List(_TEXTS),
    "provenance.verified": _BOOL,
    "provenance.attested": _BOOL,
    "provenance.delegated": _BOOL,
    "provenance.owner": _TEXT,
    "registry.id": _TEXT,
    "registry.sensitive": _TEXTS,
}
"""What expressions may name; a name with a dot is declared as a whole, so that no other stands beside it."""

_ENV = cel.NewEnv(variables=_DECLARED)
_ENV.compile("true")  # what is made ready with the first expression is nobody's in particular

_PLAIN_KINDS = re.compile(r"(BOOL|INT|DOUBLE|STRING|NULL|DYN|LIST<.*>|MAP<STRING, .*>)\Z")
"""Kinds of values that JSON has, too."""

_AT = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*)")
_STATUS = re.compile(r"\A[A-Z_]+: | \[[A-Z_]+\]\Z")
_ASIDE = re.compile(r" \(in container '[^']*'\)| expecting \{.*")
_MOST_PROBLEMS = 5
"""Problems of one expression that are told; those after the first few follow from them, mostly."""


class Program:
    """One policy, compiled. ``problems`` says why it cannot be used; then it is not asked."""

    policy = None  # what it says of itself is in its file

    def __init__(self, policy: dict[str, Any]) -> None:
        """Compile ``variables`` as (name, expression), each of which sees those above it, and then ``rules``."""
        self.problems: list[Problem] = []
        self._declared = dict(_DECLARED)
        self._env = _ENV
        self._variables: list[tuple[str, Any, Any]] = []
        for position, (name, expr) in enumerate(policy["variables"]):
            self._add_variable(position, name, expr)
        self._rules = [self._rule(position, expr) for position, expr in enumerate(policy["rules"])]

    def _add_variable(self, position: int, name: str, expr: str) -> None:
        compiled = self._compile("variables", position, expr)
        kind = _DYN if compiled is None else compiled.return_type()
        if not _PLAIN_KINDS.match(kind.name()):
            text = f"a variable holds what JSON can hold, and this is {kind.name()}"
            self.problems.append({"part": ["variables", position], "line": 0, "column": 0, "text": text})
        elif compiled is not None:
            self._variables.append((f"variables.{name}", compiled, self._env))
        self._declared[f"variables.{name}"] = kind
        self._env = cel.NewEnv(variables=self._declared)

    def _rule(self, position: int, expr: str) -> Any:
        compiled = self._compile("rules", position, expr)
        if compiled is not None and compiled.return_type().name() not in ("BOOL", "DYN"):
            text = f"a rule is true or false, and this is {compiled.return_type().name()}"
            self.problems.append({"part": ["rules", position], "line": 0, "column": 0, "text": text})
        return compiled

    def _compile(self, part: str, position: int, expr: str) -> Any:
        try:
            return self._env.compile(expr)
        except RuntimeError as error:
            for line, column, text in _told(str(error)):
                self.problems.append({"part": [part, position], "line": line, "column": column, "text": text})
            return None

    def judge(self, subject: dict[str, Any]) -> list[bool | str]:
        """Return for each rule whether it is kept, or in words why it has no answer."""
        seen = {"node": subject["node"], "emits": subject["emits"]}
        for house in ("provenance", "registry"):
            seen |= {f"{house}.{name}": value for name, value in subject[house].items()}
        missing: dict[str, str] = {}
        for name, compiled, env in self._variables:
            kind, value = _evaluated(compiled, env.Activation(seen))
            if kind == "ERROR":  # missing in what follows: an error there only where it is needed
                missing[name] = str(value)
            else:
                seen[name] = value
        activation = self._env.Activation(seen)
        return [_answer(*_evaluated(compiled, activation), missing) for compiled in self._rules]


def _evaluated(compiled: Any, activation: Any) -> tuple[str, Any]:
    """Return the kind of a value and the value; of kind ERROR, why there is none."""
    try:
        result = compiled.eval(activation)
    except RuntimeError as error:  # a limit of the runtime
        return "ERROR", _reason(str(error))
    except MemoryError:
        return "ERROR", f"it takes more than {MEMORY >> 20} MiB of memory"
    kind = result.type().name()
    # The value of an error is a text that Python takes for true, and so is that of anything unknown.
    return kind, _reason(str(result.value())) if kind in ("ERROR", "UNKNOWN") else result.plain_value()


def _answer(kind: str, value: Any, missing: dict[str, str]) -> bool | str:
    if kind == "BOOL" and isinstance(value, bool):
        return value
    if kind not in ("ERROR", "UNKNOWN"):
        return f"it is {kind}, neither true nor false"
    cause = next((f"{name} has no value: {why}" for name, why in missing.items() if f'"{name}"' in value), None)
    return cause or str(value)


def _reason(text: str) -> str:
    return _STATUS.sub("", text.partition("\n")[0]).strip()


def _told(text: str) -> list[tuple[int, int, str]]:
    """Return (line, column, words) for each error of a compilation; line and column are 0 where it says no place."""
    found = [(int(line), int(column), _ASIDE.sub("", words)) for line, column, words in _AT.findall(text)]
    found = [(max(0, line), max(0, column), _STATUS.sub("", words)) for line, column, words in found]
    return list(dict.fromkeys(found))[:_MOST_PROBLEMS] or [(0, 0, _reason(text))]
