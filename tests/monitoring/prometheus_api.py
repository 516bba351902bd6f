"""Asks a Prometheus over HTTP: for the rig that starts one, and for whoever wants to see what a dashboard shows."""

import json
import urllib.parse
import urllib.request
from typing import Any

ANSWER_S = 60.0


class PrometheusApi:
    """The HTTP API of the Prometheus at this address. OSError while it does not answer."""

    def __init__(self, address: str) -> None:
        self._address = address

    def ask(self, what: str, **query: str) -> Any:
        """The `data` of its answer to a path below /api/v1."""
        with urllib.request.urlopen(f"{self._address}/api/v1/{what}?{urllib.parse.urlencode(query)}", timeout=ANSWER_S) as reply:
            return json.load(reply)["data"]
