"""The operator as a process that is measured: started as an installation starts it, with paces that do not bound it, and read from outside.

Called by `operator.py`. With OPERATOR_PROFILE=FILE in the environment the operator runs under cProfile and leaves its profile there when it
is told to stop; figures of such a run mean nothing.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.bench.operator_ground import NAMESPACE, until
from tests.cluster.processes import free_port
from tests.support.process_numbers import cpu_s, status_field

COMMAND = ("-m", "kabobagool_operator.cli", "run")
AGENT = "kabobagool-operator"
ENDS_S = 60.0
SCRAPE_S = 1.0
"""Its metrics count thousands of markets at every scrape, on the core that is being measured."""
SHOWN_CHARACTERS = 3000
AT_FULL_SPEED = {
    "CREATIONS_PER_SECOND": "100000",
    "MAX_PENDING": "100000",
    "WRITES_PER_SECOND": "100000",
    "VENUE_LOOKUPS_PER_SECOND": "100000",
    "WORKERS": "32",
    "DISCOVERY": "false",
    "FLEET_PORT": "0",
    "LEASE_S": "60",
    "RENEW_DEADLINE_S": "50",
}
"""As many at once as the reference, and nobody waits for his turn; an API server that is out of breath for seconds ends nobody's
leadership. Everything else is as it comes."""


class MeasuredOperator:
    """One operator, started and stopped as often as one likes."""

    def __init__(self, kubeconfig: Path, venue_url: str, log: Path, **variables: str) -> None:
        self._log = log
        self._port = free_port()
        given = {**AT_FULL_SPEED, "NAMESPACE": NAMESPACE, "GAMMA_URL": venue_url, "CLOB_URL": venue_url, **variables}
        own = {f"KABOBAGOOL_{name}": value for name, value in given.items()}
        self._environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "KABOBAGOOL_HEALTH_PORT": str(self._port), **own}
        self._process: subprocess.Popen[bytes] | None = None
        self._began_s = 0.0

    @property
    def age_s(self) -> float:
        """Seconds since it was started."""
        return time.perf_counter() - self._began_s

    def start(self) -> None:
        """Start it, or start it again."""
        profile = os.environ.get("OPERATOR_PROFILE")
        profiled = ("-m", "cProfile", "-o", profile) if profile else ()
        self._began_s = time.perf_counter()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen([sys.executable, *profiled, *COMMAND], env=self._environment, stdout=log, stderr=log)

    def stop(self) -> None:
        """As Kubernetes stops a Pod."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(ENDS_S)

    def kill(self) -> None:
        """Whatever it does."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def resident_kib(self) -> float:
        """Resident memory now, in KiB."""
        assert self._process is not None
        return float(status_field(self._process.pid, "VmRSS"))

    def cpu_s(self) -> float:
        """CPU seconds it has used."""
        assert self._process is not None
        return cpu_s(self._process.pid)

    def until_settled(self, markets: int, phase: str) -> float:
        """Wait until all markets are in a phase, all were looked at and none waits to be; its age then."""
        until(lambda: self._is_settled(markets, phase), f"all of {markets} {phase} and nothing left to do", self._said, look_s=SCRAPE_S)
        return self.age_s

    def _is_settled(self, markets: int, phase: str) -> bool:
        said = self._numbers()
        in_phase = sum(value for (name, *labels), value in said.items() if name == "kabobagool_operator_markets" and phase in labels)
        looks = sum(value for (name, *_), value in said.items() if name == "controller_runtime_reconcile_total")
        waiting = sum(said.get((name, "arbmarket"), 1.0) for name in ("workqueue_depth", "controller_runtime_active_workers"))
        return in_phase == markets and looks >= markets and not waiting

    def _said(self) -> str:
        numbers = "\n".join(f"{' '.join(name)} {value:g}" for name, value in self._numbers().items() if "_bucket" not in name[0])
        return f"{numbers}\n{self._log.read_text()[-SHOWN_CHARACTERS:]}"

    def _numbers(self) -> Mapping[tuple[str, ...], float]:
        """Its metrics, by name and the values of their labels; nothing before it answers."""
        assert self._process is not None
        assert self._process.poll() is None, f"the operator ended: {self._log.read_text()[-SHOWN_CHARACTERS:]}"
        try:
            text = httpx.get(f"http://127.0.0.1:{self._port}/metrics", timeout=30.0, trust_env=False).text
        except httpx.TransportError:
            return {}
        samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
        return {(sample.name, *sample.labels.values()): sample.value for sample in samples}
