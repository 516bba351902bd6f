"""Takes the picture of a cluster's fleet page that the documentation shows: `python -m tests.operator.take_fleet_page_picture [FOLDER]`.

A real API server, a real operator, a real gate and a real browser. There are no nodes, so the bots' reports are written here, by the code
with which bots write them; the numbers are made up, as the picture's own badge says.
"""

import asyncio
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

from playwright.async_api import expect
from tests.cluster.control_plane import ControlPlane
from tests.hydra.page_examples import SUBJECTS
from tests.operator.fleet_page_rig import leading_with_page, window
from tests.operator.operator_rig import World, arb_market, world
from tests.operator.venue_rig import scripted

IMAGES = Path(__file__).parents[2] / "docs" / "images"
CRDS = Path(__file__).parents[2] / "crds"
NAMESPACE = "trading"
HISTORY_S = 70
SIZE = {"width": 1360, "height": 900}
SLUGS = {"-".join(subject.lower().replace("'", "").replace("$", "").replace(".", "").split()): subject for subject in SUBJECTS[:10]}
QUIET, CLOSED, LOST = list(SLUGS)[2], list(SLUGS)[5], "the-moon-is-made-of-cheese"
LIVING_S = 3.0


async def report(at: World, holders: dict[str, str], rng: random.Random) -> None:
    """Bots that report for ever, all but one."""
    costs = dict.fromkeys(holders, 1_012_000)
    while True:
        for number, (slug, holder) in enumerate(holders.items()):
            if slug == QUIET and costs[slug] != 1_012_000:
                continue
            costs[slug] += rng.choice((-6_000, -2_000, 0, 2_000, 5_000)) if costs[slug] < 1_030_000 else -8_000
            pairs, naked = 20 * (number % 4), 5 if number == 1 else 0
            held: dict[str, Any] = {
                "yes_shares": (pairs + naked) * 1_000_000,
                "no_shares": pairs * 1_000_000,
                "locked_profit": pairs * 31_000,
            }
            phase = "orphan" if naked else "cooldown" if number == 6 else "watching"
            await at.reports(slug, holder, phase=phase, pair_cost=costs[slug], feed_age_ms=0, **held)
        await asyncio.sleep(LIVING_S)


async def picture(at: World, folder: Path) -> None:
    """Let a small fleet live for a while, with one of everything that can be wrong, and keep what its page looks like."""
    _, url = await leading_with_page(at, VENUE_RECHECK_S="5")
    await at.apply(*(arb_market(slug) for slug in SLUGS), arb_market(LOST))
    holders = {slug: f"kabobagool@{await at.pod_is(slug)}/1/abc" for slug in SLUGS}
    living = asyncio.create_task(report(at, holders, random.Random(7)))
    await asyncio.sleep(HISTORY_S / 2)
    at.close_market(CLOSED)
    await at.ask("patch", "arb", list(SLUGS)[7], "--type=merge", "--patch", '{"spec": {"suspend": true}}')
    await at.ask("annotate", "arb", list(SLUGS)[8], "kabobagool.io/pause-reconciliation=true")
    async with window(url, color_scheme="dark", reduced_motion="reduce") as opened:
        page = opened.page
        await page.set_viewport_size(SIZE)  # type: ignore[arg-type]
        await expect(page.locator(".market")).to_have_count(len(SLUGS) + 1)
        await opened.row(SUBJECTS[0]).locator(".halt").click()
        await opened.confirm(why="news at noon", token="correct-horse-battery-staple")
        await asyncio.sleep(HISTORY_S / 2)
        await opened.row(SUBJECTS[1]).locator(".expand").click()
        await page.mouse.move(5, 5)
        await asyncio.sleep(2)
        await page.screenshot(path=folder / "fleet-page-cluster.png")
        for name, width in (("narrow", 1000), ("phone", 390)) if folder != IMAGES else ():
            await page.set_viewport_size({"width": width, "height": 1200})
            await asyncio.sleep(1)
            await page.screenshot(path=folder / f"fleet-page-cluster-{name}.png", full_page=True)
        print(opened.complaints)
    living.cancel()


async def main(folder: Path) -> None:
    """Start all of it, and end it."""
    books = [scripted(slug, question=f"Will {subject}?") for slug, subject in SLUGS.items()]
    with ControlPlane(controllers=True) as plane, tempfile.TemporaryDirectory() as scratch:
        kubectl = plane.kubectl()
        kubectl("create", "namespace", NAMESPACE)
        kubectl("apply", "--server-side", "--filename", str(CRDS))
        kubectl("wait", "--for=condition=Established", "--timeout=60s", "--filename", str(CRDS))
        async with world(Path(scratch), plane, NAMESPACE, *books) as at:
            await picture(at, folder)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES))
