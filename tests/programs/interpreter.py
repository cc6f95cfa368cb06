"""Programs that Python runs in other ways: its options, imports, its own command line tools."""

from __future__ import annotations

from tests.programs.program import Program

WORKS = "import sys\nfrom work import work\nprint(work(), sys.flags)\n"
MODULES = {"package/__init__.py": "", "package/__main__.py": "import sys, work\nprint(work.work(), sys.argv[1:])\n"}

PROGRAMS = {
    **{
        f"python {' '.join(options)}": Program(WORKS, options=(*options, "main.py"))
        for options in (
            ["-X", "dev"],
            ["-W", "error"],
            ["-E"],
            ["-s"],
            ["-B"],
            ["-O"],
            ["-OO"],
            ["-u"],
            ["-bb"],
            ["-X", "utf8"],
        )
    },
    "python -I": Program("import sys\nsys.path.insert(0, '.')\n" + WORKS, options=("-I", "main.py")),
    "python -S": Program(WORKS, options=("-S", "main.py"), is_recorded=False),
    "python -P": Program("import sys\nsys.path.insert(0, '.')\n" + WORKS, options=("-P", "main.py")),
    "python -c": Program("", options=("-c", WORKS)),
    "python -": Program("", options=("-",), stdin=WORKS),
    "python -i": Program("from work import work\n", options=("-i", "-q", "main.py"), stdin="work()\n1 / 0\nwork(2)\n"),
    "python -m package": Program("", options=("-m", "package", "x"), files=MODULES),
    "python folder": Program("", options=("package", "x"), files=MODULES, env={"PYTHONPATH": "."}),
    "import hooks": Program("""
        import importlib.abc, importlib.util, sys

        class Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
            def find_spec(self, name, path, target=None):
                return importlib.util.spec_from_loader(name, self) if name.startswith("virtual") else None

            def exec_module(self, module):
                exec(compile("import work\\nvalue = work.work()", f"<{module.__name__}>", "exec"), vars(module))

        sys.meta_path.insert(0, Finder())
        import virtual_one
        print(virtual_one.value, virtual_one.__spec__)
    """),
    "reloaded module": Program("""
        import importlib, os, sys
        import work
        print(work.work())
        with open("work.py", "a") as file:
            file.write("\\n\\ndef more():\\n    return 'more'\\n")
        print(importlib.reload(work).more(), work.__file__ == os.path.abspath("work.py"))
        del sys.modules["work"]
        importlib.invalidate_caches()
        print(importlib.import_module("work") is work, importlib.import_module("work").work())
    """),
    "import that fails": Program(
        "import work\nwork.work()\nimport broken\n", files={"broken.py": "def f(:\n    pass\n"}
    ),
    "circular import": Program(
        "import one\n",
        files={"one.py": "import work\nwork.work()\nimport two\n", "two.py": "from one import missing\n"},
    ),
    "namespace package": Program(
        "import space.inner, space, work\nprint(space.inner.VALUE, type(space.__path__).__name__, work.work())\n",
        files={"space/inner.py": "VALUE = 1\n"},
    ),
    "lazy imports": Program("""
        import importlib.util, sys
        spec = importlib.util.find_spec("work")
        spec.loader = importlib.util.LazyLoader(spec.loader)
        work = importlib.util.module_from_spec(spec)
        sys.modules["work"] = work
        spec.loader.exec_module(work)
        print(type(work).__name__, work.work(), type(work).__name__)
    """),
    "runpy": Program("""
        import runpy, sys
        print(sorted(runpy.run_path("work.py", {"given": 1}, "named"))[-3:], sys.argv)
        print(runpy.run_module("work", run_name="again")["work"](4))
    """),
    "exec": Program("""
        import linecache
        from work import work
        names = {}
        exec(compile("def f():\\n    return 1 / 0\\n", "<made>", "exec"), names)
        print(eval("work(2)"), work())
        exec(compile(open("work.py").read(), "work.py", "exec"), names)
        print(names["work"](3), linecache.getline("work.py", 1))
        names["f"]()
    """),
    "zipapp": Program(
        """
        import os, subprocess, sys, zipapp
        from work import work
        zipapp.create_archive("package", "app.pyz")
        print(subprocess.run([sys.executable, "app.pyz", "x"], env={**os.environ, "PYTHONPATH": "."}), work())
        os.unlink("app.pyz")
    """,
        files=MODULES,
    ),
    "bytecode alone": Program(
        """
        import compileall, os, subprocess, sys
        from work import work
        compileall.compile_file("package/__main__.py", legacy=True, quiet=1)
        os.unlink("package/__main__.py")
        print(subprocess.run([sys.executable, "-m", "package"]).returncode, work())
    """,
        files=MODULES,
    ),
    "compileall": Program("", options=("-m", "compileall", "-q", "package"), files=MODULES, is_recorded=False),
    "unittest": Program(
        "",
        options=("-m", "unittest", "-v", "suite"),
        files={
            "suite.py": "import unittest, work\n\n"
            "class T(unittest.TestCase):\n    def test_good(self):\n        work.work()\n\n"
            "    def test_bad(self):\n        self.assertEqual(work.work(), 3)\n"
        },
    ),
    "doctest": Program(
        "", options=("-m", "doctest", "text.py"), files={"text.py": '"""\n>>> import work\n>>> work.work()\n3\n"""\n'}
    ),
    "json.tool": Program("", options=("-m", "json.tool"), stdin='{"a": [1, 2]}', is_recorded=False),
    "tokenize": Program("", options=("-m", "tokenize", "work.py"), is_recorded=False),
    "venv": Program("", options=("-m", "venv", "--without-pip", "env"), is_recorded=False),
    "site": Program("", options=("-m", "site"), is_recorded=False),
    "version": Program("", options=("-VV",), is_recorded=False),
    "no such file": Program("", options=("missing.py",), is_recorded=False),
    "syntax error": Program("def f(:\n    pass\n", is_recorded=False),
    "subinterpreters": Program(
        """
        import os, sys
        try:
            import _xxsubinterpreters as interpreters
        except ImportError:
            import _interpreters as interpreters
        import work

        code = "import sys; sys.path.insert(0, '.'); import work; print(work.work(), 'coverage' in sys.modules)"
        for _ in range(3):
            made = interpreters.create()
            interpreters.run_string(made, code + "; sys.stdout.flush()")
            interpreters.destroy(made)
        print("ok", work.work())
        """,
        options=("-W", "ignore", "main.py"),
        logged=("interpreters-unmeasured",),
    ),
    "switch interval": Program(
        "import sys, work\nprint(sys.getswitchinterval(), sys.getrecursionlimit(), work.work())\n"
        "sys.setswitchinterval(1e-5)\nprint(sys.getswitchinterval())\n"
    ),
}
