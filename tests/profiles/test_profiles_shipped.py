"""The profiles that come with the program: usable as they are, harmless as they are, and described as they are."""

import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from kabobagool.discovery.criteria import criteria_of
from kabobagool.hydra.environment_file import read_environment_file
from kabobagool.hydra.profile_files import VARIABLES, Folders, folders_of, profile_paths, read_base, read_profile
from kabobagool.hydra.supervisor_config import load_supervisor_config
from kabobagool.settings import load_settings
from kabobagool.settings_checks import at_the_venue

ROOT = Path(__file__).parents[2]
SHIPPED = ("15min", "conservative", "crypto", "hydra-test", "sports", "test")
ON_PAPER = ("hydra-test", "test")
FOLDER = ROOT / ".env.profiles"


def values(name: str) -> dict[str, str]:
    return dict(read_environment_file(FOLDER / f"{name}.env").values)


@pytest.fixture
def nothing_own(tmp_path: Path) -> Folders:
    return Folders(tmp_path, FOLDER)


def test_these_and_no_others_are_shipped(nothing_own: Folders) -> None:
    assert tuple(profile_paths(nothing_own)) == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_profile_is_usable_as_it_is(name: str, nothing_own: Folders) -> None:
    settings = load_settings(values(name), market_required=False)
    assert criteria_of(settings).patterns
    assert load_supervisor_config(name, environ={}, folders=nothing_own).settings == settings


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_profile_says_itself_that_it_is_a_dry_run(name: str) -> None:
    assert values(name)["DRY_RUN"] == "true"


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_profile_names_no_single_market_and_needs_no_key(name: str, nothing_own: Folders) -> None:
    profile = read_profile(name, nothing_own)
    assert profile.requires == ()
    assert profile.file.names.isdisjoint({"MARKET_SLUG", "CONDITION_ID", "TOKEN_YES", "TOKEN_NO", "PRIVATE_KEY"})


@pytest.mark.parametrize("name", SHIPPED)
def test_a_profile_is_either_all_paper_or_all_venue(name: str) -> None:
    settings = load_settings(values(name), market_required=False)
    urls = (settings.host, settings.gamma_host, settings.market_socket_url)
    if name in ON_PAPER:
        assert {urlsplit(url).hostname for url in urls} == {"127.0.0.1"}
        assert "JOURNAL_PATH" in values(name)
    else:
        assert all(map(at_the_venue, urls))
        assert "JOURNAL_PATH" not in values(name)


def test_conservative_risks_less_than_every_other_profile_at_the_venue() -> None:
    careful = load_settings(values("conservative"), market_required=False)
    for name in set(SHIPPED) - {"conservative", *ON_PAPER}:
        other = load_settings(values(name), market_required=False)
        assert careful.max_position_micros < other.max_position_micros
        assert careful.batch_size_micros < other.batch_size_micros
        assert careful.max_pair_cost_micros - careful.edge_buffer_micros < other.max_pair_cost_micros - other.edge_buffer_micros
        assert careful.orphan_loss_cap_micros < other.orphan_loss_cap_micros
        assert careful.order_interval_us > other.order_interval_us
        assert careful.cooldown_max_ms > other.cooldown_max_ms
        assert careful.max_markets < other.max_markets


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("15min", "btc-updown-15m-1790586000"),
        ("crypto", "bitcoin-up-or-down-january-18-6am-et"),
        ("crypto", "xrp-up-or-down-on-february-17"),
        ("crypto", "btc-updown-4h-1790586000"),
        ("sports", "nfl-kc-lac-2025-09-05"),
        ("sports", "will-the-celtics-win-the-2027-nba-finals"),
        ("hydra-test", "synthetic-1-0"),
    ],
)
def test_a_profile_wants_the_markets_it_is_named_for(name: str, slug: str) -> None:
    wanting = {other for other in SHIPPED if criteria_of(load_settings(values(other), market_required=False)).wants(slug)}
    assert name in wanting
    assert wanting <= {name, "conservative", *(ON_PAPER if name in ON_PAPER else ())}


def test_every_value_is_said_why_and_every_profile_what_for(nothing_own: Folders) -> None:
    for name in SHIPPED:
        profile = read_profile(name, nothing_own)
        assert profile.file.text.startswith(f"# {profile.summary}\n")
        assert profile.summary.endswith(".")
        assert profile.file.text.count("\n# ") >= 3


def test_the_template_has_a_line_of_explanation_for_each_key_and_no_value() -> None:
    template = read_environment_file(FOLDER / "base.env.template")
    lines = template.text.splitlines()
    keys = [number for number, line in enumerate(lines) if line and not line.startswith("#")]
    assert template.values == {}
    assert template.names <= VARIABLES
    assert all(lines[number - 1].startswith("# ") for number in keys)
    assert len({lines[number - 1] for number in keys}) == len(keys)


def test_dry_run_cannot_be_switched_for_all_profiles_at_once() -> None:
    assert "DRY_RUN" not in read_environment_file(FOLDER / "base.env.template").names


def test_a_copy_of_the_template_is_a_base_that_changes_nothing(tmp_path: Path) -> None:
    folders = Folders(tmp_path, FOLDER)
    before = load_supervisor_config("crypto", environ={}, folders=folders)
    folders.own.mkdir()
    (folders.own / "base.env").write_text(folders.template.read_text())
    assert read_base(folders) is not None
    assert load_supervisor_config("crypto", environ={}, folders=folders) == before


def test_the_wheel_carries_every_shipped_file_and_no_private_one() -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    names = [f"{name}.env" for name in SHIPPED] + ["base.env.template"]
    definition = {"crds/arbmarkets.kabobagool.io.yaml": "kabobagool_operator/arbmarkets.kabobagool.io.yaml"}
    assert wheel["force-include"] == definition | {f".env.profiles/{name}": f"kabobagool/profiles/{name}" for name in names}


def test_a_checkout_finds_its_own_profiles_from_anywhere(tmp_path: Path) -> None:
    assert set(SHIPPED) <= profile_paths(folders_of(tmp_path)).keys()


def table_row(name: str, summary: str) -> str:
    settings = load_settings(values(name), market_required=False)
    most = settings.max_pair_cost - settings.edge_buffer
    cells = (f"`{name}`", summary, settings.max_markets, settings.batch_size, settings.max_position_usd, most)
    return f"| {' | '.join(map(str, cells))} |"


def test_the_page_describes_the_profiles_as_they_are(nothing_own: Folders) -> None:
    page = (ROOT / "docs" / "PROFILES.md").read_text()
    rows = [table_row(name, read_profile(name, nothing_own).summary) for name in SHIPPED]
    assert [line for line in page.splitlines() if line.startswith("| `") and line.count("|") == 7] == rows
