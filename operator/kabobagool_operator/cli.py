"""`kabobagool-operator`: the operator as a command, for its image and for trying it from a laptop.

Installed as a console script (pyproject.toml). Configuration comes from KABOBAGOOL_* variables, and each of them that is no secret has an
option of the same name. Exit status: 0 stopped in order, 1 lost the lead or a part of itself, 2 wrong configuration or usage.
"""

import asyncio
import sys
from pathlib import Path

import click
from pydantic import ValidationError

from kabobagool.telemetry.logs import LogPipeline
from kabobagool.telemetry.redaction import settings_secrets
from kabobagool_operator.cluster_config import load_configuration
from kabobagool_operator.main import serve
from kabobagool_operator.policy import Policy


@click.group()
def main() -> None:
    """Keeps one bot alive for each ArbMarket in a namespace, and finds markets worth one."""


@main.command()
@click.option("--kubeconfig", type=click.Path(path_type=Path))
def run(*, kubeconfig: Path | None) -> None:
    """Run the operator until it is told to stop."""
    try:
        policy = Policy()
    except ValidationError as e:
        raise click.UsageError(str(e)) from None
    with LogPipeline(secrets=settings_secrets(policy)):
        in_order = asyncio.run(_run(policy, kubeconfig))
    sys.exit(0 if in_order else 1)


async def _run(policy: Policy, kubeconfig: Path | None) -> bool:
    return await serve(policy, await load_configuration(kubeconfig=kubeconfig))


if __name__ == "__main__":
    main()
