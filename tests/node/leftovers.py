"""Takes a node off its machine: containers, mounts, network, control groups and files, whether it was stopped or killed.

`machine.py` calls it before a start and after a stop; `python -m tests.node down` after a run that could do neither. Only what is certainly
the node's is touched: everything is found by the node's own folders and names.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from tests.node.node_files import BRIDGE
from tests.node.programs import NODE

FOLDER = Path("/var/lib/kabobagool-node")
"""What the node stores: images, containers, pods, logs."""
STATE = Path("/run/kabobagool-node")
"""Sockets, and what the container runtime knows of running containers."""
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
FORWARDING_BEFORE = FOLDER / "ip_forward-before"
SOCKET = STATE / "containerd.sock"
CONTROL_GROUPS = Path("/sys/fs/cgroup")
POD_GROUPS = "kubepods"
CHAINS = ("KUBE-", "CNI-")
SETS = ("KUBE-", "inet6:KUBE-", "kube-router-", "inet6:kube-router-")
"""Names of the chains of packet filters that a node makes, and of the sets of addresses that they look into."""
KUBELETS_LINKS = Path("/var/log/containers")
RUNTIMES_NOTES = Path("/var/lib/cni/results")
GONE_S = 20.0
LOOK_S = 0.05


def remove() -> None:
    """Everything of a node on this machine whose own processes have ended."""
    _kill(_processes_of_containers())
    _unmount()
    _remove_network()
    _remove_control_groups()
    _remove_links()
    _restore_forwarding()
    for folder in (STATE, FOLDER):
        shutil.rmtree(folder, ignore_errors=True)


def found() -> list[str]:
    """What is left, a line for each; empty on a clean machine."""
    left = [f"process {pid} of a container" for pid in _processes_of_containers()]
    left += [f"mount {point}" for point in _mounts()]
    left += [f"folder {folder}" for folder in (FOLDER, STATE) if folder.exists()]
    left += [f"interface {BRIDGE}"] if Path("/sys/class/net", BRIDGE).exists() else []
    left += [f"iptables chain {chain}" for chain in _chains()]
    left += [f"set of addresses {name}" for name in _address_sets()]
    left += [f"control group {group}" for group in _control_groups()]
    return left


def _processes_of_containers() -> list[int]:
    """The runtime's shims for our containers, and all that descends from them: they outlive both the runtime and the kubelet."""
    children: dict[int, list[int]] = {}
    shims = []
    for pid in _pids():
        with suppress(OSError):
            children.setdefault(_parent(pid), []).append(pid)
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
            if Path(arguments[0].decode()).name.startswith("containerd-shim") and str(SOCKET).encode() in arguments:
                shims.append(pid)
    family = list(shims)
    for pid in family:
        family += children.get(pid, [])
    return family


def _pids() -> Iterator[int]:
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def _kill(pids: Iterable[int]) -> None:
    """The shims come first, so that none of them has time to tell anybody."""
    waiting = set(pids)
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + GONE_S
    while waiting := {pid for pid in waiting if _lives(pid)}:
        if time.monotonic() > deadline:
            return
        time.sleep(LOOK_S)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def _mounts() -> list[str]:
    """Ours, the innermost first."""
    points = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    return [point for point in reversed(points) if Path(point).is_relative_to(FOLDER) or Path(point).is_relative_to(STATE)]


def _unmount() -> None:
    for point in _mounts():
        subprocess.run(["umount", "--lazy", point], capture_output=True, check=False)


def _remove_network() -> None:
    """kube-proxy takes its own rules away; chains that it leaves behind empty, and those of pods that were killed, go here."""
    if NODE.binary.exists() and _chains():
        subprocess.run([str(NODE.binary), "kube-proxy", "--cleanup"], capture_output=True, check=False)
    for tool in ("iptables", "ip6tables"):
        _remove_chains(tool)
    for name in _address_sets():
        subprocess.run(["ipset", "destroy", name], capture_output=True, check=False)
    subprocess.run(["ip", "link", "delete", BRIDGE], capture_output=True, check=False)


def _address_sets() -> list[str]:
    if not shutil.which("ipset"):
        return []
    names = subprocess.run(["ipset", "list", "-name"], capture_output=True, text=True, check=False).stdout.split()
    return [name for name in names if name.startswith(SETS)]


def _chains() -> list[str]:
    return [chain for tool in ("iptables", "ip6tables") for _, chain in _chains_of(tool)]


def _chains_of(tool: str) -> Iterator[tuple[str, str]]:
    table = ""
    for line in _saved(tool):
        if line.startswith("*"):
            table = line[1:]
        elif line.startswith(tuple(f":{prefix}" for prefix in CHAINS)):
            yield table, line[1:].split()[0]


def _remove_chains(tool: str) -> None:
    """Write the tables back without our chains and without the rules that lead there."""
    if not any(_chains_of(tool)):
        return
    kept = [line for line in _saved(tool) if not any(f":{prefix}" in line or f" {prefix}" in line for prefix in CHAINS)]
    subprocess.run([f"{tool}-restore"], input="\n".join(kept) + "\n", text=True, capture_output=True, check=False)


def _saved(tool: str) -> list[str]:
    if not shutil.which(f"{tool}-save"):
        return []
    return subprocess.run([f"{tool}-save"], capture_output=True, text=True, check=False).stdout.splitlines()


def _control_groups() -> list[Path]:
    """Those of pods, the innermost first."""
    tops = [*CONTROL_GROUPS.glob(POD_GROUPS), *CONTROL_GROUPS.glob(f"*/{POD_GROUPS}")]
    return [group for top in tops for group in (*sorted((path for path in top.rglob("*") if path.is_dir()), reverse=True), top)]


def _remove_control_groups() -> None:
    """A group with a process in it cannot be removed, so those of somebody else stay."""
    for group in _control_groups():
        with suppress(OSError):
            group.rmdir()


def _restore_forwarding() -> None:
    if FORWARDING_BEFORE.exists():
        FORWARDING.write_text(FORWARDING_BEFORE.read_text())


def _remove_links() -> None:
    for link in KUBELETS_LINKS.glob("*"):
        if link.is_symlink() and Path(os.readlink(link)).is_relative_to(FOLDER):
            link.unlink()
    for note in RUNTIMES_NOTES.glob("kabobagool-*"):
        note.unlink(missing_ok=True)
