"""`kabobagool-operator`: the operator as a command, for its image and for trying it from a laptop.

Installed as a console script (pyproject.toml). Settings come from KABOBAGOOL_* variables, and each that is no secret has an option of the
same name. Exit status: 0 done, or stopped in order; 1 lost the lead or a part of itself; 2 wrong settings or usage.
"""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal, TextIO

import click

from kabobagool import __version__
from kabobagool.clock import SystemClock
from kabobagool.telemetry.logs import LogPipeline
from kabobagool.telemetry.redaction import settings_secrets
from kabobagool_operator.cluster_config import ClusterConfigError, load_configuration
from kabobagool_operator.cluster_errors import ClusterError
from kabobagool_operator.policy import Policy
from kabobagool_operator.policy_options import PolicyProblem, policy_options, read_policy
from kabobagool_operator.probe_server import ProbeServerError
from kabobagool_operator.start_checks import start_problems

LogFormat = Literal["json", "text"]
CRD_FILE: Final = "arbmarkets.kabobagool.io.yaml"

HELP = """Keeps one bot alive for each ArbMarket of a namespace, and finds markets worth one.

No real order is sent unless an ArbMarket says `mode: Live` and names a Secret with a key. Every setting is a KABOBAGOOL_ variable,
and an option of `run` where it is no secret.

\b
  kabobagool-operator crd | kubectl apply --server-side -f -     teach the cluster what an ArbMarket is
  kabobagool-operator run --namespace trading                    run it with your kubeconfig, or in the cluster
  kubectl apply -f market.yaml && kubectl get arb                one market by hand
  kabobagool-operator render market.yaml                         what would be made of it, and nothing done
  kabobagool-operator uninstall --namespace trading              take all markets away, in order
"""


@click.group(help=HELP)
@click.version_option(__version__, prog_name="kabobagool-operator")
def main() -> None:
    """See HELP."""


@main.command()
@click.option("--kubeconfig", type=click.Path(path_type=Path, exists=True), help="Default: the Pod's account, else KUBECONFIG.")
@click.option("--context", help="Context in the kubeconfig; default: the current one.")
@click.option("--log-level", default="INFO", metavar="LEVEL", help="DEBUG, INFO, WARNING or ERROR.")
@click.option("--log-format", default="json", type=click.Choice(["json", "text"]), help="Lines for machines or for people.")
@policy_options
def run(*, policy: Policy, kubeconfig: Path | None, context: str | None, log_level: str, log_format: LogFormat) -> None:
    """Run the operator until it is told to stop. Of several in one namespace one works and the others are ready to."""
    if problems := start_problems(policy):
        raise PolicyProblem("\n".join(problems))
    with LogPipeline(level=log_level.upper(), style=log_format, secrets=settings_secrets(policy)) as log:
        try:
            asyncio.run(_run(policy, kubeconfig, context, log))
        except (ClusterConfigError, ProbeServerError) as e:
            raise click.ClickException(str(e)) from None


@main.command()
@click.option("--kubeconfig", type=click.Path(path_type=Path, exists=True), help="Default: the Pod's account, else KUBECONFIG.")
@click.option("--context", help="Context in the kubeconfig; default: the current one.")
@click.option("--namespace", help="Whose ArbMarkets go.  [KABOBAGOOL_NAMESPACE]")
@click.option("--deployment", help="The operator's Deployment, which is told to end first.")
@click.option("--timeout", default=240, show_default=True, type=click.IntRange(min=1), help="Longest wait in seconds.")
def uninstall(*, kubeconfig: Path | None, context: str | None, namespace: str | None, deployment: str | None, timeout: int) -> None:
    """Delete all ArbMarkets of the namespace and wait until their bots have finished; what is left then goes without that.

    The settings are those of the operator, from the environment.
    """
    policy = read_policy({} if namespace is None else {"namespace": namespace})
    given = {"--kubeconfig": kubeconfig, "--context": context, "--namespace": policy.namespace}
    options = [text for option, value in given.items() if value is not None for text in (option, str(value))]
    try:
        asyncio.run(_uninstall(policy, kubeconfig, context, deployment=deployment, options=options, timeout_s=timeout))
    except (ClusterConfigError, ClusterError) as e:
        raise click.ClickException(str(e)) from None


@main.command()
def crd() -> None:
    """Print the definition of ArbMarkets, for `kubectl apply --server-side -f -`."""
    package = Path(__file__).parent
    folders = (package, package.parents[1] / "crds")
    click.echo(next(folder / CRD_FILE for folder in folders if (folder / CRD_FILE).is_file()).read_text(), nl=False)


@main.command()
@click.argument("file", type=click.File())
@policy_options
def render(*, policy: Policy, file: TextIO) -> None:
    """Print what the operator would make of the ArbMarket in FILE (- for standard input). The venue is asked; the cluster is not."""
    from kabobagool_operator.render import RenderError, rendered

    try:
        click.echo(asyncio.run(rendered(file.read(), policy)), nl=False)
    except RenderError as e:
        raise click.ClickException(str(e)) from None


async def _run(policy: Policy, kubeconfig: Path | None, context: str | None, log: LogPipeline) -> None:
    from kabobagool_operator.main import serve

    if not await serve(policy, await load_configuration(kubeconfig=kubeconfig, context=context)):
        log.stop()
        os._exit(1)  # what is left of a broken operator may not want to end


async def _uninstall(
    policy: Policy, kubeconfig: Path | None, context: str | None, *, deployment: str | None, options: Sequence[str], timeout_s: float
) -> None:
    from kabobagool_operator.cluster import Cluster
    from kabobagool_operator.operator_metrics import OperatorMetrics
    from kabobagool_operator.rest import Rest
    from kabobagool_operator.uninstall import Uninstall

    rest = Rest(await load_configuration(kubeconfig=kubeconfig, context=context), rate=None, observer=OperatorMetrics())
    try:
        work = Uninstall(Cluster(rest), policy.namespace, clock=SystemClock(), say=click.echo)
        await work.run(deployment=deployment, options=options, timeout_s=timeout_s)
    finally:
        await rest.close()


if __name__ == "__main__":
    main()
