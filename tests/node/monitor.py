"""A Prometheus that reads the release on the node, with what the real Prometheus Operator makes of the chart's monitors and rules.

`conftest.py` starts it after the installation; from then on it sees everything that the tests do to the fleet. Both programs run beside the
node: whoever runs there reaches pods by their addresses, as a Prometheus in a Pod does.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.monitoring.prometheus_rig import (
    NAME,
    Prometheus,
    PrometheusOperator,
    operator_crds,
    prometheus_resource,
    reader_token,
    written_for_it,
)
from tests.node.machine import Node
from tests.node.patience import until
from tests.node.release import NAMESPACE

OWN_NAMESPACE = "monitoring"
EVERY = "5s"
VALUES = {"monitoring": {"serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}, "dashboards": {"enabled": True}}}
"""What a user adds to the values of the release."""


def know_monitors(node: Node) -> None:
    """The cluster has the Prometheus Operator's resources after this, as one where it was installed."""
    kubectl, crds = node.kubectl(), str(operator_crds())
    kubectl("apply", "--server-side", "--filename", crds)
    kubectl("wait", "--for=condition=Established", "--timeout=60s", "--filename", crds)
    kubectl("create", "namespace", OWN_NAMESPACE)


@contextmanager
def reading(node: Node, folder: Path) -> Iterator[Prometheus]:
    """Prometheus, once the release has the monitors and rules of `VALUES`."""
    kubectl, token = node.kubectl(OWN_NAMESPACE), folder / "token"
    token.write_text(reader_token(kubectl))
    wanted = prometheus_resource(token, url=node.plane.url, kubeconfig=node.kubeconfig, every=EVERY)
    kubectl.apply("monitoring.coreos.com/v1", "Prometheus", NAME, spec=wanted)
    with ExitStack() as ending:
        operator = PrometheusOperator(folder, node.kubeconfig, OWN_NAMESPACE, NAMESPACE)
        ending.callback(operator.process.kill)
        operator.process.start()
        written = until("the Prometheus Operator writes a configuration", lambda: written_for_it(kubectl), lambda found: found is not None)
        assert written is not None
        prometheus = Prometheus(folder / "prometheus")
        prometheus.take(*written)
        prometheus.check()
        ending.callback(prometheus.kill)
        prometheus.start()
        until("Prometheus answers", prometheus.answers)
        yield prometheus
