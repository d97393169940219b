"""How fast nodespec is, against what a user would run instead, on registries made to measure.

In import order: ``dice`` (repeatable choices), ``population`` (which nodes exist and who hears whom),
``spec_text`` (a node as its author would write it), ``history`` (commits), ``generate`` (a Git
repository of them); ``measure`` (one timed process after the other), ``promises`` (what is compared with
what), ``run`` (the table). ``naive_loop`` is a contender of its own.
"""
