"""A tape on disk: anybody can read it, a crash costs one block, and nothing that is wrong with it stays unsaid."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.replay.made_tapes import NOON_MS, TapeMaker, made_market, records_of

from kabobagool.replay import tape_reader
from kabobagool.replay.tape import Books, Frame, Joined, TapedBook, TapeError, frame_content, frame_record
from kabobagool.replay.tape_reader import TapeReader
from kabobagool.replay.tape_writer import TapeWriter


def small_tape(path: Path, *, blocks: int = 3) -> Path:
    maker = TapeMaker(path).opened().joined(made_market())
    for number in range(blocks):
        maker.flush().frame(f"frame {number}".encode(), at=number + 1)
    return maker.closed(blocks + 1).done()


def frames_of(path: Path) -> list[bytes | str]:
    return [frame_content(record) for record in records_of(TapeReader(path)) if isinstance(record, Frame)]


def test_whatever_was_recorded_is_read_again(tmp_path):
    maker = TapeMaker(tmp_path / "a.tape").opened().joined(made_market())
    books = [TapedBook("12", NOON_MS, [(4_800, 5_000_000)], [], 100)]
    maker.add(Books(ms=NOON_MS, us=1, asked_ms=NOON_MS - 5, books=books)).frame(b'[{"a": "\xc3\xa9"}]', at=3).lost(4).closed(5)
    written = list(maker.records)
    assert records_of(TapeReader(maker.done())) == written


@given(st.binary(max_size=200))
def test_any_frame_comes_back_as_it_came(frame):
    content = frame_content(frame_record("socket 1", frame, ms=1, us=2))
    assert (content.encode() if isinstance(content, str) else content) == frame


def test_a_tape_can_be_read_without_this_program(tmp_path):
    lines = gzip.decompress(small_tape(tmp_path / "a.tape").read_bytes()).decode().splitlines()
    first, market = json.loads(lines[0]), json.loads(lines[1])
    assert (first["kind"], first["format"], first["version"]) == ("opened", "kabobagool-tape", 1)
    assert first["note"] == "public market data only: no keys, no orders, no positions"
    assert market["market"]["slug"] == "market-1"
    assert [json.loads(line)["kind"] for line in lines] == ["opened", "joined", "connected", "frame", "frame", "frame", "closed"]


@settings(max_examples=60)
@given(st.data())
def test_a_tape_that_was_cut_anywhere_is_read_to_its_last_whole_block(tmp_path_factory, data):
    path = small_tape(tmp_path_factory.mktemp("cut") / "a.tape")
    whole = path.read_bytes()
    ends = [0] + [reader.whole_bytes for reader in [TapeReader(path)] for _ in reader.blocks()]
    cut = data.draw(st.integers(ends[1], len(whole) - 1))
    path.write_bytes(whole[:cut])
    reader = TapeReader(path)
    blocks = list(reader.blocks())
    assert reader.whole_bytes == max(end for end in ends if end <= cut)
    assert len(blocks) == sum(0 < end <= cut for end in ends)
    assert not reader.damaged
    if cut in ends:
        assert reader.torn is None
    else:
        assert reader.torn == f"cut off in the middle of a block: {cut - reader.whole_bytes:,} of {cut:,} bytes are not used"


def test_recording_goes_on_after_the_last_whole_block(tmp_path):
    path = small_tape(tmp_path / "a.tape")
    path.write_bytes(path.read_bytes()[:-9])
    maker = TapeMaker(path)
    assert maker.writer.continued
    assert maker.writer.dropped_bytes > 0
    maker.opened(100).frame(b"later", at=101).closed(102).done()
    reader = TapeReader(path)
    assert [frame_content(record) for record in records_of(reader) if isinstance(record, Frame)] == ["frame 0", "frame 1", "later"]
    assert reader.torn is None


def test_a_damaged_tape_is_used_up_to_the_damage_and_never_written_to(tmp_path):
    path = small_tape(tmp_path / "a.tape")
    content = bytearray(path.read_bytes())
    reader = TapeReader(path)
    next(reader.blocks())
    damaged_from = reader.whole_bytes
    content[damaged_from : damaged_from + 4] = b"\0\0\0\0"
    path.write_bytes(content)
    reader = TapeReader(path)
    kinds = [type(record) for record in records_of(reader)]
    assert kinds[1] is Joined
    assert Frame not in kinds
    assert reader.torn is not None
    assert reader.torn.startswith(f"damaged after byte {damaged_from:,}")
    with pytest.raises(TapeError, match=r"damaged after byte .* it is not continued, .*--out"):
        TapeWriter.open(path)
    assert path.read_bytes() == content


def test_two_recorders_cannot_write_one_tape(tmp_path):
    first = TapeWriter.open(tmp_path / "a.tape")
    with pytest.raises(TapeError, match="another process records to this tape"):
        TapeWriter.open(tmp_path / "a.tape")
    first.close()
    TapeWriter.open(tmp_path / "a.tape").close()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "not one whole block"),
        (b"certainly no tape", "not one whole block"),
        (gzip.compress(b"no JSON\n", mtime=0), "not written by this program"),
        (gzip.compress(b"", mtime=0), "does not begin like a tape"),
        (gzip.compress(b'{"kind":"closed","ms":1,"us":1}\n', mtime=0), "does not begin like a tape"),
    ],
)
def test_what_is_no_tape_is_refused_and_left_alone(tmp_path, content, said):
    path = tmp_path / "a.tape"
    path.write_bytes(content)
    with pytest.raises(TapeError, match=said):
        records_of(TapeReader(path))
    if content:
        with pytest.raises(TapeError):
            TapeWriter.open(path)
        assert path.read_bytes() == content


def test_a_tape_of_a_newer_version_asks_for_an_upgrade(tmp_path):
    path = TapeMaker(tmp_path / "a.tape").opened(version=99).done()
    with pytest.raises(TapeError, match="tape version 99, this program reads up to 1; upgrade kabobagool"):
        records_of(TapeReader(path))


def test_a_tape_that_is_not_there_says_how_to_make_one(tmp_path):
    with pytest.raises(TapeError, match=r"a\.tape: No such file or directory; make a tape with `kabobagool record"):
        TapeReader(tmp_path / "a.tape")


def test_a_file_made_to_fill_the_memory_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "a.tape"
    path.write_bytes(gzip.compress(b"0" * 10_000_000))
    monkeypatch.setattr(tape_reader, "MAX_BLOCK_BYTES", 1_000_000)
    with pytest.raises(TapeError, match="unpacks to more than 1,000,000 bytes"):
        records_of(TapeReader(path))


FULL_DISK = """
import resource, sys
from pathlib import Path
from tests.replay.made_tapes import TapeMaker
from kabobagool.replay.tape import TapeError
import os
maker = TapeMaker(Path(sys.argv[1])).opened().flush().frame(b"fits", at=1).flush()
resource.setrlimit(resource.RLIMIT_FSIZE, (maker.writer.end + 50, resource.RLIM_INFINITY))
try:
    maker.frame(os.urandom(5000), at=2).flush()
except TapeError as e:
    print(e)
"""


def test_a_full_disk_is_said_and_the_tape_stays_whole(tmp_path):
    path = tmp_path / "a.tape"
    ended = subprocess.run([sys.executable, "-c", FULL_DISK, str(path)], capture_output=True, text=True, timeout=60, check=True)
    assert "the tape is whole up to here: make room and record to it again" in ended.stdout
    assert frames_of(path) == ["fits"]
    reader = TapeReader(path)
    assert records_of(reader)
    assert reader.torn is None
