r"""Governance policies: what a registry asks of nodes beyond their shape, as rules in CEL.

A policy is a document of the same strict profile as a NodeSpec, ``registry/policies/<name>.cel.yaml``, and fulfils
``schemas/policy.v1.schema.json``, in the manner of Kubernetes' ValidatingAdmissionPolicy::

    policy       the name; the file's name, and what nodes write as governance_policy_ref
    scope        reference (those who name it) or registry (everybody, whatever they name)
    match        lanes, node_types (by whole segments), tiers {min, max}, signals: each that is given must fit
    variables    {name, expr}: values that the expressions below them use as variables.<name>
    rules        {id, expr, message, severity, path}: expr is true when the node complies
    examples     {name, node, provenance, sensitive, expect}, run by ``nodespec policy test``

An expression (CEL, github.com/google/cel-spec) sees these values, all of them JSON, and nothing else:

    node                 the NodeSpec as the file says it; whole numbers are int, others double
    emits                each emitted signal as {name, sensitivity, category}, all three always there; the sensitivity
                         is the higher of the node's label and registry.yaml's, so that no label talks it down
    provenance.verified  the attestation verifies: the owner's chain, these bytes, the verifier where one is needed
    provenance.attested  ... and a verifier whom the trust root appoints signed
    provenance.delegated ... and the trust root delegates something to the owner, who is no newcomer
    provenance.owner     the owner's handle when the attestation verifies, else ""
    registry.id          the registry's name
    registry.sensitive   sensitive_signals of registry.yaml: name to label
    variables.<name>     the variables above; one that has no value takes the value from those who need it only

Without a trust root, or where family P is not judged, nothing verifies: verified, attested and delegated are false.

The answer is a plain true or a plain false. Anything else (an absent field, another type, an error, a limit reached)
is no answer, and no answer is never a pass: the finding is L003, and the run ends with 3.

Limits: 64 policies in a registry, 16 variables and 32 rules in a policy, 2,048 characters in an expression, 32 levels
of nesting and 10,000 steps of comprehensions (both by CEL's own runtime); 512 MiB of memory; and for each policy one
second of processor time, and 10 ms more for each node. Time and memory are bounded from outside, since an expression
within all other limits can ask for hours and terabytes: policies are evaluated in a process of their own
(:mod:`nodespec.policy.sandbox`), without environment, files or network, which is killed when it takes more.

With the extra ``rego``, a policy may be a module of Rego, ``registry/policies/<name>.rego``
(:mod:`nodespec.policy.rego`).

>>> from nodespec import document, settings, spec
>>> from nodespec.policy.examples import SPECIMEN
>>> from nodespec.policy.policies import Policies
>>> from nodespec.policy.source import Source
>>> from nodespec.policy.standing import Standing
>>> text = b'''
... policy: lab.care
... scope: registry
... match: {lanes: [candidate]}
... variables:
...   - name: personal
...     expr: emits.filter(s, s.sensitivity == 'personal')
... rules:
...   - id: terms-stated
...     expr: variables.personal.size() == 0 || has(node.consent)
...     message: State purpose, retention and erasure.
...     path: /consent
... '''
>>> care = Policies([Source("registry/policies/lab.care.cel.yaml", text)])
>>> node = spec.from_value(SPECIMEN)
>>> care.judge(node, Standing(), settings.Settings())
[]
>>> SPECIMEN["interfaces"]["signals"]["emits"]
[{'name': 'something_happened'}]
>>> sensitive = settings.Settings(sensitive_signals={"something_happened": "personal"})
>>> [(ruling.rule.id, ruling.outcome) for ruling in care.judge(node, Standing(), sensitive)]
[('terms-stated', 'violated')]

This file imports nothing, because the process in which policies are evaluated begins with it.
"""
