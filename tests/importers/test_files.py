"""Each small file in files/ and what becomes of it; damaged ones end in a remark or an error of ours."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from file_outcomes import OUTCOMES

from pytest_anomod.importers import check, reading, table
from pytest_anomod.importers.found import Aims
from pytest_anomod.model.errors import ScenarioError
from pytest_anomod.model.remark import Says, worst

FILES = Path(__file__).parent / "files"
JUNK = ("[]", "{}", "null", "[a, b]", "{a: b}", "-1", "1e999", "nan", "*x", "&x y", "{{ .V }}", "|", "[[[[", "\x1b[31m")


def written_tests(found):
    """The tests as the table shows them."""
    tops = [remark.why for remark in table.remarks_of(found) if not remark.key.startswith("  ")]
    return [test for top in tops if " on " in top for test in top.split("; ")]


@pytest.mark.parametrize("name", OUTCOMES)
def test_a_file_becomes_these_tests_and_this_is_said_of_it(name, aims_for):
    tests, said = OUTCOMES[name]
    found = reading.read(FILES / name, aims_for(name))
    remarks = table.remarks_of(found)
    assert written_tests(found) == tests
    for line, says, words in said:
        fits = [
            one for one in remarks if one.line == line and str(one.says) == says and words in f"{one.key} {one.why}"
        ]
        assert fits, f"{line} {says} {words!r} is not said:\n{table.render(FILES / name, remarks)}"
    if not tests and worst(remarks) is not Says.DOES:
        assert worst(remarks) is Says.REFUSED


def test_every_file_has_its_outcome():
    assert {str(path.relative_to(FILES)) for path in FILES.rglob("*.*")} == set(OUTCOMES)


@pytest.mark.parametrize("name", ["chaos_mesh/no_duration.yaml", "litmus/probes.yaml", "toxiproxy/commands.sh"])
def test_check_says_the_same_without_a_system(name, aims_for):
    """Targets are then taken for services."""
    tests, _ = OUTCOMES[name]
    remarks = check(FILES / name)
    assert [one.why for one in remarks if not one.key.startswith("  ")] == tests


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n",
        '{"title": "a", "description": "b", "method": []}',
        "echo blade creates nothing\n",
        "",
    ],
)
def test_a_file_in_no_format_of_these_is_left_to_others(tmp_path, text):
    path = tmp_path / "some.yaml"
    path.write_text(text)
    assert check(path) is None


def test_what_is_no_text_is_an_error_that_names_the_file(tmp_path):
    path = tmp_path / "some.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ScenarioError, match=r"some\.yaml can't be read: it is no text in UTF-8"):
        check(path)
    with pytest.raises(ScenarioError, match=r"none\.yaml can't be read: No such file"):
        check(tmp_path / "none.yaml")


def test_litmus_engines_in_an_argo_workflow_are_found(tmp_path, aims_for):
    engine = (FILES / "litmus/pod_delete.yaml").read_text()
    indented = "".join(f"            {line}\n" for line in engine.splitlines())
    path = tmp_path / "argo.yaml"
    path.write_text(
        "apiVersion: argoproj.io/v1alpha1\nkind: Workflow\nspec:\n  templates:\n  - name: kill\n    inputs:\n"
        f"      artifacts:\n      - name: kill\n        raw:\n          data: |\n{indented}"
    )
    found = reading.read(path, aims_for(""))
    assert written_tests(found) == ["KillService(period_s=10) on ts-order-service"]
    assert found.experiments[0].line == 13 + 10


def test_nothing_in_a_file_steers_the_terminal(tmp_path):
    path = tmp_path / "some.yaml"
    path.write_text((FILES / "chaos_mesh/unknown_action.yaml").read_text().replace("explode", '"\\e[31mred"'))
    assert "\x1b" not in table.render(path, check(path))


def damaged(text, chance):
    """A few lines left out, or with something else in them."""
    lines = text.splitlines(keepends=True)
    for _ in range(chance.choice((1, 2, 4))):
        place = chance.randrange(len(lines))
        if chance.random() < 0.4 and len(lines) > 1:
            del lines[place]
        else:
            lines[place] = f"{lines[place].partition(':')[0]}: {chance.choice(JUNK)}\n"
    return "".join(lines)


def test_damaged_files_end_in_a_remark_or_an_error_of_ours(tmp_path, aims_for):
    chance = random.Random(20)
    names, outcomes = sorted(OUTCOMES), set()
    for _ in range(250):
        name = chance.choice(names)
        path = tmp_path / f"damaged{Path(name).suffix}"
        path.write_text(damaged((FILES / name).read_text(), chance))
        aims = chance.choice((Aims(), aims_for(name)))
        outcomes.add(str(worst(table.remarks_of(reading.read(path, aims)))))
    assert outcomes == {"does", "partly", "refused"}


@pytest.mark.parametrize("width", [80, 130])
def test_the_table_fits_its_terminal(width, aims_for):
    for name in OUTCOMES:
        remarks = table.remarks_of(reading.read(FILES / name, aims_for(name)))
        longest = max(table.render(Path(name), remarks, width).splitlines(), key=len)
        assert len(longest) <= width, longest
