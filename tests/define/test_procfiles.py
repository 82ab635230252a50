"""Procfiles as foreman and honcho take them."""

from __future__ import annotations

import pytest

from pytest_anomod.define import procfiles
from pytest_anomod.model.errors import ScenarioError


def test_comments_and_blank_lines_are_left_out(tmp_path):
    file = tmp_path / "Procfile"
    file.write_text("# the shop\n\nweb: node server.js\n  worker-2:   celery -A shop  \n# old: perl\n")
    assert procfiles.read(file) == {"web": "node server.js", "worker-2": "celery -A shop"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("web node server.js\n", r"Procfile:1: 'web node server.js' is not of the form `name: command`"),
        ("web:\n", r"Procfile:1: 'web:' is not"),
        ("web: a\n\nweb: b\n", r"Procfile:3: service 'web' comes twice"),
    ],
)
def test_what_is_no_line_is_named(tmp_path, text, said):
    file = tmp_path / "Procfile"
    file.write_text(text)
    with pytest.raises(ScenarioError, match=said):
        procfiles.read(file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ScenarioError, match=r"Procfile .*/Procfile can't be read: No such file or directory"):
        procfiles.read(tmp_path / "Procfile")


@pytest.mark.parametrize(
    ("line", "argv", "env"),
    [
        ("node server.js", ("node", "server.js"), {}),
        ("A=1 B='two words' node server.js", ("node", "server.js"), {"A": "1", "B": "two words"}),
        ('sh "my script.sh" -x', ("sh", "my script.sh", "-x"), {}),
        ("URL=http://x:{db}/y ./app --port {web}", ("./app", "--port", "{web}"), {"URL": "http://x:{db}/y"}),
        ("A=1 ./app --port $PORT", ("A=1 ./app --port $PORT",), {}),
        ("A=$HOME ./app now", ("A=$HOME ./app now",), {}),
        ("exec build/pricing", ("exec build/pricing",), {}),
        ("A=1 exec node server.js", ("node", "server.js"), {"A": "1"}),
        ("./migrate && ./app", ("./migrate && ./app",), {}),
        ("./app", ("./app",), {}),
        ("PORT=3000 node server.js", ("node", "server.js"), {}),
        ("PORT=3000 A=1 node $X", ("A=1 node $X",), {}),
        ("env A=b ./app", ("env", "A=b", "./app"), {}),
    ],
)
def test_words_of_a_line(line, argv, env):
    """What is given from outside, PORT here, wins over what the line assigns."""
    assert procfiles.words(line, {"PORT": "{web}"}) == (argv, env)


def test_a_quote_that_is_not_closed_is_refused():
    with pytest.raises(ScenarioError, match="can't be read: No closing quotation"):
        procfiles.words("echo 'hello", {})


def test_variables_of_an_env_file(tmp_path):
    file = tmp_path / ".env"
    file.write_text("# secrets\nA=1\nexport B='two words'\nC = \"x=y\"\nD=\nnonsense\n")
    assert procfiles.read_env(file) == {"A": "1", "B": "two words", "C": "x=y", "D": ""}
    assert procfiles.read_env(tmp_path / "none") == {}
