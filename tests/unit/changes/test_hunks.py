from __future__ import annotations

from pytest_vmpilot_cov.changes.hunks import Touched, added_lines, touched_files

PATCH = rb"""diff --git a/app/a.py b/app/a.py
index 1..2 100644
--- a/app/a.py
+++ b/app/a.py
@@ -1,2 +1,3 @@ def f():
--- a/old.py
-two
+++ b/new.py
+@@ -1 +1 @@
+three
@@ -9 +10,0 @@
-gone
diff --git "a/tab\tand \303\244.py" "b/tab\tand \303\244.py"
--- "a/tab\tand \303\244.py"
+++ "b/tab\tand \303\244.py"
@@ -0,0 +1 @@
+x = 1
\ No newline at end of file
diff --git a/with space.py b/with space.py
--- /dev/null
+++ b/with space.py<tab>
@@ -3,0 +4,2 @@
+four
+five
"""


def test_lines_that_look_like_the_head_of_a_patch_are_lines() -> None:
    """What a source holds is told from the patch's own lines by the numbers of its hunk."""
    assert added_lines(PATCH.replace(b"<tab>", b"\t")) == {
        b"app/a.py": [1, 2, 3],
        "tab\tand ä.py".encode(): [1],
        b"with space.py": [4, 5],
    }


def test_context_is_no_change() -> None:
    """Lines of context, an empty one without its blank too, are not among those that were added."""
    patch = b"+++ b/a.py\n@@ -1,3 +1,4 @@\n one\n\n+new\n three\n@@ -7 +8 @@\n-old\n+new\n"
    assert added_lines(patch) == {b"a.py": [3, 8]}


def test_an_empty_patch_has_no_lines() -> None:
    """Of no output, nothing is made."""
    assert added_lines(b"") == {}
    assert [*touched_files(b"")] == []


def test_renames_and_submodules_are_read() -> None:
    """A renamed file has two names, a deleted one is left out, and a submodule is marked."""
    raw = (
        b":100644 100644 1 2 R090\0old.py\0new\nname.py\0:100644 000000 1 0 D\0gone.py\0"
        b":160000 160000 1 2 M\0lib\0:000000 100644 0 1 A\0added.py\0"
    )
    assert [*touched_files(raw)] == [
        Touched(b"new\nname.py", b"old.py", is_submodule=False),
        Touched(b"lib", b"lib", is_submodule=True),
        Touched(b"added.py", b"added.py", is_submodule=False),
    ]
