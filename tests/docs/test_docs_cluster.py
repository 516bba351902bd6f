"""The pages about a cluster: every command, value, object and number in them is one of the chart, of kubectl and helm, or of the operator.

Nothing is asked of a cluster here: kubectl is pointed at a server that is not there, and complains of that, or else of what it was told.
"""

import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.chart.chart_rig import CHART, HELMS, VALUES, Helm
from tests.cluster.kubectl import Kubectl
from tests.docs.pages import DOCS, ROOT, fences, in_backticks, name

from kabobagool_operator.arbmarket import ArbMarket
from kabobagool_operator.conditions import Reason
from kabobagool_operator.rights import RULES

OURS = [
    DOCS / f"{page}.md" for page in ("first-market", "paper-to-live", "sizing", "upgrades", "disaster-recovery", "security", "operator")
]
PAGES = [*OURS, ROOT / "README.md", CHART / "README.md", *sorted((DOCS / "runbooks").glob("*.md"))]
NOWHERE = "http://127.0.0.1:1"
OBJECT = "{apiVersion: v1, kind: ConfigMap, metadata: {name: x}}"
OFFLINE: dict[str, Any] = {
    "redis": {
        "auth": {"existingSecret": "gate-users", "secrets": {"operator": "gate-operator", "dryRun": "gate-dry-run", "live": "gate-live"}}
    }
}
"""What mode live insists on where it is rendered without a cluster."""
MADE_BY_THE_READER = {"polymarket-wallet", "polymarket-wallet-2", "fleet-token", "mine", "NAME", "MARKET", "doctor"}
MADE_BY_KUBERNETES = {"secret": {"kabobagool-gate-live"}, "pvc": {"data-kabobagool-redis-0"}, "pod": {"kabobagool-redis-0"}}
KINDS = {
    "deploy": "Deployment",
    "deployment": "Deployment",
    "service": "Service",
    "statefulset": "StatefulSet",
    "secret": "Secret",
    "job": "Job",
}


@pytest.fixture
def helm(helm_binaries: None) -> Helm:
    """helm without a cluster."""
    return Helm()


def lines(page: Path, program: str, least: int = 2) -> Iterator[list[str]]:
    """Every command of a program that a reader may copy, as its words: without what it is piped into, and without comments.

    With fewer words than `least` it is only mentioned, as `kubectl rollout undo` in the middle of a sentence.
    """
    shown = [line for fence in fences(page, "") for line in fence.splitlines()]
    for line in [*shown, *in_backticks(page)]:
        for words in _commands(line):
            if words[0] == program and len(words) > least + ("rollout" in words[1:2]):
                yield words[1:]


