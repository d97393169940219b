"""The index: what is known of every blob, derived from the files and disposable.

``<git folder>/nodespec/index.sqlite3`` holds what was once read, so that it is read once ever: a node's value by the id
of its blob, and which blobs stood where at a few trees. It answers questions; it never vouches for anything. Whoever
verifies a signature, or judges a file, reads the file. Whoever signs a checkpoint takes lists of folders from it, and
hashes each before it is believed (:mod:`nodespec.manifest_update`).

- ``facts``: what one blob says;
- ``store``: the file, its tables, and what happens when it is damaged, foreign, full or not writable;
- ``rows``: what a change writes;
- ``learning``: files that nothing is known of are read;
- ``commit_trees``: commits, by the difference of their trees;
- ``file_states``: what tells that a folder of a work tree has not changed;
- ``work_trees``: work trees, by the state of their files;
- ``queries``: questions in SQL;
- ``indexed_tree``: one tree that was made known, and what can be asked of it;
- ``verdicts``: what was found before, sealed by whoever found it (:mod:`nodespec.verdict_cache`);
- ``merkle_cache``: what folders hold, by their Merkle digest.

Whoever needs a part imports that part, so that a question loads no writer and a verdict no questions.

**An answer is the same with the index and without it**, unless somebody edits the file, or Git's file system monitor,
where a user has switched it on, overlooks a change (:mod:`nodespec.fsmonitor`). SQL only narrows down; every
node that it finds is asked the question again (:meth:`nodespec.question.Question.matches`). A tree that is odd in any
way (a link or a submodule where a node should be, a malformed tree object, a file that cannot be read) is not indexed,
and is read as it stands.
"""
