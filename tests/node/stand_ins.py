"""Images of others that a machine without a registry makes for itself: Python's base, a Redis, and the one that holds a pod's network.

`images.py` asks. Where the real image can be fetched the real one is taken; else Debian's own packages make one that behaves like it as far
as we use it. A stand-in is named localhost/... so that nobody takes it for the real thing.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml
from scripts.build_images import ROOT, base_of
from scripts.container_engine import SHOWN_CHARACTERS, Engine, EngineError, Recipe
from tests.cluster.binaries import go
from tests.node.node_files import PAUSE_IMAGE

Say = Callable[[str], None]
FETCH_S = 90.0
SUITE = "bookworm"
PYTHON_PACKAGES = "python3,python3-venv,python-is-python3,ca-certificates,netbase,tzdata"
"""What python:3.11-slim has of what we use: Python 3.11 as `python` with venv, certificates, time zones."""
REDIS_PACKAGES = "redis-server redis-tools"
_ROOT_IMAGE = 'FROM scratch\nADD root.tar /\nCMD ["python"]\n'
_REDIS_IMAGE = f"""\
FROM {{base}}
RUN mkdir -p /var/log/apt \\
    && apt-get update -q && apt-get install -q -y --no-install-recommends {REDIS_PACKAGES} && rm -rf /var/lib/apt/lists/* \\
    && for program in server cli; do ln -s redis-$program /usr/bin/valkey-$program; done
CMD ["redis-server"]
"""
_PAUSE_IMAGE = 'FROM scratch\nCOPY pause /pause\nUSER 65535:65535\nENTRYPOINT ["/pause"]\n'


def python_base(engine: Engine, say: Say) -> str:
    """What our images are built on here: the Dockerfiles' own base where it can be had. Raises EngineError."""
    real = base_of("bot")
    if not engine.has_image(_stand_in_name()) and (engine.has_image(real) or engine.fetch(real, FETCH_S)):
        return real
    return _stand_in(engine, say)


def redis_image() -> str:
    """The name of the Redis image: as in the chart's values, from the registry `localhost`."""
    image = _chart_values()["redis"]["image"]
    return f"localhost/{image['repository']}:{image['tag']}"


def build_redis(engine: Engine, say: Say) -> str:
    """The chart's Redis, or Debian's if that cannot be had. Raises EngineError."""
    image = _chart_values()["redis"]["image"]
    real, name = f"{image['registry']}/{image['repository']}:{image['tag']}", redis_image()
    if engine.has_image(real) or engine.fetch(real, FETCH_S):
        _build(engine, name, f"FROM {real}\n")
        return name
    say(f"{real} is out of reach: making {name} from Debian's redis-server ...")
    _build(engine, name, _REDIS_IMAGE.format(base=_stand_in(engine, say)))
    return name


def build_pause(engine: Engine) -> str:
    """The image that holds a pod's network. Raises EngineError."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "pause")
        command = [go(), "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o", str(program), "."]
        _run(command, Path(__file__).parent / "pause", {"CGO_ENABLED": "0", "GOFLAGS": "", "GOWORK": "off"})
        _build(engine, PAUSE_IMAGE, _PAUSE_IMAGE, [program])
    return PAUSE_IMAGE


def install(packages: Sequence[str], say: Say) -> None:
    """Install Debian packages, said beforehand. EngineError with the line to type where that is impossible."""
    line = f"apt-get install --no-install-recommends {' '.join(packages)}"
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise EngineError(f"missing: {' '.join(packages)}. As root, on Debian or Ubuntu: {line}")
    say(f"installing Debian packages: {' '.join(packages)}")
    for command in ("apt-get update -q", f"{line} -q -y"):
        _run(command.split(), environment={"DEBIAN_FRONTEND": "noninteractive"})


def _stand_in_name() -> str:
    return _name("kabobagool-base", _ROOT_IMAGE, PYTHON_PACKAGES)


def _stand_in(engine: Engine, say: Say) -> str:
    """Debian with its own Python, made once."""
    name = _stand_in_name()
    if not engine.has_image(name):
        say(f"making {name} from Debian's packages, about a minute ...")
        _build_root(engine, name, say)
    return name


def _build_root(engine: Engine, name: str, say: Say) -> None:
    if not shutil.which("debootstrap"):
        install(["debootstrap"], say)
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        root, packed = Path(folder, "root"), Path(folder, "root.tar")
        _run(["debootstrap", "--variant=minbase", f"--include={PYTHON_PACKAGES}", SUITE, str(root)])
        for litter in ("var/cache/apt", "var/lib/apt/lists", "var/log"):
            shutil.rmtree(root / litter, ignore_errors=True)
        _run(["tar", "--create", "--one-file-system", "--exclude=./dev/*", f"--directory={root}", f"--file={packed}", "."])
        _build(engine, name, _ROOT_IMAGE, [packed])


def _run(command: Sequence[str], place: Path = ROOT, environment: Mapping[str, str] = MappingProxyType({})) -> None:
    done = subprocess.run(command, cwd=place, env=os.environ | environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise EngineError(f"{' '.join(command)} failed:\n{(done.stdout + done.stderr)[-SHOWN_CHARACTERS:]}")


def _build(engine: Engine, name: str, dockerfile: str, files: Sequence[Path] = ()) -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        for file in files:
            os.link(file, Path(folder, file.name)) if file.stat().st_dev == Path(folder).stat().st_dev else shutil.copy(file, folder)
        Path(folder, "Dockerfile").write_text(dockerfile)
        engine.build_image(name, Recipe(Path(folder, "Dockerfile"), Path(folder)))


def _name(name: str, *made_of: str) -> str:
    return f"localhost/{name}:{hashlib.sha256(' '.join(made_of).encode()).hexdigest()[:12]}"


def _chart_values() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "charts" / "kabobagool" / "values.yaml").read_text()))
