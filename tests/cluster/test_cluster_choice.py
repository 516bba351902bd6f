"""Who has a Kubernetes already runs the same tests on it, and what cannot run there says why."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from tests.cluster.binaries import command_of
from tests.cluster.control_plane import ControlPlane

ROOT = Path(__file__).parents[2]
SAMPLES = (
    "tests/cluster/test_cluster_control_plane.py::test_a_deployment_becomes_a_replica_set_and_pods",
    "tests/cluster/test_cluster_control_plane.py::test_every_write_is_counted_with_who_made_it_and_how_it_was_answered",
    "tests/cluster/test_cluster_control_plane.py::test_a_service_account_may_do_what_its_rules_say_and_nothing_else",
    "tests/cluster/test_cluster_faults.py::test_a_restarted_api_server_is_at_the_same_address_with_the_same_data",
)
ASSETS = ("etcd", "kube-apiserver", "kubectl")


def run_samples(own: Mapping[str, str], samples: Sequence[str] = SAMPLES) -> tuple[str, str]:
    """The last line of the samples' run, and all of it."""
    command = [sys.executable, "-m", "pytest", "-rs", "-p", "no:cacheprovider", *samples]
    said = subprocess.run(command, cwd=ROOT, env=os.environ | own, capture_output=True, text=True, check=False).stdout
    return re.sub(r" in .*", "", said.strip().splitlines()[-1]), said


@pytest.fixture
def assets(own_control_plane: object, tmp_path: Path) -> Path:
    """A folder as envtest's: etcd, the API server and kubectl, and no controllers."""
    for name in ASSETS:
        command = command_of(name) or pytest.skip(f"no {name} in KUBEBUILDER_ASSETS")
        file = tmp_path / name
        file.write_text(f'#!/bin/sh\nexec {" ".join(command)} "$@"\n')
        file.chmod(0o700)
    return tmp_path


def test_a_cluster_that_is_there_is_used_and_left_running(control_plane: ControlPlane) -> None:
    summary, said = run_samples({"USE_EXISTING_CLUSTER": "1", "KUBECONFIG": str(control_plane.kubeconfig)})
    assert summary == "2 passed, 2 skipped", said
    assert "USE_EXISTING_CLUSTER is set: its audit log cannot be read" in said
    assert "USE_EXISTING_CLUSTER is set: this test wants a control plane that it may kill" in said
    assert "default" in control_plane.kubectl()("get", "namespaces")


def test_a_kubeconfig_that_is_no_file_is_named(tmp_path: Path) -> None:
    summary, said = run_samples({"USE_EXISTING_CLUSTER": "1", "KUBECONFIG": str(tmp_path / "absent")}, SAMPLES[:1])
    assert summary == "1 error", said
    assert f"USE_EXISTING_CLUSTER is set, but KUBECONFIG={tmp_path}/absent is no file: point it to the cluster's" in said


def test_binaries_that_are_there_are_used_and_what_wants_controllers_is_skipped(assets: Path) -> None:
    summary, said = run_samples({"KUBEBUILDER_ASSETS": str(assets), "USE_EXISTING_CLUSTER": ""})
    assert summary == "3 passed, 1 skipped", said
    assert "no kube-controller-manager in KUBEBUILDER_ASSETS" in said


def test_a_build_that_failed_fails_each_test_that_needs_it_with_the_reason(tmp_path: Path) -> None:
    summary, said = run_samples({"KUBEBUILDER_ASSETS": str(tmp_path), "USE_EXISTING_CLUSTER": ""}, SAMPLES[-2:])
    assert summary == "2 errors", said
    assert f"KUBEBUILDER_ASSETS={tmp_path}: no etcd and no kube-apiserver in it" in said
