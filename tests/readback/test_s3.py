"""A dataset in an S3 store: moto's server on loopback, read by the readers over s3fs, and cases that are sent there."""

import shutil

import fsspec
import pytest
from moto.server import ThreadedMotoServer

from conftest import DATASET
from pytest_anomod import load_dataset
from pytest_anomod.dataset import layout
from pytest_anomod.dataset import store as stores
from pytest_anomod.dataset.index import write_index


@pytest.fixture
def store(monkeypatch):
    """A bucket with the dataset."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "nobody",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    files = fsspec.filesystem("s3", skip_instance_cache=True)
    files.mkdir("cases")
    files.put(f"{DATASET.rstrip('/')}/", "cases/anomod", recursive=True)
    yield "s3://cases/anomod"
    server.stop()


def test_the_readers_read_it(store, figure):
    here, there = load_dataset(DATASET), load_dataset(store)
    assert there.cases.equals(here.cases)
    case = next(iter(there))
    assert case.traces.equals(here.case(case.case_id).traces)
    assert there.logs.equals(here.logs)
    figure("moto", f"load_dataset(s3://...): {len(there)} cases, {len(there.logs):,} lines")


def test_cases_are_sent_there(store, monkeypatch, tmp_path, figure):
    monkeypatch.setenv("ANOMOD_STATE_DIR", str(tmp_path))
    url = "s3://cases/sent"
    stores.check_store(url)
    room = stores.waiting_room(url)
    shutil.copytree(DATASET, room, dirs_exist_ok=True)
    sent = stores.send_all(url)
    assert not [one for one in layout.case_directories(room) if layout.is_complete(one)]
    assert write_index(url)["cases"] == sent
    assert load_dataset(url).logs.equals(load_dataset(DATASET).logs)
    figure("moto", f"--anomod-out=s3://...: {sent} cases sent and read again")
