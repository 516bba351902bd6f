"""Tapes of what the venue said, and the engine run over them again: what edges there were, and what would have become of them.

`recorder.py` writes a tape while a feed runs; `replayer.py` reads one and lets whole engines trade on it in virtual time; `build.py` adds
up what they did, and `page.py` draws it. Called by `cli/record.py` and `cli/replay.py`.
"""
