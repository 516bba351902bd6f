"""An API server in the test's hand: killed, restarted, paused, cut off; and nothing of it is left when the tests are gone."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from kubernetes.aio.client import ApiException, CoreV1Api
from tests.cluster.clients import client_of
from tests.cluster.cluster_rig import eventually
from tests.cluster.control_plane import ControlPlane
from tests.cluster.kubectl import Kubectl
from tests.support.wire import Wire

ROOT = Path(__file__).parents[2]
SHORT_S = 1.0
NamedStart = Callable[..., ControlPlane]
KILLED_TESTS = """
import json, time
from tests.cluster.control_plane import ControlPlane
plane = ControlPlane(controllers=False).start()
print(json.dumps([plane.etcd.pid, plane.api_server.pid, str(plane.folder)]), flush=True)
time.sleep(600)
"""


def has_service_account(kubectl: Kubectl) -> bool:
    """Made by a controller."""
    return "default" in kubectl("get", "serviceaccounts")


def is_alive(pid: int) -> bool:
    """Whether a process runs. A killed one whose parent has not looked yet does not."""
    if sys.platform == "linux":
        with suppress(OSError):
            return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
        return False
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout.strip()
    return state != "" and not state.startswith("Z")


def test_a_restarted_api_server_is_at_the_same_address_with_the_same_data(own_control_plane: NamedStart) -> None:
    plane = own_control_plane(controllers=False)
    kubectl, address, pid = plane.kubectl(namespace="default"), plane.url, plane.api_server.pid
    kubectl("create", "configmap", "kept")
    written = plane.writes()

    plane.kill_api_server()
    refused = kubectl.run("get", "configmap", "kept")
    assert "refused" in refused.stderr
    plane.restart_api_server()

    assert plane.url == address
    assert plane.api_server.pid not in (pid, None)
    assert "kept" in kubectl("get", "configmap", "kept")
    assert plane.writes()[: len(written)] == written


async def test_a_paused_api_server_is_silent_and_then_answers_what_it_was_asked(own_control_plane: NamedStart) -> None:
    plane = own_control_plane(controllers=False)
    async with client_of(plane.kubeconfig) as client:
        core = CoreV1Api(client)
        await core.list_namespace()
        plane.pause()
        asked = asyncio.ensure_future(core.list_namespace())
        done, _ = await asyncio.wait([asked], timeout=SHORT_S)
        assert not done
        plane.resume()
        assert "default" in [item.metadata.name for item in (await asked).items]


async def test_a_half_open_connection_to_the_api_server_says_nothing_until_it_is_mended(own_control_plane: NamedStart) -> None:
    plane = own_control_plane(controllers=False)
    wire = Wire(plane.port)
    await wire.start()
    async with client_of(plane.kubeconfig_for("admin", port=wire.port)) as client:
        core = CoreV1Api(client)
        await core.list_namespace()
        wire.half_open()
        asked = asyncio.ensure_future(core.list_namespace())
        done, _ = await asyncio.wait([asked], timeout=SHORT_S)
        assert not done
        wire.mend()
        assert (await asked).items
    await wire.go_down()


async def test_a_user_with_a_token_has_no_rights_that_nobody_gave(own_control_plane: NamedStart) -> None:
    plane = own_control_plane(controllers=False, users={"trader": ["traders"]})
    async with client_of(plane.kubeconfig_for("trader")) as client:
        with pytest.raises(ApiException) as refused:
            await CoreV1Api(client).create_namespaced_config_map("default", {"metadata": {"name": "x"}})
    assert refused.value.status == 403
    assert [(write.user, write.code) for write in plane.writes() if write.user == "trader"] == [("trader", 403)]


def test_two_control_planes_do_not_know_each_other(own_control_plane: NamedStart) -> None:
    first, second = own_control_plane(), own_control_plane(scheduler=True)
    first.kubectl(namespace="default")("create", "configmap", "in-the-first")
    assert "not found" in second.kubectl(namespace="default").run("get", "configmap", "in-the-first").stderr
    for kubectl in (first.kubectl(namespace="default"), second.kubectl(namespace="default")):
        eventually(partial(has_service_account, kubectl), "its own controllers work")


def test_a_stopped_control_plane_leaves_no_process_and_no_file(own_control_plane: NamedStart) -> None:
    plane = own_control_plane(scheduler=True)
    pids = [server.pid for server in plane.servers]
    assert len(pids) == 4
    assert all(pid is not None and is_alive(pid) for pid in pids)
    plane.stop()
    assert not any(pid is not None and is_alive(pid) for pid in pids)
    assert not plane.folder.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent")
@pytest.mark.usefixtures("own_control_plane")
def test_tests_that_are_killed_take_their_servers_along() -> None:
    tests = subprocess.Popen([sys.executable, "-c", KILLED_TESTS], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert tests.stdout is not None
    etcd, api_server, folder = json.loads(tests.stdout.readline())
    try:
        assert is_alive(etcd)
        assert is_alive(api_server)
    finally:
        tests.send_signal(signal.SIGKILL)
        tests.wait()
    eventually(lambda: not is_alive(etcd) and not is_alive(api_server), "both servers ended")
    subprocess.run(["rm", "-r", folder], check=True)
