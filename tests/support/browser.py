"""A real browser for the tests of the page: the system's Chromium, driven by Playwright, which never downloads one of its own.

Where there is none, it is installed when that is nobody's machine but the tests' own: root on Debian or Ubuntu, as in a container and in
continuous integration. Anywhere else the tests that need it are skipped and say what to install.
"""

import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import pytest
from playwright.async_api import Browser, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
)
INSTALL = ("apt-get update -q", "apt-get install -q -y --no-install-recommends chromium")
INSTALL_TIMEOUT_S = 600


def _found() -> str | None:
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def _may_install() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None and Path("/etc/debian_version").exists()


@cache
def chromium() -> str:
    """The path of a Chromium. Skips the test, with what to do, where there is none and none may be installed."""
    if path := _found():
        return path
    if not _may_install():
        pytest.skip("no Chromium on PATH: install it (Debian: sudo apt-get install chromium) to run the tests of the page")
    print("installing chromium for the tests of the page (once)", flush=True)
    for command in INSTALL:
        done = subprocess.run(
            command.split(),
            capture_output=True,
            text=True,
            timeout=INSTALL_TIMEOUT_S,
            env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"},
        )
        if done.returncode != 0:
            pytest.skip(f"Chromium could not be installed: {command}: {done.stderr.strip()[-300:]}")
    return _found() or pytest.skip("apt-get installed chromium, but it is not on PATH")


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """A headless browser with nothing in it."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            await browser.close()
