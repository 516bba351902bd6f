"""Operators that are born quickly and die at a chosen place: what two hundred crashes in one test need.

A process that has everything imported (`operator_nursery.py`) splits off a fresh operator for each life. It is the very command that users
run; only the time to load it is saved.
"""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress

from tests.operator.operator_rig import OperatorProcess

from kabobagool_operator.cluster import Cluster
from kabobagool_operator.cluster_errors import Conflict
from kabobagool_operator.kinds import LEASE
from kabobagool_operator.main import LEASE as LEASE_NAME

NURSERY = (sys.executable, "-m", "tests.operator.operator_nursery")
TRIES = 5


class MortalOperator:
    """Started and killed as often as one likes, each time another process; its log goes on over its lives."""

    def __init__(self, settings: OperatorProcess) -> None:
        self._order = json.dumps({"log": str(settings.log), "environment": settings.environment}) + "\n"
        self._nursery = subprocess.Popen(NURSERY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self._pid: int | None = None

    def start(self) -> None:
        assert self._pid is None
        self._pid = int(self._ask(self._order))

    def kill(self) -> None:
        """As a node that lost power."""
        assert self._pid is not None
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        self._pid, ended = None, self._hear()
        assert ended == "ended by 9", "it ended by itself"

    def close(self) -> None:
        """End it, and whoever would start it again."""
        if self._pid is not None:
            self.kill()
        self._nursery.communicate()

    def _ask(self, order: str) -> str:
        assert self._nursery.stdin is not None
        self._nursery.stdin.write(order)
        self._nursery.stdin.flush()
        return self._hear()

    def _hear(self) -> str:
        assert self._nursery.stdout is not None
        return self._nursery.stdout.readline().strip()


async def end_lease(cluster: Cluster, namespace: str) -> None:
    """As if the dead leader's time were over, which is waited for elsewhere."""
    for _ in range(TRIES):  # what the dead one sent last may arrive meanwhile
        with suppress(Conflict):
            found = await cluster.get(LEASE, namespace, LEASE_NAME)
            found["spec"] |= {"holderIdentity": "", "leaseDurationSeconds": 1}
            await cluster.replace(LEASE, namespace, LEASE_NAME, found)
            return
    raise AssertionError("the dead one goes on renewing its Lease")
