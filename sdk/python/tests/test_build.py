"""The first step of a build: finding handlers, naming them, and explaining mistakes."""

import json
import os
import pathlib
import runpy
import subprocess
import sys
import tempfile
import textwrap
import unittest

SDK = pathlib.Path(__file__).parents[1]
MAIN = """
from luckystack import {0}
@{0}
def main():
    pass
"""


class Collect(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name, "weather")
        self.out = pathlib.Path(folder.name, "out")
        self.root.mkdir()

    def save(self, path, text):
        path = self.root / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))

    def collect(self, *more):
        command = [sys.executable, "-m", "luckystack._collect", "--root", self.root, "--service", "weather"]
        command += ["--name", "weather", "--out", self.out, *(more or ("--nested", "--plain"))]
        env = os.environ | {"PYTHONPATH": str(SDK)}
        return subprocess.run(command, cwd=self.root.parent, env=env, capture_output=True, text=True, check=False)

    def plan(self, *more):
        done = self.collect(*more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return runpy.run_path(str(self.out / "luckystack_plan.py"))["PLAN"]

    def refused(self):
        done = self.collect()
        self.assertNotEqual(done.returncode, 0)
        return done.stderr

    def test_files_in_marker_folders_name_their_handlers(self):
        self.save("_api/get_all_v2.py", MAIN.format("api"))
        self.save("_sync/move_server_v1.py", MAIN.format("sync_server"))
        client = MAIN.format("sync_client").replace("main()", "main(to: Recipient)")
        self.save("_sync/move_client_v1.py", "from luckystack import Recipient" + client)
        self.save("reports/_api/list-1_v3.py", MAIN.format("api"))
        self.save("test_weather.py", "raise SystemExit")
        self.save("_api/_helpers.py", "raise SystemExit")
        manifest = json.loads(self.plan()["manifest"])
        routes = [(route["kind"], route.get("page"), route["name"], route["version"]) for route in manifest["routes"]]
        self.assertEqual(
            routes,
            [
                ("api", None, "get_all", 2),
                ("sync-client", None, "move", 1),
                ("sync-server", None, "move", 1),
                ("api", "weather/reports", "list-1", 3),
            ],
        )

    def test_the_world_has_what_is_used_and_no_more(self):
        self.save("a.py", MAIN.format("api"))
        self.plan()
        world = (self.out / "world.wit").read_text()
        self.assertIn("api-handlers", world)
        for absent in ("hook-handlers", "keyvalue", "http", "accounts", "uploads"):
            self.assertNotIn(absent, world)
        # Found although it is imported within a function.
        late = "    from luckystack import accounts, keyvalue, http, uploads\n    import csv\n"
        self.save("a.py", MAIN.format("api").replace("    pass\n", late))
        plan = self.plan()
        world = (self.out / "world.wit").read_text()
        self.assertIn("wasi:keyvalue/store", world)
        self.assertIn("wasi:http/outgoing-handler", world)
        self.assertIn("luckystack:plugin/accounts@", world)
        self.assertIn("luckystack:plugin/uploads@", world)
        self.assertIn("csv", plan["late"])

    def test_inputs_are_the_files_that_were_loaded(self):
        self.save("a.py", MAIN.format("api") + "import lib.inner")
        self.save("lib/inner.py", "")
        self.save("lib/unused.py", "")
        self.plan()
        inputs = json.loads((self.out / "inputs.json").read_text())
        self.assertEqual([os.path.relpath(path, self.root) for path in inputs], ["a.py", "lib/inner.py"])
        self.assertEqual(list(self.root.rglob("__pycache__")), [])

    def test_all_mistakes_are_shown_as_python_shows_them(self):
        self.save("a.py", "def broken(:\n    pass\n")
        self.save("b.py", "import nowhere\n")
        self.save(
            "c.py",
            """
            from luckystack import api

            @api
            def odd(input: complex):
                pass
            """,
        )
        text = self.refused()
        self.assertIn(f'File "{self.root}/a.py", line 1', text)
        self.assertIn("SyntaxError: ", text)
        self.assertIn(f'File "{self.root}/b.py", line 1, in <module>\n    import nowhere', text)
        self.assertIn(f'File "{self.root}/c.py", line 4, in odd\n    def odd(input: complex):\n', text)
        self.assertIn("parameter `input`: the type complex is not supported", text)
        self.assertNotIn("_load.py", text)

    def test_files_that_cannot_be_named_after_are_refused_with_the_rule(self):
        cases = [
            ("_api/list.py", MAIN.format("api"), "is called `<name>_v<N>.py`"),
            ("_api/list_v1.py", "", "it has no function `main` that is decorated with @api"),
            ("_sync/list_server_v1.py", MAIN.format("api"), "`main` of this file is decorated with @sync_server"),
            ("_api/list_v1.py", MAIN.format("api").replace("@api", "@api(name='x')"), "is named after its file"),
            ("types.py", MAIN.format("api"), "the name `types` is taken by a module of Python"),
        ]
        for path, text, message in cases:
            with self.subTest(path=path, message=message):
                self.save(path, text)
                self.assertIn(message, self.refused())
                (self.root / path).unlink()
        self.assertIn("no decorated function was found", self.refused())

    def test_modules_at_the_top_are_left_alone_where_they_are_not_the_plugins(self):
        self.save("script.py", "raise SystemExit")
        self.save("_api/list_v1.py", MAIN.format("api"))
        self.save("sub/_api/other_v1.py", "raise SystemExit")
        self.assertEqual(self.plan("--colour")["sources"], [("_api/list_v1.py", "_api", None)])


if __name__ == "__main__":
    unittest.main()
