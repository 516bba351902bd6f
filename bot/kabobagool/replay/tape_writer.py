"""Writes a tape so that neither a crash nor a full disk can cost more than the block being written.

Every block is one gzip member, written with one call and taken back when it did not fit. An existing tape is continued after its last
whole block. `recorder.py` calls `write` from a thread, for compression and disk would hold up the receive times of the next frames.
"""

import fcntl
import gzip
import os
from collections.abc import Sequence
from pathlib import Path

from kabobagool.replay.tape import TapeError, TapeRecord, encode_records
from kabobagool.replay.tape_reader import TapeReader


class TapeWriter:
    """An open tape, locked against a second writer.

    `continued` when it held blocks before; `dropped_bytes` of half a block were not kept.
    """

    def __init__(self, path: Path, descriptor: int, *, end: int, dropped_bytes: int) -> None:
        self.path = path
        self.end = end
        self.continued = end > 0
        self.dropped_bytes = dropped_bytes
        self._descriptor: int | None = descriptor

    @classmethod
    def open(cls, path: Path) -> "TapeWriter":
        """Create the tape or continue it. TapeError when it is no tape, is damaged, is being written or cannot be."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as e:
            raise TapeError(f"{path}: {e.strerror}; choose another file with --out") from None
        try:
            end, size = _lock_and_look(path, descriptor)
            os.ftruncate(descriptor, end)
        except BaseException:
            os.close(descriptor)
            raise
        return cls(path, descriptor, end=end, dropped_bytes=size - end)

    def write(self, records: Sequence[TapeRecord]) -> None:
        """Append one block. TapeError when the disk refuses; the tape then ends with the block before."""
        if self._descriptor is None:
            raise TapeError(f"{self.path}: the tape is closed")
        block = gzip.compress(encode_records(records), compresslevel=6, mtime=0)
        try:
            written = os.pwrite(self._descriptor, block, self.end)
            if written < len(block):
                written += os.pwrite(self._descriptor, block[written:], self.end + written)  # says why the rest did not fit
        except OSError as e:
            os.ftruncate(self._descriptor, self.end)
            raise TapeError(f"{self.path}: {e.strerror}; the tape is whole up to here: make room and record to it again") from None
        self.end += written

    def close(self) -> None:
        """Let go of the file; one that holds nothing is no tape and is removed. Nothing happens the second time."""
        if self._descriptor is not None:
            if not self.end:
                self.path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = None


def _lock_and_look(path: Path, descriptor: int) -> tuple[int, int]:
    """The end of the last whole block, and the size of the file."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise TapeError(f"{path}: another process records to this tape; stop it first, or choose another file with --out") from None
    size = os.fstat(descriptor).st_size
    if not size:
        return 0, 0
    reader = TapeReader(path)
    for _ in reader.blocks():
        pass
    if reader.damaged:
        raise TapeError(f"{path}: {reader.torn}; it is not continued, so that nothing of it is lost: choose another file with --out")
    return reader.whole_bytes, size