def _commands(line: str) -> Iterator[list[str]]:
    """Of `a | b && c > file # why` these are a, b and c. Braces of a --set and quoted signs are words like others."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;>")
    lexer.whitespace_split = True
    try:
        tokens = list(lexer)
    except ValueError:  # an apostrophe of the prose, so no command
        return
    words: list[str] = []
    for token in [*tokens, ";"]:
        if set(token) <= set("|&;>"):
            if words:
                yield words
            words = []
        else:
            words.append(token)


def of_program(program: str) -> dict[str, str]:
    """Each command once, with a page that has it."""
    return {shlex.join(words): name(page) for page in PAGES for words in lines(page, program)}


KUBECTL, HELM = of_program("kubectl"), of_program("helm")


def test_the_commands_are_found() -> None:
    assert len(KUBECTL) > 60
    assert len(HELM) > 15
    assert "--namespace trading get arb --watch" in KUBECTL
    assert "rollback kabobagool 3 --namespace trading --wait" in HELM


@pytest.mark.parametrize(("line", "page"), KUBECTL.items())
def test_kubectl_takes_every_command_as_it_is_written(page: str, line: str, tmp_path: Path, kubernetes_binaries: None) -> None:
    if any(word in line for word in ("...", "[", "<")):
        pytest.fail(f"{page}: kubectl {line} is not to be copied as it stands")
    for file in ("market.yaml", "market-live.yaml", "doctor.yaml", "markets.json"):
        (tmp_path / file).write_text(OBJECT)
    for file in ("wallet.env", "wallet-2.env"):
        (tmp_path / file).write_text("PRIVATE_KEY=0x1\n")
    words = [str(tmp_path / word) if (tmp_path / word).is_file() else word for word in shlex.split(line)]
    words = [re.sub(r"^(--from-env-file=)(.+)$", rf"\g<1>{tmp_path}/\2", word) for word in words]
    said = complaint(words, tmp_path)
    assert re.search(r"refused|was not found|did you specify the right host", said), f"{page}: kubectl {line}: {said}"
    assert not re.search(r"unknown|error: (?:flag|required|must|You must)|invalid argument|accepts", said), (
        f"{page}: kubectl {line}: {said}"
    )


def complaint(words: list[str], folder: Path) -> str:
    """What kubectl says to a command when there is no cluster; nothing is only ever said by commands that need none."""
    if words[0] == "config":
        return "refused"
    nowhere = Kubectl(Path("/dev/null"), folder)
    done = nowhere.run("--server", NOWHERE, "--request-timeout=2s", *words, stdin=OBJECT)
    return done.stderr + done.stdout


@pytest.mark.parametrize("line", ["get arb --namespcae trading", "scal statefulset/kabobagool-redis", "patch arb x --type mrege -p {}"])
def test_a_command_that_kubectl_does_not_take_is_caught(line: str, tmp_path: Path, kubernetes_binaries: None) -> None:
    assert not re.search(r"refused", complaint(shlex.split(line), tmp_path))


@cache
def options_of(helm: Helm, command: tuple[str, ...]) -> set[str]:
    """What `helm COMMAND` takes."""
    return set(re.findall(r"(?<![\w-])(--?[a-z][a-z-]*)", helm(*command, "--help")))


@pytest.mark.parametrize(("line", "page"), HELM.items())
def test_both_helms_take_every_command_as_it_is_written(page: str, line: str, helm_binaries: None) -> None:
    words = shlex.split(line)
    command = tuple(words[:2]) if words[0] in ("get", "show") else (words[0],)
    options = {word.partition("=")[0] for word in words if word.startswith("-")}
    for each in HELMS.values():
        assert options <= options_of(Helm(each), command), f"{page}: helm {line}"
    for place, word in enumerate(words):
        if word.startswith("charts/"):
            assert ROOT / word == CHART
        if word == "--set":
            for assignment in words[place + 1].split(","):
                assert exists(assignment.partition("=")[0]), f"{page}: {assignment} is no value of the chart"


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md", DOCS / "container-images.md"], ids=name)
def test_make_has_every_target_and_variable_that_is_named(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for words in lines(page, "make", least=1):
        for variable, _, value in (word.partition("=") for word in words):
            known = f"$({variable})" in makefile if value else re.search(rf"^{variable}:", makefile, re.MULTILINE)
            assert known, f"{name(page)}: make {shlex.join(words)}: {variable}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_object_of_the_release_that_a_command_names_is_one_of_the_chart(page: Path, helm: Helm) -> None:
    made = {(body["kind"], body["metadata"]["name"]) for values in ({}, {"mode": "dry-run"}) for body in helm.template(values)}
    for words in lines(page, "kubectl"):
        for kind, thing in named(words):
            known = thing in MADE_BY_THE_READER | MADE_BY_KUBERNETES.get(kind, set()) or (KINDS.get(kind), thing) in made
            assert known, f"{name(page)}: {kind} {thing} is made by nobody"


def named(words: list[str]) -> Iterator[tuple[str, str]]:
    """(kind, name) of what a command is about, as `deploy/NAME` or `secret NAME`."""
    for place, word in enumerate(words):
        kind, slash, thing = word.partition("/")
        if slash and kind in KINDS:
            yield kind, thing
        elif word in ("secret", "pvc", "pod") and place + 1 < len(words) and not words[place + 1].startswith("-"):
            following = words[place + 1 :]
            yield word, following[1] if following[0] == "generic" else following[0]


def exists(path: str) -> bool:
    """Whether the chart has such a value; below a map that is empty by default anything may be."""
    found: Any = VALUES
    for part in path.removesuffix("[]").split("."):
        if found in ({}, []):
            return True
        if not isinstance(found, dict) or part not in found:
            return False
        found = found[part]
    return True


@pytest.mark.parametrize("page", OURS, ids=name)
def test_every_value_of_the_chart_that_the_prose_names_exists(page: Path) -> None:
    values = "|".join(part for part, below in VALUES.items() if isinstance(below, dict) and below)
    for text in in_backticks(page):
        if found := re.fullmatch(rf"((?:{values})\.[A-Za-z.]+)(?:[:=] ?\S+)?", text):
            assert exists(found[1]), f"{name(page)}: {found[1]} is no value of the chart"


VALUE_FILES = [(page, text) for page in OURS for text in fences(page, "yaml") if re.match(r"# [a-z-]+\.yaml\nmode:", text)]


@pytest.mark.parametrize(("page", "text"), VALUE_FILES, ids=lambda part: part.splitlines()[0] if isinstance(part, str) else name(part))
def test_every_values_file_is_accepted_and_means_what_the_page_says(page: Path, text: str, helm: Helm) -> None:
    values = yaml.safe_load(text)
    if values["mode"] == "live":
        values["redis"] |= OFFLINE["redis"]
    (operator,) = (
        body for body in helm.template(values) if body["kind"] == "Deployment" and body["metadata"]["name"].endswith("-operator")
    )
    environment = {found["name"]: found.get("value") for found in operator["spec"]["template"]["spec"]["containers"][0]["env"]}
    assert environment["KABOBAGOOL_DISCOVERY_MODE"] == "DryRun"
    assert ("KABOBAGOOL_LIVE_WALLET" in environment) == (values["mode"] == "live")


def test_there_is_a_values_file_for_each_mode_but_the_one_that_needs_none() -> None:
    assert {yaml.safe_load(text)["mode"] for _, text in VALUE_FILES} == {"dry-run", "live"}


def test_the_market_of_the_first_page_is_an_arbmarket_of_the_paper_exchange() -> None:
    (text,) = (text for text in fences(DOCS / "first-market.md", "yaml") if text.startswith("# market.yaml"))
    market = ArbMarket.model_validate(yaml.safe_load(text))
    assert market.spec.mode == "Paper"
    assert market.spec.profile in VALUES["profiles"]
    assert f"`{market.spec.market.slug}`" in (DOCS / "events.md").read_text()


def test_the_pod_that_examines_a_wallet_keeps_to_the_level_of_the_bots() -> None:
    (text,) = (text for text in fences(DOCS / "paper-to-live.md", "yaml") if text.startswith("# doctor.yaml"))
    pod = yaml.safe_load(text)["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def rows(page: str, *heads: str) -> list[list[str]]:
    """The table of a page with these first heads, without its marks."""
    tables = re.findall(r"(?:^\|.*\n)+", (DOCS / page).read_text(), re.MULTILINE)
    parted = [[[cell.strip(" `") for cell in line.strip("|\n").split("|")] for line in table.splitlines()] for table in tables]
    (found,) = (table for table in parted if table[0][: len(heads)] == list(heads))
    return found[2:]


def test_the_rights_of_the_operator_are_told_as_they_are() -> None:
    told = {resource: verbs.split(", ") for resource, verbs in rows("security.md", "Resource", "Verbs")}
    assert told == {resource: rule["verbs"] for rule in RULES for resource in rule["resources"]}


def test_what_a_bot_costs_follows_from_what_the_chart_asks_for() -> None:
    text = (DOCS / "sizing.md").read_text()
    core, gib = (float(found) for found in re.findall(r"\$([\d.]+) for a (?:core|GiB)-hour", text))
    bot, operator, redis = (asked(VALUES[part]["resources"]) for part in ("bot", "operator", "redis"))
    rest = [operator[unit] * VALUES["operator"]["replicas"] + redis[unit] for unit in range(2)]
    for what, cores, memory, dollars in rows("sizing.md", "", "Cores", "GiB", "Dollars a day"):
        bots = float(re.sub(r"^one ", "1 ", what).split()[0].replace(",", "")) if "bot" in what else 0
        shared = "with these" in what or not bots
        wanted = [bots * bot[unit] + shared * rest[unit] for unit in range(2)]
        assert [float(cores), float(memory)] == pytest.approx(wanted, abs=6e-4), what
        assert float(dollars) == pytest.approx(24 * (wanted[0] * core + wanted[1] * gib), abs=6e-4), what


def asked(resources: dict[str, Any]) -> tuple[float, float]:
    """Cores and GiB."""
    request = resources["requests"]
    return int(request["cpu"].removesuffix("m")) / 1000, int(request["memory"].removesuffix("Mi")) / 1024


def test_every_limit_to_begin_with_is_the_one_in_the_values() -> None:
    (live,) = (yaml.safe_load(text) for _, text in VALUE_FILES if yaml.safe_load(text)["mode"] == "live")
    told = {limit: number for limit, number, _ in rows("paper-to-live.md", "Limit", "To begin with") if limit.isupper()}
    assert told == {limit: number for limit, number in live["bot"]["environment"].items() if limit.endswith("_USD")}


@pytest.mark.parametrize("page", OURS, ids=name)
def test_every_condition_is_one_that_an_arbmarket_says(page: Path) -> None:
    reasons = {str(reason) for reason in Reason}
    for text in in_backticks(page):
        if found := re.fullmatch(r"(?:Resolved|Ready|Trading|Degraded|Paused)=\w+/(\w+)", text):
            assert found[1] in reasons, f"{name(page)}: {text}"
