"""Writes what each image's Python environment is made of, as a CycloneDX bill of materials: build/sbom/IMAGE.cdx.json.

`make sbom` runs it, and the release attaches the files to the images. The environments are installed just as the Dockerfiles do it
(`image_environment.py`), so no container engine is needed; `tests/images` compares the list with a built image.

    python -m scripts.sbom [bot] [operator] [paper]
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from scripts.build_images import IMAGES, ROOT, extras_of
from scripts.image_environment import EPOCH, install_code, install_dependencies

FOLDER: Final = ROOT / "build" / "sbom"


def bill_file(name: str) -> Path:
    """Where an image's bill of materials lies."""
    return FOLDER / f"{name}.cdx.json"


def environment(name: str) -> Path:
    """Where an image's environment is installed to be looked at."""
    return FOLDER / name


def components(bill: Path) -> list[dict[str, Any]]:
    """What an image holds beside our own code."""
    return list(json.loads(bill.read_text(encoding="utf-8"))["components"])


def write_bill(name: str) -> Path:
    """Install an image's environment and write down what is in it. subprocess.CalledProcessError when that fails."""
    prefix = environment(name)
    shutil.rmtree(prefix, ignore_errors=True)
    prefix.parent.mkdir(parents=True, exist_ok=True)
    install_dependencies(prefix, extras_of(name))
    install_code(prefix)
    tool = Path(sys.executable).parent / "cyclonedx-py"
    shape = ["--pyproject", str(ROOT / "pyproject.toml"), "--mc-type", "application", "--spec-version", "1.6", "--output-reproducible"]
    command = [str(tool), "environment", *shape, "--output-format", "JSON", "--output-file", str(bill_file(name)), str(prefix)]
    subprocess.run(command, check=True, env=os.environ | {"SOURCE_DATE_EPOCH": str(EPOCH)})  # noqa: S603
    return bill_file(name)


def main(names: Sequence[str]) -> None:
    """A bill for each image that is named, or for all."""
    if unknown := set(names) - IMAGES.keys():
        sys.exit(f"{', '.join(sorted(unknown))}: none of {', '.join(IMAGES)}")
    for name in names or IMAGES:
        sys.stdout.write(f"installing what {name} holds ...\n")
        sys.stdout.flush()
        bill = write_bill(name)
        sys.stdout.write(f"{bill.relative_to(ROOT)}: {len(components(bill))} components\n")


if __name__ == "__main__":
    main(sys.argv[1:])
