"""The same targets under atheris, which lets inputs grow towards code that was not reached yet. Optional: nothing else needs it.

Called by `python -m tests.fuzz --atheris`. Each target runs in a process of its own, because atheris ends the process that it ran in, and
must be there before what it watches is imported. Its corpus is kept in `build/fuzz-corpus`, so that the next run goes on from there.
"""

import importlib.util
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

CORPUS = Path(__file__).resolve().parents[2] / "build" / "fuzz-corpus"
LONGEST_INPUT = 65_536
WATCHED = ["kabobagool", "kabobagool_operator"]


def run(names: Sequence[str], *, runs: int) -> int:
    """0 when nothing was found, 1 when something was, 2 without atheris."""
    if importlib.util.find_spec("atheris") is None:
        sys.stdout.write("atheris is not installed (pip install atheris); without --atheris nothing is needed\n")
        return 2
    codes = [subprocess.run([sys.executable, "-m", __name__, name, str(runs)], check=False).returncode for name in names]
    return 1 if any(codes) else 0


def _fuzz(name: str, runs: str) -> None:
    import atheris

    with atheris.instrument_imports(include=WATCHED):
        from tests.fuzz.campaign import silence
        from tests.fuzz.mutate import Mutator
        from tests.fuzz.target import check
        from tests.fuzz.targets import TARGETS
    target, corpus = TARGETS[name], CORPUS / name
    mutator = Mutator(target.seeds, target.shape, random.Random())
    corpus.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(target.seeds):
        (corpus / f"seed-{number}").write_bytes(seed)

    def mutated(data: bytes, longest: int, seed: int) -> bytes:
        """Half of the inputs by our own mutator, which knows the shape, half by that of the engine."""
        return mutator.case()[:longest] if seed % 2 else bytes(atheris.Mutate(data, longest))

    atheris.Setup(
        [sys.argv[0], str(corpus), f"-runs={runs}", f"-max_len={LONGEST_INPUT}", f"-artifact_prefix={corpus}/"],
        lambda data: check(target, data),
        custom_mutator=mutated,
    )
    with silence():
        atheris.Fuzz()


if __name__ == "__main__":
    _fuzz(*sys.argv[1:])
