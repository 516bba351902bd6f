"""What the built images promise, tried on the archives that the real node runs: small, complete, nothing superfluous, and they heed a stop.

The archives are made by `python -m tests.node.images`; without those of this very checkout there is nothing to try.
"""

import json
import os
import re
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from scripts.build_images import IMAGES
from scripts.image_archive import ImageArchive
from scripts.image_environment import EPOCH
from tests.compose.compose_file import compose
from tests.compose.test_compose_commands import free_port
from tests.images.containers import USER, Container
from tests.images.dockerfiles import ROOT
from tests.node.images import BASE_LAYERS, existing_archives

NEVER = ("pip", "pip3", "gcc", "cc", "g++", "make", "git", "curl", "wget")
METADATA_IS_WHOLE = """
import importlib.metadata as metadata, re
for package in metadata.distributions():
    missing = [str(file) for file in package.files or () if not str(file).endswith(".pyc") and not file.locate().exists()]
    assert not missing, (package.name, missing)
    for line in package.requires or ():
        name, _, marker = line.partition(";")
        if not marker:
            metadata.version(re.match(r"[\\w.-]+", name)[0])
    print(package.name.lower().replace("_", "-"), package.version)
"""
Unpacked = Callable[[str], Container]


@pytest.fixture(scope="module")
def archives() -> dict[str, ImageArchive]:
    found = existing_archives()
    if not found:
        pytest.skip("the images of this checkout are not built: python -m tests.node.images")
    return {file.stem: ImageArchive(file) for file in found}


@pytest.fixture(scope="module")
def container(archives: dict[str, ImageArchive], tmp_path_factory: pytest.TempPathFactory) -> Unpacked:
    if os.geteuid() != 0 or not shutil.which("runc"):
        pytest.skip("a container needs root and runc (Debian: apt install runc)")
    made: dict[str, Container] = {}

    def unpacked(name: str) -> Container:
        if name not in made:
            made[name] = Container(archives[name], tmp_path_factory.mktemp(name))
        return made[name]

    return unpacked


@pytest.mark.parametrize("name", IMAGES)
def test_an_image_is_no_larger_than_it_may_be(archives: dict[str, ImageArchive], name: str) -> None:
    below = json.loads((archives[name].file.parent / BASE_LAYERS).read_text())
    own = [layer for layer in archives[name].layers if layer.digest not in below]
    assert 0 < sum(layer.size for layer in own) <= IMAGES[name].most_bytes


@pytest.mark.parametrize("name", IMAGES)
def test_what_we_add_has_one_time_and_belongs_to_root_or_to_the_user(archives: dict[str, ImageArchive], name: str) -> None:
    below = len(json.loads((archives[name].file.parent / BASE_LAYERS).read_text()))
    ours = [
        member for number, member in archives[name].members() if number >= below and member.name.startswith(("opt/kabobagool/", "app/"))
    ]
    assert len(ours) > 1000
    assert {member.mtime for member in ours} == {EPOCH}
    assert {member.uid for member in ours} == {0}
    assert not [member.name for member in ours if member.mode & 0o022 and not member.issym()]


@pytest.mark.parametrize("name", IMAGES)
def test_a_container_runs_as_nobody_with_no_installer_and_no_compiler(container: Unpacked, name: str) -> None:
    run = container(name).run
    assert run("id", "-u").stdout == f"{USER}\n"
    for program in NEVER:
        assert run("sh", "-c", f"command -v {program}").returncode != 0, program
    assert run("python", "-c", "import pip").returncode != 0
    assert run("python", "-c", "import ensurepip").returncode != 0
    assert run("touch", "/opt/kabobagool/mine").returncode != 0


@pytest.mark.parametrize("name", IMAGES)
def test_every_package_is_whole_and_of_the_version_that_the_constraints_name(container: Unpacked, name: str) -> None:
    said = container(name).run("python", "-c", METADATA_IS_WHOLE)
    assert said.returncode == 0, said.stdout
    pinned = {line.lower().replace("_", "-").replace("==", " ") for line in (ROOT / "constraints.txt").read_text().splitlines()}
    held = set(said.stdout.splitlines())
    assert {line for line in held - pinned if not line.startswith("kabobagool ")} == set()


@pytest.mark.parametrize(("name", "program"), [("bot", "kabobagool"), ("paper", "kabobagool"), ("operator", "kabobagool-operator")])
def test_the_command_is_on_the_path_and_knows_its_version(container: Unpacked, name: str, program: str) -> None:
    said = container(name).run(program, "--version")
    assert re.search(r"\d+\.\d+\.\d+", said.stdout)
    assert said.returncode == 0


def test_the_operator_carries_the_definition_of_its_markets(container: Unpacked) -> None:
    assert container("operator").run("kabobagool-operator", "crd").stdout == (ROOT / "crds" / "arbmarkets.kabobagool.io.yaml").read_text()


def test_an_operator_without_a_cluster_says_so_and_ends(container: Unpacked) -> None:
    said = container("operator").run("kabobagool-operator", "run", "--namespace", "trading")
    assert said.returncode in (1, 2)
    assert "Traceback" not in said.stdout
    assert said.stdout


def test_the_fleet_and_the_exchange_stop_in_order_as_first_processes(container: Unpacked) -> None:
    paper_port, fleet_port = str(free_port()), str(free_port())
    places = {"paper-exchange:8899": f"127.0.0.1:{paper_port}", "8899": paper_port, "8000": fleet_port}
    services = compose()["services"]
    paper, fleet = (services[name] for name in ("paper-exchange", "supervisor-paper"))
    filled = partial(_filled, places)
    environment = {name: filled(value) for name, value in fleet["environment"].items()} | {"TARGETS_PATH": "/tmp/targets.json"}
    exchange, bots = container("paper"), container("bot")
    with exchange.running([filled(word) for word in paper["command"]], {}) as (paper_process, paper_name):
        exchange.becomes_healthy(paper_process, [filled(word) for word in paper["healthcheck"]["test"][1:]], paper_name)
        with bots.running([filled(word) for word in fleet["command"]], environment) as (fleet_process, fleet_name):
            bots.becomes_healthy(fleet_process, [filled(word) for word in fleet["healthcheck"]["test"][1:]], fleet_name)
            bots.terminate(fleet_name)
            said, _ = fleet_process.communicate(timeout=60)
            assert fleet_process.returncode == 0, said
        exchange.terminate(paper_name)
        said, _ = paper_process.communicate(timeout=60)
        assert paper_process.returncode == 0, said


def _filled(places: dict[str, str], text: str) -> str:
    return re.sub("|".join(map(re.escape, places)), lambda found: places[found[0]], text)


def test_the_archives_lie_where_the_node_looks_for_them(archives: dict[str, ImageArchive]) -> None:
    assert {Path(archive.file).suffix for archive in archives.values()} == {".tar"}
    assert archives.keys() == {*IMAGES, "redis", "pause"}
