"""A `.env` file is read with its mistakes named by line, and written privately, whole, and so that every reader reads the same."""

import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from kabobagool.hydra.environment_file import assignment, read_environment_file, replace_environment_file
from kabobagool.settings import SettingsError

NOW_MS = 1_790_000_000_123
WRITABLE = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x2FF, exclude_characters="'\\\x7f", exclude_categories=("Cc", "Zs")), max_size=40
)


def read(folder: Path, text: str) -> dict[str, str]:
    path = folder / "a.env"
    path.write_text(text)
    return dict(read_environment_file(path).values)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_comments_quotes_case_and_empty_values(tmp_path: Path) -> None:
    text = "# why\nmax_markets=20  # few\n\nHOST='http://a#b'\nLOG_LEVEL=\nexport LOG_FORMAT=\"text\"\nPROXY_ADDRESS=$HOME\n"
    assert read(tmp_path, text) == {"MAX_MARKETS": "20", "HOST": "http://a#b", "LOG_FORMAT": "text", "PROXY_ADDRESS": "$HOME"}
    assert "LOG_LEVEL" in read_environment_file(tmp_path / "a.env").names


@pytest.mark.parametrize(
    ("text", "line"),
    [("A=1\n\nMAX MARKETS=2\n", "line 3"), ("# c\nMAX_MARKETS\n", "line 2"), ("A='open\n", "line 1")],
)
def test_what_is_no_assignment_is_named_with_its_line(text: str, line: str, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=rf"a\.env, {line}: is not NAME=value"):
        read(tmp_path, text)


def test_a_variable_given_twice_is_an_error_and_not_a_guess(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"line 3: BATCH_SIZE is given a second time \(first in line 1\); keep one"):
        read(tmp_path, "BATCH_SIZE=10\n\nbatch_size=20\n")


def test_a_broken_line_does_not_repeat_what_may_be_a_secret(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as told:
        read(tmp_path, "PRIVATE_KEY 5a5a5a5a\n")
    assert "5a5a" not in str(told.value)


def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "a.env").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match=r"a\.env: cannot be read \(it is not UTF-8 text\)"):
        read_environment_file(tmp_path / "a.env")
    with pytest.raises(SettingsError, match="cannot be read \\(Is a directory\\)"):
        read_environment_file(tmp_path)


@given(WRITABLE)
@example("")
@example("a b # c")
@example("$HOME ${X} $(date) `id`")
@example('"quoted"')
@example("*-updown-15m-*,[ab]?")
def test_what_was_written_is_read_again(value: str) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        assert read(Path(folder), assignment("MARKET_PATTERNS", value) + "\n").get("MARKET_PATTERNS", "") == value


@pytest.mark.parametrize("value", ["a b # c", "$HOME ${X} $(date) `id`", '"quoted"', "*-updown-15m-*,[ab]?", "~/x", "http://u:p%40s@h:1"])
def test_a_shell_reads_the_same(value: str, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(assignment("VALUE", value) + "\n")
    bash = shutil.which("bash")
    assert bash, "the scripts need bash"
    said = subprocess.run([bash, "-c", '. ./.env; printf %s "$VALUE"'], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert said.stdout == value


@pytest.mark.parametrize("value", ["it's", "a\\b", "a\nPRIVATE_KEY=1", "\x00"])
def test_a_value_that_readers_would_disagree_about_is_refused_without_repeating_it(value: str) -> None:
    with pytest.raises(SettingsError, match="CONTROL_TOKEN: holds a quote") as told:
        assignment("CONTROL_TOKEN", value)
    assert value not in str(told.value)


def test_a_written_file_is_for_its_owner_only_and_so_is_what_it_replaces(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("OLD=1\n")
    path.chmod(0o644)
    backup = replace_environment_file(path, "NEW=1\n", now_ms=NOW_MS)
    assert backup == tmp_path / ".env.bak.20260921T141320123Z"
    assert (path.read_text(), backup.read_text()) == ("NEW=1\n", "OLD=1\n")
    assert (mode(path), mode(backup)) == (0o600, 0o600)
    assert sorted(tmp_path.iterdir()) == [path, backup]


def test_the_first_file_has_nothing_to_keep(tmp_path: Path) -> None:
    assert replace_environment_file(tmp_path / ".env", "NEW=1\n", now_ms=NOW_MS) is None
    assert mode(tmp_path / ".env") == 0o600


def test_writing_the_same_again_makes_no_backup_but_closes_the_file_to_others(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("SAME=1\n")
    path.chmod(0o644)
    assert replace_environment_file(path, "SAME=1\n", now_ms=NOW_MS) is None
    assert list(tmp_path.iterdir()) == [path]
    assert mode(path) == 0o600


def test_a_folder_that_is_not_there_is_told_and_nothing_is_left_behind(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"cannot be written \(No such file or directory\); choose another file with --to"):
        replace_environment_file(tmp_path / "none" / ".env", "A=1\n", now_ms=NOW_MS)
    assert list(tmp_path.iterdir()) == []


def test_when_the_previous_file_cannot_be_kept_it_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / ".env"
    path.write_text("OLD=1\n")
    (tmp_path / ".env.bak.20260921T141320123Z").write_text("older\n")
    with pytest.raises(SettingsError, match="cannot be written"):
        replace_environment_file(path, "NEW=1\n", now_ms=NOW_MS)
    assert path.read_text() == "OLD=1\n"
