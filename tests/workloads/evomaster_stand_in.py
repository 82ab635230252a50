"""Stands in for EvoMaster: keeps its command line, asks the document and one page, writes a suite in EvoMaster's form.

Run as a program: `python evomaster_stand_in.py --maxTime 60s ...`. ANOMOD_STAND_IN=fails makes it fail, =newer makes it
know the later names of options alone.
"""

import json
import os
import sys
import urllib.request
from pathlib import Path

SUITE = """\
import unittest
import requests
from em_test_utils import *


class EvoMaster_successes_Test(unittest.TestCase):

    baseUrlOfSut = "{base}"

    def test_0(self):
        headers = {{}}
        headers["{name}"] = "{value}"
        res_0 = requests \\
                .get(self.baseUrlOfSut + "/pages/7", headers=headers)
        assert res_0.status_code == 200
        assert {answer!r} in res_0.text
"""


def main(arguments: list[str]) -> int:
    options = {name.removeprefix("--"): value for name, value in zip(arguments[::2], arguments[1::2], strict=True)}
    mode = os.environ.get("ANOMOD_STAND_IN")
    if mode == "newer" and "bbSwaggerUrl" in options:
        sys.stdout.write("ERROR: bbSwaggerUrl is not a recognized option\n")
        return 1
    name, _, value = options.get("header0", "Accept:*/*").partition(":")
    base = options.get("bbTargetUrl") or options["base"]
    for url in (options.get("bbSwaggerUrl") or options["schema"], base + "/pages/7"):
        with urllib.request.urlopen(urllib.request.Request(url, headers={name: value}), timeout=20) as answer:
            text = answer.read().decode()
    if mode == "fails":
        sys.stdout.write(f"out of memory, after {text}\n")
        return 3
    folder = Path(options["outputFolder"])
    folder.mkdir()
    suite = SUITE.format(base=base, name=name, value=value, answer=text)
    (folder / "EvoMaster_successes_Test.py").write_text(suite)
    (folder / "em_test_utils.py").write_text("")
    with Path(os.environ["ANOMOD_STAND_IN_CALLS"]).open("a") as calls:
        calls.write(json.dumps(arguments) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
