"""Rego, as policies use it: a text compiled and evaluated (the only importer of regorus, the extra ``rego``).

The text is one module whose package is the policy's name. Its rule ``policy`` is what a YAML file would say, with the
name of a rule of the module in place of each expression::

    package lab.care

    policy := {
        "policy": "lab.care",
        "scope": "registry",
        "rules": [{"id": "terms-stated", "expr": "terms_stated", "message": "State the terms.", "path": "/consent"}],
    }

    default terms_stated := false

    terms_stated if input.node.consent.purpose != ""

``input`` has the names that CEL expressions see: node, emits, provenance, registry. A rule that is undefined has no
answer. One whose default is true is refused: Rego takes whatever is absent for undefined, so that it would pass.

This runs in the sandbox only (:mod:`nodespec.policy.sandbox_child`): recursion ends the process, as it may. What is
beyond the language's own logic is kept out before anything is evaluated: the version is 1, nothing but ``rego.v1`` is
imported, and each function that is called is one of the module's own or one of :data:`ALLOWED`. None of these knows the
time, the environment, chance, or another machine.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import regorus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nodespec.policy.sandbox_child import Problem

_OF = {
    "": "abs ceil concat contains count endswith floor format_int indexof indexof_n intersection is_array is_boolean"
    " is_null is_number is_object is_set is_string lower max min product replace round sort split sprintf startswith"
    " substring sum to_number trim trim_left trim_prefix trim_right trim_space trim_suffix type_name union upper",
    "array.": "concat reverse slice",
    "object.": "filter get keys remove union",
    "regex.": "match",
    "semver.": "compare is_valid",
    "strings.": "any_prefix_match any_suffix_match",
}

ALLOWED = frozenset(prefix + name for prefix, names in _OF.items() for name in names.split())
"""Built-in functions whose answer depends on what they are given, and on nothing else."""

_IMPORTS = ("rego.v1", "future.keywords")

_AT = re.compile(r"--> [^\n]*?:(\d+):(\d+)\n")
_ERROR = re.compile(r"error: ([^\n]*)")


class Program:
    """One policy, compiled. ``problems`` says why it cannot be used; ``policy`` is what it says of itself."""

    def __init__(self, question: dict[str, Any]) -> None:
        """Compile ``text``, whose package must be ``name`` where there is one, and evaluate its rule ``policy``."""
        self.problems: list[Problem] = []
        self.policy: Any = None
        self._rules: list[str] = []
        self._engine = regorus.Engine()
        self._engine.set_rego_v0(False)  # in version 0, what follows `allow if` is another rule, and true
        try:
            self._package = self._engine.add_policy("policy.rego", question["text"])
        except RuntimeError as error:
            self._tell(error)
            return
        if question["name"] and self._package != f"data.{question['name']}":
            name = self._package.removeprefix("data.")
            self._find(1, 1, f'the package is "{name}", and the file "{question["name"]}"')
            return
        ((ast),) = (module["ast"] for module in json.loads(self._engine.get_ast_as_json()))
        self._check_calls(ast)
        if not self.problems:
            self._read(ast)

    def _find(self, line: int, column: int, text: str) -> None:
        self.problems.append({"part": [], "line": line, "column": column, "text": text})

    def _tell(self, error: RuntimeError) -> None:
        place = _AT.search(str(error))
        line, column = map(int, place.groups()) if place else (1, 1)
        self._find(line, column, _reason(error))

    def _check_calls(self, ast: Any) -> None:
        """Find what the module must not import or call."""
        for item in ast["imports"]:
            name = _dotted(item["refr"])
            if name not in _IMPORTS and not name.startswith("future.keywords."):
                self._find(*_place(item["refr"]), f"{name} must not be imported")
        # A name with a dot could be a built-in function's as well, and nobody sees which one is called.
        own = {name for head in _heads(ast) if "." not in (name := _dotted(head["refr"]))}
        for call in _found(ast["rules"], "Call"):
            name = _dotted(call["fcn"])
            if name not in ALLOWED and name.removeprefix(f"{self._package}.") not in own:
                self._find(*_place(call["fcn"]), f"{name} is no function that a policy may call")

    def _read(self, ast: Any) -> None:
        """Evaluate the rule ``policy``, without any input, and look at the rules that it names."""
        places = {_dotted(head["refr"]): _place(head["refr"]) for head in _heads(ast)}
        try:
            self.policy = self._evaluated("policy") if "policy" in places else None
        except RuntimeError as error:
            self._tell(error)
            return
        if not isinstance(self.policy, dict):
            self._find(1, 1, "there is no rule called policy that says what the policy is")
            return
        defaults = [rule["Default"] for rule in ast["rules"] if "Default" in rule]
        safe = {"Bool": {"value": False}}
        passing = {_dotted(item["refr"]) for item in defaults if _plainly(item["value"]) != safe}
        rules = self.policy.get("rules")
        names = [rule.get("expr") for rule in rules if isinstance(rule, dict)] if isinstance(rules, list) else []
        self._rules = [name for name in names if isinstance(name, str)]
        for name in self._rules:
            if name not in places:
                self._find(1, 1, f"{name} is no rule of the module")
            elif name in passing:
                self._find(*places[name], f"the default of {name} must be false, or what is absent would pass")
            else:
                self._try(name)

    def _try(self, name: str) -> None:
        """Find what the library sees when it first evaluates a rule; whatever depends on the input is absent."""
        try:
            self._evaluated(name)
        except RuntimeError as error:
            if "is unsafe" in str(error):
                self._tell(error)

    def judge(self, subject: dict[str, Any]) -> list[bool | str]:
        """Return for each rule whether it is kept, or in words why it has no answer."""
        self._engine.set_input_json(json.dumps(subject))
        return [self._answer(name) for name in self._rules]

    def _answer(self, name: str) -> bool | str:
        try:
            value = self._evaluated(name)
        except RuntimeError as error:
            return _reason(error)
        if isinstance(value, bool):
            return value
        return f"{name} is undefined" if value is None else f"{name} is neither true nor false"

    def _evaluated(self, name: str) -> Any:
        return self._engine.eval_rule(f"{self._package}.{name}")


def _reason(error: RuntimeError) -> str:
    found = _ERROR.search(str(error))
    if found:  # what follows would repeat a part of the node
        return found[1].partition(" Got `")[0].strip().rstrip(".")
    return str(error).strip().partition("\n")[0]


# The syntax tree: nested mappings and lists, in which a mapping's key says what its value is.


def _found(tree: Any, kind: str) -> Iterator[Any]:
    """Yield every part of one kind, at any depth."""
    rest = [tree]
    while rest:
        part = rest.pop()
        if isinstance(part, dict):
            if kind in part:
                yield part[kind]
            rest += part.values()
        elif isinstance(part, list):
            rest += part


def _plainly(value: Any) -> Any:
    """Return a value of the tree without the places that it stands at."""
    if isinstance(value, dict):
        return {key: _plainly(part) for key, part in value.items() if key not in ("span", "eidx")}
    return value


def _heads(ast: Any) -> Iterator[Any]:
    """Yield the head of every rule and function, and every default."""
    for rule in ast["rules"]:
        if "Default" in rule:
            yield rule["Default"]
        else:
            yield from rule["Spec"]["head"].values()


def _place(refr: Any) -> tuple[int, int]:
    """Return the line and the column at which a reference begins."""
    while "Var" not in refr:
        refr = next(iter(refr.values())).get("refr", {"Var": {"span": {"line": 1, "col": 1}}})
    return refr["Var"]["span"]["line"], refr["Var"]["span"]["col"]


def _dotted(refr: Any) -> str:
    """Return a reference as it is written, as far as it is names joined by dots."""
    if "Var" in refr:
        return str(refr["Var"]["value"])
    if "RefDot" in refr:
        return f"{_dotted(refr['RefDot']['refr'])}.{refr['RefDot']['field'][1]}"
    return f"{_dotted(refr['RefBrack']['refr'])}[…]" if "RefBrack" in refr else "…"
