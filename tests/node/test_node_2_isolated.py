"""What a bot cannot reach, shown by trying from inside of its Pod: the cluster's API, another wallet's keys, the rest of Redis."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.cluster.kubectl import Kubectl
from tests.node.fleet import Fleet
from tests.node.machine import Node
from tests.node.patience import until
from tests.node.release import NAMESPACE, RELEASE
from tests.node.steps import Steps

ASK_THE_API_SERVER = """
import json, pathlib, socket, ssl, urllib.error, urllib.request
socket.gethostbyname("kubernetes.default.svc")
token = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount/token").exists()
anybody = ssl._create_unverified_context()
try:
    with urllib.request.urlopen("https://kubernetes.default.svc/api/v1/namespaces/NAMESPACE/secrets", context=anybody, timeout=4) as answer:
        said = answer.status
except urllib.error.HTTPError as error:
    said = error.code
except OSError as error:
    said = "no connection, " + str(error)
print(json.dumps({"token": token, "said": said}))
"""
TRY_KEYS = """
import asyncio, json, os
from kabobagool.gate.redis_url import connect

async def attempt(*command):
    client = connect(os.environ["REDIS_URL"], timeout_s=30)
    try:
        return str(await client.execute_command(*command))
    except Exception as error:
        return type(error).__name__ + ": " + str(error)
    finally:
        await client.aclose()

async def main():
    print(json.dumps([await attempt(*command) for command in COMMANDS]))

asyncio.run(main())
"""
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=15).close()"
OTHERS_KEYS = (
    ("HGETALL", "kabobagool:{dry-run}:halts"),
    ("HSET", "kabobagool:{0x0000000000000000000000000000000000000001}:halts", "wallet", "x"),
    ("FLUSHALL",),
    ("CONFIG", "GET", "requirepass"),
    ("KEYS", "*"),
    ("ACL", "LIST"),
)


def test_a_bot_has_no_token_and_the_api_server_tells_it_nothing(fleet: Fleet, kubectl: Kubectl, steps: Steps) -> None:
    with steps.timed("a bot tries the API server") as step:
        tried = _inside(fleet, kubectl, ASK_THE_API_SERVER.replace("NAMESPACE", NAMESPACE))
        step.note(f"it got: {tried['said']}")
    assert not tried["token"]
    assert tried["said"] in (401, 403) or str(tried["said"]).startswith("no connection")


@pytest.mark.parametrize("command", OTHERS_KEYS, ids=" ".join)
def test_a_bot_reaches_nothing_at_the_gate_but_its_own_wallets_keys(fleet: Fleet, kubectl: Kubectl, command: tuple[str, ...]) -> None:
    (said,) = _inside(fleet, kubectl, TRY_KEYS.replace("COMMANDS", repr([command])))
    assert "permission" in said.lower(), said


def test_a_bot_cannot_write_but_where_it_keeps_its_journal(fleet: Fleet, kubectl: Kubectl) -> None:
    script = """
import json
def writes(path):
    try:
        open(path, "w").close()
        return True
    except OSError:
        return False
print(json.dumps({path: writes(path) for path in ("/etc/x", "/usr/x", "/x", "/tmp/x")}))
"""
    assert _inside(fleet, kubectl, script) == {"/etc/x": False, "/usr/x": False, "/x": False, "/tmp/x": True}


def test_a_pod_from_elsewhere_reaches_neither_redis_nor_a_bot(fleet: Fleet, own_node: Node, steps: Steps) -> None:
    with steps.timed("a pod of another namespace tries Redis, a bot and the exchange"), _stranger(fleet, own_node) as ask:
        bot = next(iter(fleet.bots().values()))["status"]["podIP"]
        for host, port in ((f"{RELEASE}-redis.{NAMESPACE}.svc", 6379), (bot, 8080), (f"{RELEASE}-paper.{NAMESPACE}.svc", 8899)):
            assert not ask(host, port), f"{host}:{port} let it in"
        until("it reaches what nobody forbids", lambda: ask("kubernetes.default.svc", 443))


@contextmanager
def _stranger(fleet: Fleet, node: Node) -> Iterator[Callable[[str, int], bool]]:
    """A function that says whether a Pod in another namespace gets a connection to (host, port)."""
    image = next(iter(fleet.bots().values()))["spec"]["containers"][0]["image"]
    kubectl = node.kubectl("default")
    kubectl("run", "stranger", f"--image={image}", "--command", "--", "python", "-c", "import time; time.sleep(3600)")
    try:
        kubectl("wait", "--for=condition=Ready", "--timeout=110s", "pod/stranger")
        yield lambda host, port: kubectl.run("exec", "stranger", "--", "python", "-c", CONNECT, host, str(port)).returncode == 0
    finally:
        kubectl("delete", "pod", "stranger", "--now")


def _inside(fleet: Fleet, kubectl: Kubectl, script: str) -> Any:
    pod = next(iter(fleet.bots().values()))["metadata"]["name"]
    return json.loads(kubectl("exec", pod, "--", "python", "-c", script))
