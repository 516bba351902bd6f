"""What docker-compose.yml promises: hardened containers, nothing private inside, nothing offered to the network."""

import re
import shutil
import subprocess
import tomllib
from typing import Any

import pytest
from tests.compose.compose_file import FILE, OURS, ROOT, compose

from kabobagool.hydra.profile_files import SECRET_VARIABLES, VARIABLES

SERVICES: dict[str, dict[str, Any]] = compose()["services"]
DOCKERFILE = (ROOT / "Dockerfile.bot").read_text()


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_is_hardened(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["init"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.keys().isdisjoint({"privileged", "cap_add", "network_mode", "pid", "devices"})
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["restart"] == "unless-stopped"


@pytest.mark.parametrize("name", SERVICES)
def test_nothing_is_offered_beyond_this_machine(name: str) -> None:
    assert all(port.startswith("127.0.0.1:") for port in SERVICES[name]["ports"])


def test_no_two_services_want_the_same_port() -> None:
    ports = [port.split(":")[1] for service in SERVICES.values() for port in service["ports"]]
    assert len(ports) == len(set(ports))


def test_the_quick_start_is_the_only_service_without_a_profile() -> None:
    assert [name for name, service in SERVICES.items() if "profiles" not in service] == ["supervisor"]
    assert {service["profiles"][0] for service in SERVICES.values() if "profiles" in service} == {"paper", "redis", "monitoring"}


def test_the_quick_start_runs_the_loaded_profile_and_the_careful_one_without() -> None:
    assert SERVICES["supervisor"]["command"] == ["kabobagool", "hydra", "--profile", "conservative"]
    loaded = compose({"KABOBAGOOL_PROFILE": "sports"})["services"]["supervisor"]
    assert loaded["command"][-1] == "sports"
    assert loaded["env_file"] == [{"path": ".env", "required": False}]


@pytest.mark.parametrize("name", OURS)
def test_our_services_set_only_variables_that_exist_and_no_secret(name: str) -> None:
    variables = SERVICES[name].get("environment", {}).keys()
    assert variables <= VARIABLES - SECRET_VARIABLES


def test_play_money_never_comes_near_a_key() -> None:
    for name in ("supervisor-paper", "paper-exchange"):
        assert "env_file" not in SERVICES[name]
        assert not any("journal" in volume for volume in SERVICES[name].get("volumes", []))


def test_a_stop_waits_longer_than_the_hedges_do() -> None:
    from kabobagool.settings import Settings

    for name in ("supervisor", "supervisor-paper"):
        assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) > Settings().drain_timeout_s


def test_images_of_others_are_pinned() -> None:
    images = [service["image"] for name, service in SERVICES.items() if name not in OURS]
    assert len(images) == 3
    assert all(re.fullmatch(r"[a-z/]+:v?\d+\.\d+[\w.-]*", image) for image in images)


def test_everything_that_is_referred_to_is_there() -> None:
    whole = compose()
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (ROOT / source).exists() if source.startswith(".") else source in whole["volumes"]
        assert {config["source"] for config in service.get("configs", [])} <= whole["configs"].keys()
        assert set(service.get("depends_on", [])) <= SERVICES.keys()


def test_every_writable_folder_of_our_containers_is_a_volume_that_their_user_owns() -> None:
    made = re.search(r"install -d -o 65532 -g 65532 (.*) \\\n", DOCKERFILE)
    assert made
    folders = [folder.removeprefix("/code") for folder in made[1].split()]
    for name in OURS:
        for volume in SERVICES[name].get("volumes", []):
            assert volume.split(":")[1] in folders
        for variable, path in SERVICES[name].get("environment", {}).items():
            if variable.endswith("_PATH"):
                parents = [volume.split(":")[1] for volume in SERVICES[name]["volumes"]] + ["/tmp"]
                assert any(path.startswith(f"{parent}/") for parent in parents)


def test_the_paper_image_installs_an_extra_that_exists() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert SERVICES["paper-exchange"]["build"]["args"]["EXTRAS"] in extras


@pytest.mark.parametrize(
    "path", [".env", ".env.bak.20261125T210000123Z", ".env.new.abc", ".env.profiles/base.env", ".env.profiles/crypto.local.env"]
)
def test_git_does_not_see_what_is_private(path: str, tmp_path: Any) -> None:
    git = shutil.which("git")
    if git is None:
        pytest.skip("git is not installed, so nothing can be asked of .gitignore")
    subprocess.run([git, "init", "-q", str(tmp_path)], check=True)
    shutil.copy(ROOT / ".gitignore", tmp_path)
    assert subprocess.run([git, "check-ignore", "-q", path], cwd=tmp_path, check=False).returncode == 0
    assert subprocess.run([git, "check-ignore", "-q", ".env.profiles/crypto.env"], cwd=tmp_path, check=False).returncode == 1


def test_docker_compose_accepts_the_file() -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True, check=False).returncode:
        pytest.skip("`docker compose` is not installed; the file is only parsed here")
    command = [
        docker,
        "compose",
        "--file",
        str(FILE),
        *(f"--profile={name}" for name in ("paper", "redis", "monitoring")),
        "config",
        "--quiet",
    ]
    checked = subprocess.run(command, capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr
