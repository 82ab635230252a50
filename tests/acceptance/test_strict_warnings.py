"""A suite that turns warnings into errors passes with the plugin: nothing is left open, nothing deprecated called."""

from __future__ import annotations

from outside import HEADER, pytest_words, scenario

SHORT = "Durations(warmup_s=1, baseline_s=2, anomaly_s=2, recovery_s=2)"
STRICT = "[pytest]\nfilterwarnings = error\n"


def test_a_case_leaves_nothing_open(start, tmp_path):
    """In a stranger's folder; with a helper program of the fault, and the report. Its verdict is no matter here."""
    (tmp_path / "pytest.ini").write_text(STRICT)
    fault = "fault=CpuContention(), target='home-timeline-service'"
    (tmp_path / "test_strict.py").write_text(HEADER + scenario("test_it", fault, SHORT))
    run = start(*pytest_words("--alluredir=allure", "test_strict.py"))
    code = run.wait()
    assert "anomaly cases" in run.output, run.output  # it came to its end, and the case is on disk
    assert "Warning" not in run.output, run.output
    assert code == (0 if "1 passed" in run.output else 1), run.output
