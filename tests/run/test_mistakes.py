"""What users get wrong: one usage error a run for the command line, one line with its place for a test file."""

from __future__ import annotations

import pytest

HEADER = "from pytest_anomod import OpenLoop, System, anomaly\nfrom pytest_anomod.faults import *\n\n"
CONTROL = "@anomaly(system='social_network')\ndef test_it(case):\n    case.run()\n"
NOWHERE = "unix:///nonexistent/docker.sock"

ON_THE_COMMAND_LINE = {
    "--anomod-runtime=procss": "*no runtime named 'procss'; did you mean process?",
    "--anomod-injector=nativ": "*no injector named 'nativ'; did you mean native?",
    "--anomod-injector=chaosblade": "*needs ChaosBlade: put `blade` on PATH*",
    "--anomod-injector=chaos_mesh": "injector 'chaos_mesh' needs a cluster: there is no kubeconfig at /nowhere; set *",
    "--anomod-runtime=kubernetes": "there is no kubeconfig at /nowhere; set KUBECONFIG to one*",
    "--anomod-runtime=docker": f"no Docker daemon answers at {NOWHERE}*",
    "--anomod-scale=0": "--anomod-scale=0.0: *must be above 0*",
    "--anomod-scale=nan": "--anomod-scale=nan: *must be above 0*",
    "--anomod-rate=-1": "--anomod-rate=-1.0: *must be above 0*",
    "--anomod-repeat=0": "--anomod-repeat=0: must be at least 1 times",
    "--anomod-patience=-1": "--anomod-patience=-1.0: must be at least 0 s",
    "--anomod-patience=nan": "--anomod-patience=nan: must be at least 0 s",
    "--anomod-attempts=-1": "--anomod-attempts=-1: must be at least 0 times",
    "--anomod-out=": "--anomod-out=: name a directory, or a URL such as s3://bucket/cases",
    "--anomod-out=foo://x": "foo://x can't be read: *foo*",
    "--anomod-out=taken": "*taken can't hold a dataset: *taken is a file; name a directory",
    "--anomod-suite=not_there.py": "--anomod-suite */not_there.py: there is no such file or folder",
    "--anomod-suite=broken.txt": "*broken.txt:2: *syntax*",
    "--anomod-workload=har:gone.har": "*har:gone.har: there is no file /*",
    "--anomod-workload=postman:broken.txt": "*broken.txt: no JSON: *line 1 column 1*",
    "--anomod-suite-once": "*name it with --anomod-suite PATH",
    "--anomod-suite-base=http://localhost": "*name it with --anomod-suite PATH",
    "--anomod-workload=evomastr": "--anomod-workload evomastr: 'evomastr' is none of *",
    "--anomod-workload=evomaster:soon": "evomaster:soon: a length of time is wanted, such as *",
    "--anomod-workload=evomaster": "ANOMOD_EVOMASTER_JAR=/nowhere.jar: there is no such file",
}


@pytest.fixture
def project(pytester, monkeypatch):
    """Three files of scenarios, beside what some options mean."""
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)
    monkeypatch.setenv("ANOMOD_BLADE_HOME", "/nowhere")
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("ANOMOD_EVOMASTER_JAR", "/nowhere.jar")
    pytester.makepyfile(test_a=HEADER + CONTROL, test_b=HEADER + CONTROL, test_c=HEADER + CONTROL)
    (pytester.path / "taken").write_text("mine")
    (pytester.path / "broken.txt").write_text("import unittest\ndef test_it(:\n    pass\n")
    return pytester


def usage_errors(result):
    """The lines that say it; nothing else may: no traceback, no error of a file, no worker that is lost."""
    assert result.ret == pytest.ExitCode.USAGE_ERROR, result.stdout.str()
    said = result.stdout.str() + result.stderr.str()
    for word in ("Traceback", "ERROR collecting", "INTERNALERROR", "crashed", "Error:"):
        assert word not in said
    return [line for line in result.errlines if line.startswith("ERROR: ")]


@pytest.mark.parametrize("option", ON_THE_COMMAND_LINE)
def test_a_mistake_on_the_command_line_is_one_usage_error(project, option):
    """However many files there are."""
    result = project.runpytest(option)
    [line] = usage_errors(result)
    pytest.LineMatcher([line]).fnmatch_lines([f"ERROR: {ON_THE_COMMAND_LINE[option]}"])


@pytest.mark.parametrize("option", ["--anomod-rate=-1", "--anomod-out=taken"])
def test_with_workers_the_controller_says_it_once(project, option):
    """What only workers can find out, too."""
    result = project.runpytest_subprocess("-n2", option)
    [line] = usage_errors(result)
    pytest.LineMatcher([line]).fnmatch_lines([f"ERROR: {ON_THE_COMMAND_LINE[option]}"])


