"""The end: `helm uninstall` drains the bots, leaves nothing behind and hangs on no finalizer. Runs last."""

from tests.cluster.kubectl import Kubectl
from tests.node.fleet import Fleet
from tests.node.helm import Helm
from tests.node.patience import until
from tests.node.release import RELEASE
from tests.node.steps import Steps

KINDS = "arb,deployments,statefulsets,services,pods,secrets,configmaps,roles,rolebindings,jobs,networkpolicies,poddisruptionbudgets,pvc"
KUBERNETES_OWN = ("kube-root-ca.crt",)


def test_an_uninstall_drains_and_leaves_nothing(fleet: Fleet, kubectl: Kubectl, helm: Helm, steps: Steps) -> None:
    fleet.agrees()
    with steps.timed("helm uninstall"):
        helm("uninstall", RELEASE, "--wait", "--timeout", "5m")
        until("nothing is left", lambda: _left(kubectl), lambda left: not left)


def _left(kubectl: Kubectl) -> list[str]:
    names = kubectl("get", KINDS, "--output", "name").split()
    return [name for name in names if not name.endswith(KUBERNETES_OWN)]
