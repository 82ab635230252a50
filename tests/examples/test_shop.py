"""The example examples/shop stays true: its three descriptions agree, its README can be followed, its checks speak."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

SHOP = Path(__file__).parents[2] / "examples" / "shop"
SERVICES = {"gateway", "catalog", "orders", "pricing", "cache", "db"}


class Loader(yaml.SafeLoader):
    """Reads compose files: `!override` and `!reset` are tags of theirs."""


def _plain(loader: Loader, _tag: str, node: yaml.Node):
    return loader.construct_mapping(node, deep=True) if isinstance(node, yaml.MappingNode) else None


Loader.add_multi_constructor("!", _plain)


def composed(name: str) -> dict:
    return yaml.load((SHOP / name).read_text(), Loader)["services"]


def test_compose_file_and_procfile_start_the_same_services():
    lines = re.findall(r"^(\w+): (.+)$", (SHOP / "Procfile").read_text(), re.MULTILINE)
    assert set(composed("compose.yaml")) == {name for name, _ in lines} == SERVICES


def test_without_a_registry_every_image_is_a_target_of_one_file():
    recipe = (SHOP / "local" / "Dockerfile").read_text()
    targets = set(re.findall(r"^FROM \S+ AS (\w+)$", recipe, re.MULTILINE))
    built = {name: service["build"] for name, service in composed("compose.local.yaml").items()}
    assert set(built) == SERVICES == targets - {"base"}
    assert built == {name: {"context": ".", "dockerfile": "local/Dockerfile", "target": name} for name in SERVICES}
    for source in re.findall(r"^COPY (\S+) ", recipe, re.MULTILINE):
        assert source.startswith("build/") or (SHOP / source).exists(), source


def test_the_readme_names_what_is_there():
    text = (SHOP / "README.md").read_text()
    for path in re.findall(r"examples/shop[\w/.]*", text):
        assert (SHOP.parents[1] / path).exists(), path
    for cell in re.findall(r"^\| (`.+?) \|", text, re.MULTILINE):
        for name in re.findall(r"[\w./]+", cell):
            assert (SHOP / name).exists(), name


def test_no_file_pins_where_packages_come_from():
    tracked = subprocess.run(["git", "ls-files"], cwd=SHOP, capture_output=True, text=True, check=True).stdout.split()
    assert not {"package-lock.json", "go.sum"} & {Path(name).name for name in tracked}
    assert not [name for name in tracked if "https://" in (SHOP / name).read_text()]


def test_the_build_says_which_tools_are_missing(tmp_path):
    (tmp_path / "dirname").symlink_to(shutil.which("dirname"))
    bash = shutil.which("bash")
    done = subprocess.run([bash, SHOP / "build.sh"], env={"PATH": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == 75
    for tool in ("node", "java", "javac", "go", "python3"):
        assert f"missing: {tool} (" in done.stderr


@pytest.fixture
def stores():
    spec = importlib.util.spec_from_file_location("shop_stores", SHOP / "stores.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_stores_take_the_program_on_the_path_first(stores, tmp_path, monkeypatch):
    redis = tmp_path / "redis-server"
    redis.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert stores.program("redis-server") == redis


def test_stores_say_what_to_install(stores, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(stores.PACKAGES, "redis-server", ("no_such_package", "bin"))
    with pytest.raises(SystemExit, match=r"no redis-server .* pip install"):
        stores.program("redis-server")
