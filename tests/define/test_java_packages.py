"""Own packages of a Java service, from its sources."""

import pytest

from pytest_anomod.adopt.found import agents_answer
from pytest_anomod.define.agents import guess_command
from pytest_anomod.define.java_packages import java_packages
from pytest_anomod.model.system import Agents, Command


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({}, ()),
        ({"Orders.java": "import java.util.List;\nclass Orders {}"}, ()),
        ({"a/A.java": "// Ours\npackage com.acme.shop;\n"}, ("com.acme.shop",)),
        ({"A.java": "package com.acme.shop.web;", "B.java": "package com.acme.shop.db;"}, ("com.acme.shop",)),
        ({"A.java": "package com.acme.shop;", "B.java": "package com.acme.shop.db;"}, ("com.acme.shop",)),
        ({"A.java": "package com.acme.shop;", "B.kt": "package com.acme.shopping\n"}, ("com.acme",)),
        ({"A.java": "package com.acme;", "B.java": "package com.other;"}, ("com.acme", "com.other")),
        ({"A.java": "package com.acme;", "B.java": "class B {}"}, ()),
        ({"A.java": "package com.acme;", "test/B.java": "package org.tests;", ".x/C.java": ""}, ("com.acme",)),
    ],
)
def test_the_packages_of_the_sources_are_found(tmp_path, files, found):
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert java_packages(tmp_path) == found


def test_a_guess_of_a_java_service_names_its_packages(tmp_path):
    (tmp_path / "A.java").write_text("package com.acme.shop;")
    command = Command(service="orders", argv=("java", "-jar", "orders.jar"))
    guess = guess_command(command, tmp_path)
    assert guess.agents == Agents("java", packages=("com.acme.shop",))
    assert agents_answer(guess).value == "Agents(\"java\", packages=('com.acme.shop',))"
    assert "check that" in agents_answer(guess).why
