"""`kubectl port-forward`, as the chart's notes tell a user to open the fleet page."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.kubectl import command
from tests.cluster.processes import free_port


@contextmanager
def port_forward(kubeconfig: Path, namespace: str, what: str, port: int) -> Iterator[str]:
    """The address on this machine that leads there while the block lasts; it may take a second to answer."""
    local = free_port()
    options = [f"--kubeconfig={kubeconfig}", f"--namespace={namespace}", "port-forward", what, f"{local}:{port}"]
    forward = subprocess.Popen([*command(), *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{local}"
    finally:
        forward.kill()
        forward.wait()
