"""Without its extra, a command says what to install instead of showing a traceback."""

from __future__ import annotations

import subprocess
import sys

import pytest

_WITHOUT = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == {missing!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Refuse())
sys.argv = {arguments!r}
from {module} import main
main()
"""


@pytest.mark.parametrize(
    ("module", "missing", "words", "extra"),
    [
        ("tradehook_bot.__main__", "telegram", ["run"], "tradehook[bot]"),
        (
            "tradehook_sandbox.__main__",
            "starlette",
            ["serve", "--port", "0", "--key-file", "{tmp}/key.json"],
            "tradehook[sandbox]",
        ),
    ],
)
def test_names_the_extra(module, missing, words, extra, tmp_path):
    arguments = ["command", *(word.replace("{tmp}", str(tmp_path)) for word in words)]
    code = _WITHOUT.format(missing=missing, arguments=arguments, module=module)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert extra in done.stderr
    assert "Traceback" not in done.stderr