def test_a_system_that_no_runtime_takes_is_one_usage_error(pytester, monkeypatch):
    """`auto` has asked them all; so with a runtime that is named."""
    monkeypatch.setenv("DOCKER_HOST", NOWHERE)
    conftest = """
        from pytest_anomod import Service, ServiceKind, System
        from pytest_anomod.model import catalog

        edge = Service(name="edge", kind=ServiceKind.GATEWAY)
        catalog.offers("systems")["theirs"] = System(name="theirs", services=(edge,), entry="edge", journeys=())
        """
    pytester.makeconftest(conftest)
    text = HEADER + CONTROL.replace("social_network", "theirs")
    pytester.makepyfile(test_a=text, test_b=text)
    [line] = usage_errors(pytester.runpytest_subprocess("--anomod-runtime=auto"))
    assert line.startswith("ERROR: no runtime takes system 'theirs': process: system 'theirs' has no replica")
    [line] = usage_errors(pytester.runpytest_subprocess("--anomod-runtime=process"))
    assert line.startswith("ERROR: --anomod-runtime=process: system 'theirs' has no replica")


def test_without_scenarios_to_run_the_machine_is_not_looked_at(project):
    """Ordinary tests don't need an engine that addopts ask for."""
    project.makepyfile(test_a="def test_ordinary():\n    pass\n")
    result = project.runpytest("-k", "ordinary", "--anomod-runtime=docker")
    result.assert_outcomes(passed=1, deselected=2)


TEXT = "system='social_network', target='text-service', fault="
IN_A_TEST_FILE = {
    "@anomaly(system='social_netwrok')": "no system named 'social_netwrok'; did you mean social_network?",
    "@anomaly(system='social_network',\n    fault=StopService(),\n    target='media')": "*no service 'media'; did you*",
    "@anomaly(sytem='social_network')": "anomaly() got an unexpected keyword argument 'sytem'*",
    "@anomaly('social_network')": "anomaly() takes 0 positional arguments but 1 was given",
    f"@anomaly({TEXT}NetworkLoss(percnt=3))": "NetworkLoss() got an unexpected keyword argument 'percnt'*",
    f"@anomaly({TEXT}NetworkLoss(percent=300))": "*percent*300*",
    f"@anomaly({TEXT}DiskThrottle(), runtime='process')": "test_it: fault 'disk_throttle' needs ControlGroup, which*",
    "@anomaly(system='social_network', runtime='dokcer')": "no runtime named 'dokcer'; did you mean docker?",
    "from pytest_anomod.faults import NetworkLos": "pytest_anomod.faults has no 'NetworkLos'; did you mean Network*",
    "from pytest_anomod import anomali": "pytest_anomod has no 'anomali'; did you mean *",
    "import pytest_anomod.fautls": "No module named 'pytest_anomod.fautls'",
}


def said_of(result):
    """What is said of the file that is wrong: all lines of its section."""
    output = result.stdout.str()
    assert "Traceback" not in output
    section = output.partition("ERROR collecting test_wrong.py")[2].partition("==== short test summary")[0]
    # where schemathesis is installed, its plugin warns of each file that can't be collected
    return section.partition("==== warnings summary")[0].splitlines()[1:-1]


@pytest.mark.parametrize("line", IN_A_TEST_FILE)
def test_a_mistake_in_a_test_file_is_one_line_with_its_place(pytester, line):
    """And an error of that file alone."""
    pytester.makepyfile(test_wrong=f"{HEADER}{line}\ndef test_it(case):\n    case.run()\n", test_right=HEADER)
    result = pytester.runpytest()
    result.assert_outcomes(errors=1)
    [said] = said_of(result)
    pytest.LineMatcher([said]).fnmatch_lines([f"test_wrong.py:4: {IN_A_TEST_FILE[line]}"])


def test_with_workers_it_is_the_same_line_once(pytester):
    pytester.makepyfile(test_wrong=HEADER + "@anomaly(sytem='social_network')\ndef test_it(case): pass\n")
    result = pytester.runpytest_subprocess("-n2")
    result.assert_outcomes(errors=1)
    [said] = said_of(result)
    assert said.startswith("test_wrong.py:4: anomaly() got an unexpected keyword argument 'sytem'")


OTHER_ERRORS = {
    "a mistake of another kind": ("int('x')", "ValueError"),
    "an argument of their own function": ("def anomaly_of(): pass\nanomaly_of(1)", "TypeError"),
    "a missing library": ("import no_such_library", "ModuleNotFoundError"),
}


@pytest.mark.parametrize("what", OTHER_ERRORS)
def test_errors_that_have_nothing_to_do_with_us_keep_their_traceback(pytester, what):
    line, error = OTHER_ERRORS[what]
    pytester.makepyfile(HEADER + line)
    result = pytester.runpytest()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"E   {error}: *"])


def test_who_wants_the_traceback_gets_it(pytester):
    """With pytest's own option for it."""
    pytester.makepyfile(HEADER + "@anomaly(system='nowhere')\ndef test_it(): pass\n")
    result = pytester.runpytest("--full-trace")
    result.stdout.fnmatch_lines(["*declare.py:*", "E * no system named 'nowhere'*"])
