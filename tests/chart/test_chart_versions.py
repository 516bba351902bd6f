"""What is rendered is valid for every Kubernetes that the chart says it runs on: judged by the published schemas of the API."""

import re

import kubernetes_validate
import pytest
import yaml
from tests.chart.chart_rig import CHART, CI, Helm

EVERY = ["default", *CI]
MINORS = ("1.31", "1.33", "1.34", "1.36")
NOT_KUBERNETES_OWN = ("monitoring.coreos.com/", "apiextensions.k8s.io/")


@pytest.mark.parametrize("minor", MINORS)
@pytest.mark.parametrize("name", EVERY)
def test_every_object_is_valid(name: str, minor: str, helm: Helm) -> None:
    bodies = helm.template(CI.get(name), "--kube-version", f"{minor}.0", "--api-versions", "monitoring.coreos.com/v1")
    own = [body for body in bodies if not body["apiVersion"].startswith(NOT_KUBERNETES_OWN)]
    assert len(own) > 8
    for body in own:
        kubernetes_validate.validate(body, minor, strict=True)


def test_what_is_not_valid_would_be_found() -> None:
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"}, "spec": {"prots": []}}, "1.34", strict=True
        )


def test_an_older_kubernetes_is_refused(helm: Helm) -> None:
    oldest = re.search(r">=(\d+)\.(\d+)", yaml.safe_load((CHART / "Chart.yaml").read_text())["kubeVersion"])
    assert oldest is not None
    assert f"{oldest[1]}.{oldest[2]}" == MINORS[0]
    with pytest.raises(AssertionError, match="incompatible with Kubernetes"):
        helm.template(None, "--kube-version", f"{oldest[1]}.{int(oldest[2]) - 1}.9")
