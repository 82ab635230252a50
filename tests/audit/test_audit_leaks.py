"""Each leak of our own kind (L1 to L8) is put into a dataset and found; a dataset without one has no finding."""

from __future__ import annotations

import json
import shutil

import made
import pytest

from pytest_anomod import cli
from pytest_anomod.audit import material as material_of
from pytest_anomod.audit import our_form
from pytest_anomod.audit.audit import audit
from pytest_anomod.audit.finding import Severity
from pytest_anomod.audit.rules import all_rules


def test_a_sound_dataset_has_no_finding(sound):
    audited = audit(sound)
    assert audited.findings == ()
    assert (audited.cases, audited.controls, audited.form) == (10, 4, "pytest-anomod")
    said = " ".join(finding.what for found in audited.found.values() for finding in found)
    assert "surplus of counters over spans names the root cause first in" in said, "the rule was not asked"
    assert "could not be looked at" not in said
    assert "the surplus of a store's commands over calls to it names the root cause first in" in said


def test_no_rule_keeps_the_rows_of_cases_it_has_looked_at(sound):
    """Two hundred cases took 10 GB."""
    material = our_form.read(sound)
    for rule in all_rules():
        list(rule.find(material))
    assert [case.case_id for case in material.cases if case.stored._cache] == []


def test_frames_beyond_a_size_are_read_again(sound, monkeypatch):
    """The last one that was looked at stays, however large it is."""
    monkeypatch.setattr(material_of, "KEPT_BYTES", 1)
    first, second = our_form.read(sound).cases[:2]
    frame = first.table("traces")
    assert first.table("traces") is frame
    second.table("traces")
    assert first.table("traces") is not frame


LEAKS = (
    ("L1-footprint", "of TextHandler.compose_text only the first line runs", made.SERVICE),
    ("L1-footprint", "1 functions have lines only while a fault is in", made.SERVICE),
    ("L2-counter-surplus", "requests a second more than it has spans", made.SERVICE),
    ("L3-store-surplus", "pg_xact_commit_total rises by 5.4 a second beyond what calls to it explain", made.STORE),
    ("L3-stray-traces", "traces begin at the root cause while the fault is in", made.STORE),
    ("L4-prepared-baseline", "pg_wal_sync_total is 10.7 before the fault, 0 to 0 in", made.STORE),
    ("L6-telling-names", "'CONFIG SET maxmemory", made.STORE),
    ("L6-telling-names", "due to lock_timeout", made.STORE),
    ("L6-telling-names", "'parameter <*> changed to <*>' in onset", made.STORE),
    ("L8-label-words", "traces.attributes has words of the label: '\"phase\":'", ""),
    ("L8-label-words", "logs.body has words of the label: 'chaos'", ""),
)


@pytest.mark.parametrize(("rule", "said", "service"), LEAKS)
def test_a_leak_is_found(leaks, rule, said, service):
    found = [finding for finding in leaks if finding.rule == rule and said in finding.what]
    assert found, [finding.what for finding in leaks if finding.rule == rule]
    assert all(finding.severity is Severity.LEAK and finding.todo and finding.cases for finding in found)
    assert {finding.service for finding in found} >= {service}


def test_lines_that_controls_have_too_tell_nothing(leaky, tmp_path):
    out = shutil.copytree(leaky, tmp_path / "out")
    control = next(out.glob("*/scenario=control/*"))
    fault = next(out.glob("*/scenario=slow_0/*"))
    shutil.copy(fault / "logs.parquet", control / "logs.parquet")
    assert audit(out, only=["L6-telling-names"]).findings == ()


def _truncated(frame, cause):
    return (frame["service_name"] == cause) & frame["phase"].isin(["onset", "anomaly", "release"])


def test_a_column_that_is_a_label_is_found(sound, tmp_path):
    """L7: in a column that blind readers don't get it is a note, in any other modality it is a leak."""
    out = shutil.copytree(sound, tmp_path / "out")
    made.add_column(out, "coverage", "truncated", _truncated)
    audited = audit(out, only=["L7-label-column"])
    assert audited.findings == ()
    assert "coverage.truncated: a label as a column" in audited.found["L7-label-column"][0].what
    for case in out.glob("*/*/*"):
        shutil.copy(case / "coverage.parquet", case / "profiles.parquet")
        manifest = json.loads((case / "case.json").read_text())
        manifest["tables"]["profiles"] = manifest["tables"]["coverage"]
        (case / "case.json").write_text(json.dumps(manifest))
    found = audit(out, only=["L7-label-column"]).findings
    assert [finding.what for finding in found if "profiles.truncated is a label: True" in finding.what]
    assert len(found[0].cases) == 3, "those with their fault at the service that has coverage"


def test_the_command_prints_a_table_or_json_and_fails_on_findings(sound, leaky, capsys):
    assert cli.main(["audit", str(sound), "--rule", "L1-footprint", "--rule", "duplicates"]) == 0
    said = capsys.readouterr().out
    assert "10 cases, 4 of them controls, in the form of pytest-anomod" in said
    assert "nothing found" in said
    assert cli.main(["audit", str(leaky), "--rule", "L1-footprint"]) == 1
    said = capsys.readouterr().out
    assert "leak L1-footprint  20261122T0025Z-aaaa  text-service" in said
    assert "-> let the patched function run its own lines" in said
    assert "6 findings" in said
    assert cli.main(["audit", str(leaky), "--rule", "L1-footprint", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert [found["severity"] for found in document["findings"]].count("leak") == 6
    assert document["findings"][0]["figures"]["functions"] == 1


def test_what_can_not_be_audited_is_said(tmp_path, capsys, sound):
    assert cli.main(["audit", str(tmp_path / "nowhere")]) == 2
    assert "does not exist" in capsys.readouterr().err
    assert cli.main(["audit", str(sound), "--rule", "L9"]) == 2
    assert "no rule 'L9'; rules are clock, " in capsys.readouterr().err
