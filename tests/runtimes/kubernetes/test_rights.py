"""The Role that the runtime needs, and whether we have it, by the API server's own word."""

from __future__ import annotations

import yaml

from pytest_anomod.cli import main
from pytest_anomod.host import cluster
from pytest_anomod.runtimes.kubernetes import rights

REVIEW = "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
DENIED = (("delete", "pods", ""), ("patch", "pods", "resize"))


def review(sent):
    """Everything in a namespace is allowed but what is denied, and nothing of the whole cluster."""
    asked = sent["spec"]["resourceAttributes"]
    what = asked["verb"], asked["resource"], asked.get("subresource", "")
    return {**sent, "status": {"allowed": bool(asked["namespace"]) and what not in DENIED}}


def test_doctor_prints_the_role_and_what_of_it_is_missing(fake, capsys):
    """The one verb that is denied, what there is not for another, and that a namespace must be named."""
    fake.answers[REVIEW] = review
    assert main(["doctor", "--kubernetes"]) == 1
    said = capsys.readouterr().out
    assert "cluster: context x, Kubernetes v1.99.0" in said
    assert "not allowed in namespace 'default': delete pods\n" in said
    assert (
        "without these rights there are none: faults cpu_contention and memory_pressure (patch pods/resize)\n" in said
    )
    assert f"set {cluster.NAMESPACE} to one that is there" in said
    role = yaml.safe_load(said[said.index("apiVersion") : said.index("not allowed")])
    assert role == rights.manifest("default")


def test_doctor_prints_the_role_of_chaos_mesh_besides_and_what_of_it_is_missing(fake, capsys):
    """Who does without that injector needs neither."""
    fake.answers[REVIEW] = review
    main(["doctor", "--kubernetes"])
    said = capsys.readouterr().out
    assert "not allowed in namespace 'default': delete pods; without these rights there is no chaos_mesh" in said
    second = said[said.index("# only for --anomod-injector=chaos_mesh") :]
    role = yaml.safe_load(second[: second.index("not allowed")])
    assert role["metadata"] == {"name": "pytest-anomod-chaos-mesh", "namespace": "default"}
    assert [rule["resources"] for rule in role["rules"]] == [["*"], ["pods"], ["pods/exec"]]
