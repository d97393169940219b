"""How fast nodespec is, against what a user would run instead, on registries made to measure.

In import order: ``dice`` (repeatable choices), ``population`` (which nodes exist and who hears whom),
``spec_text`` (a node as its author would write it), ``history`` (commits), ``generate`` (a Git
repository of them), ``sign`` (owners, a trust root, attestations); ``measure`` (one timed process
after the other), ``rates`` (inside one process), ``promises`` (what is compared with what), ``run``
(the table). ``naive_loop`` is a contender of its own.
"""
