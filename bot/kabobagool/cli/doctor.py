"""`kabobagool doctor`: everything that must be right before a bot can trade, checked, one line each, with the fix.

Run by people before the first start and when something is odd, and by scripts for its exit status. It sends no order.
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Sequence

import click

from kabobagool.cli.options import json_option, profile_option, settings_options
from kabobagool.clock import SystemClock
from kabobagool.doctor.examine import examine
from kabobagool.doctor.finding import Finding, Level
from kabobagool.feed.market_feed import subscribe_frame
from kabobagool.telemetry.logs import LogPipeline

COLOURS = {Level.OK: "green", Level.WARNING: "yellow", Level.FAILURE: "red"}


@click.command()
@json_option
@settings_options()
@profile_option
def command(*, environment: dict[str, str], as_json: bool) -> None:
    """Check settings, venue, clock, region, market, key, money and journal, and name each fix. Sends no order, prints no secret.

    What only real orders need is a warning in a dry run: --no-dry-run checks as if live. API credentials are derived from PRIVATE_KEY, and
    created when it has none yet, as a live start does. Exit status: 1 when anything failed, 0 otherwise.
    """
    with LogPipeline(level="CRITICAL", websockets_level="CRITICAL", style="text", secrets=()):
        findings = asyncio.run(examine(environment, clock=SystemClock(), rng=random.SystemRandom(), subscribe_frame=subscribe_frame))
    counts = Counter(finding.level for finding in findings)
    click.echo(json.dumps(_facts(findings, counts), indent=2) if as_json else _report(findings, counts))
    raise SystemExit(1 if counts[Level.FAILURE] else 0)


def _facts(findings: Sequence[Finding], counts: Counter[Level]) -> dict[str, object]:
    rows = [{"check": found.check, "level": found.level.value, "what": found.what, "fix": found.fix or None} for found in findings]
    return {"healthy": not counts[Level.FAILURE], "counts": {level.value: counts[level] for level in Level}, "findings": rows}


def _report(findings: Sequence[Finding], counts: Counter[Level]) -> str:
    width = max(len(found.check) for found in findings)
    summary = ", ".join(f"{counts[level]} {level.value}" for level in Level)
    return "\n".join([*(line for found in findings for line in _lines(found, width)), "", summary])


def _lines(found: Finding, width: int) -> list[str]:
    level = click.style(f"{found.level.value:<7}", fg=COLOURS[found.level])
    lines = [f"{level}  {found.check:<{width}}  {found.what}"]
    return [*lines, f"{'':<7}  {'':<{width}}  fix: {found.fix}"] if found.fix else lines
