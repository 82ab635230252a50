"""The script that builds a home of ChaosBlade: with real Go, from modules of our own in the real ones' shape."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "build_blade.py"
GROUP = "github.com/chaosblade-io"
CLI = """package main
import ("fmt"; "os"; "path/filepath"; "GROUP/chaosblade/version")
func main() {
	root, _ := filepath.Abs(filepath.Dir(os.Args[0]))
	os.WriteFile(filepath.Join(root, "chaosblade.dat"), nil, 0o600)
	if _, err := os.Stat(filepath.Join(root, "yaml", "chaosblade-os-spec-"+version.Ver+".yaml")); err == nil {
		fmt.Println("version: "+version.Ver, "flags: --pid")
	}
}
"""
MODULES = {
    "chaosblade": {"cli/main.go": CLI, "version/version.go": 'package version\nvar Ver = "unknown"\n'},
    "chaosblade-exec-os": {},
    "chaosblade-exec-middleware": {},
}
EXECUTOR = {
    "main.go": "package main\nfunc main() {}\n",
    "build/spec.go": 'package main\nimport "os"\nfunc main() { os.WriteFile(os.Args[1], nil, 0o644) }\n',
}


@pytest.fixture
def go(tmp_path, monkeypatch):
    """Go, and a proxy in a directory that has the three modules in version v0.1.0 and nothing else."""
    if shutil.which("go") is None:
        pytest.skip("no go here")
    said = subprocess.run(["go", "version"], capture_output=True, text=True, check=True).stdout
    if tuple(map(int, said.split()[2].removeprefix("go").split(".")[:2])) < (1, 25):
        pytest.skip(f"too old a go here: {said.strip()}")
    for name, files in MODULES.items():
        publish(tmp_path / "proxy", f"{GROUP}/{name}", files or EXECUTOR)
    monkeypatch.setenv("GOPROXY", (tmp_path / "proxy").as_uri())
    monkeypatch.setenv("GOSUMDB", "off")
    monkeypatch.setenv("GOFLAGS", "-modcacherw")
    monkeypatch.setenv("GOMODCACHE", str(tmp_path / "modules"))


def publish(proxy: Path, module: str, files: dict[str, str]) -> None:
    """Put version v0.1.0 of a module into a proxy's directory."""
    versions = proxy / module / "@v"
    versions.mkdir(parents=True)
    text = f"module {module}\n\ngo 1.20\n"
    (versions / "v0.1.0.info").write_text('{"Version":"v0.1.0","Time":"2026-01-01T00:00:00Z"}')
    (versions / "v0.1.0.mod").write_text(text)
    with zipfile.ZipFile(versions / "v0.1.0.zip", "w") as archive:
        for path, content in {"go.mod": text, **files}.items():
            archive.writestr(f"{module}@v0.1.0/{path}", content.replace("GROUP", GROUP))


def run(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, str(SCRIPT), *map(str, words)], capture_output=True, text=True)


def test_a_home_is_built_whole(go, tmp_path):
    """Program, executors, and specifications of the very version that the program takes itself for; no records yet."""
    home = tmp_path / "home"
    done = run(home, "--cli", "v0.1.0", "--executors", "v0.1.0")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{home}\n"
    found = sorted(str(path.relative_to(home)) for path in home.rglob("*") if path.is_file())
    assert found == [
        "bin/chaos_middleware",
        "bin/chaos_os",
        "blade",
        "yaml/chaosblade-middleware-spec-1.7.4.yaml",
        "yaml/chaosblade-os-spec-1.7.4.yaml",
    ]
    assert all(os.access(home / name, os.X_OK) for name in ("blade", "bin/chaos_os", "bin/chaos_middleware"))


def test_a_version_that_is_not_to_be_had_is_named_and_nothing_is_left(go, tmp_path):
    """What go said is passed on."""
    done = run(tmp_path / "home", "--cli", "v0.9.9", "--executors", "v0.1.0")
    assert done.returncode == 1
    assert f"{GROUP}/chaosblade@v0.9.9" in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["modules", "proxy"]


def checkout(directory: Path) -> Path:
    """A copy of the command line's repository, whose module has a replacement, as those of most releases have."""
    for path, content in {**MODULES["chaosblade"], "other/other.go": "package other\n"}.items():
        (directory / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).write_text(content.replace("GROUP", GROUP))
    main = directory / "cli" / "main.go"
    main.write_text(main.read_text().replace("import (", 'import ( _ "example.invalid/other";'))
    (directory / "go.mod").write_text(
        f"module {GROUP}/chaosblade\n\ngo 1.20\n\nrequire example.invalid/other v0.0.0\n\n"
        "replace example.invalid/other => ./other\n"
    )
    (directory / "other" / "go.mod").write_text("module example.invalid/other\n\ngo 1.20\n")
    return directory


def test_the_command_line_can_come_from_a_checkout(go, tmp_path):
    """For a proxy that has the executors only; the checkout stays as it was, its replacements hold."""
    shutil.rmtree(tmp_path / "proxy" / GROUP / "chaosblade")
    source = checkout(tmp_path / "source")
    before = {path: path.read_bytes() for path in source.rglob("*") if path.is_file()}
    done = run(tmp_path / "home", "--source", source, "--executors", "v0.1.0")
    assert done.returncode == 0, done.stderr
    assert os.access(tmp_path / "home" / "blade", os.X_OK)
    assert len(list((tmp_path / "home" / "bin").iterdir())) == 2
    assert {path: path.read_bytes() for path in source.rglob("*") if path.is_file()} == before


def test_a_directory_that_is_no_checkout_is_named(go, tmp_path):
    """Rather than what go says of a directory without a module."""
    done = run(tmp_path / "home", "--source", tmp_path / "modules")
    assert (done.returncode, f"{tmp_path / 'modules'} has no cli/" in done.stderr) == (1, True)


def test_the_executors_alone_are_built_where_the_command_line_is_not_to_be_had(go, tmp_path):
    """For a blade that one has, and for tests of the executors."""
    shutil.rmtree(tmp_path / "proxy" / GROUP / "chaosblade")
    done = run(tmp_path / "home", "--no-cli", "--executors", "v0.1.0")
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "home").iterdir()) == ["bin", "yaml"]
    assert len(list((tmp_path / "home" / "yaml").iterdir())) == 2


def test_a_directory_with_something_in_it_is_left_alone(tmp_path):
    """It may be anybody's."""
    (tmp_path / "mine").write_text("mine")
    done = run(tmp_path)
    assert (done.returncode, "is not empty" in done.stderr) == (1, True)
    assert (tmp_path / "mine").read_text() == "mine"


def test_without_go_it_is_said_what_to_install(tmp_path, monkeypatch):
    """On most machines that is the first thing missing."""
    monkeypatch.setenv("PATH", str(tmp_path))
    done = run(tmp_path / "home")
    assert (done.returncode, done.stderr) == (1, "build_blade: no go on PATH; install Go >= 1.25\n")
