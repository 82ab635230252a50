"""Which of SocialNetwork's scenarios a cluster plays with rights in a namespace, and what it says of the others."""

from __future__ import annotations

import runpy
from pathlib import Path

from pytest_anomod.declare import ATTRIBUTE
from pytest_anomod.injectors.native import NativeInjector
from pytest_anomod.runtimes.kubernetes.runtime import KubernetesRuntime

EXPERIMENTS = Path(__file__).parents[3] / "experiments" / "social_network"
REVIEW = "POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def test_all_but_one_are_played(fake):
    """The disk of a pod is none of this machine's: one line says what that needs and what to do."""
    fake.answers["GET /api/v1"] = {"resources": [{"name": "pods/resize"}]}
    fake.answers[REVIEW] = lambda review: {**review, "status": {"allowed": True}}
    runtime, refused, played = KubernetesRuntime(), {}, 0
    for file in sorted(EXPERIMENTS.glob("test_*.py")):
        for name, function in runpy.run_path(str(file)).items():
            declaration = getattr(function, ATTRIBUTE, None)
            for one in declaration.injections if declaration else ():
                asked = one.fault, one.target, declaration.system
                why = runtime.refusal_of_fault(declaration.system, one.target, one.fault.name)
                why = why or NativeInjector().refusal(*asked, runtime)
                played += not why
                if why:
                    refused[name] = why
    assert played == 15, "the control among them"
    assert refused == {
        "test_perf_disk_io_stress": "fault 'disk_stress' needs Volume, which runtime 'kubernetes' does not have; "
        "choose another with --anomod-runtime"
    }
