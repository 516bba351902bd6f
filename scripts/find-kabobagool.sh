# Sourced by the scripts beside it: goes to the folder that holds them and finds the program they are spellings of.
#
# Sets `kabobagool` to the program: the one of the checkout's .venv, else the one on PATH.

CDPATH="" cd "$(dirname "${BASH_SOURCE[0]}")/.."
kabobagool="$PWD/.venv/bin/kabobagool"
if [[ ! -x $kabobagool ]] && ! kabobagool="$(command -v kabobagool)"; then
    echo "kabobagool is not installed: run 'make install' in $PWD, or pip install 'kabobagool[bot,paper,cli]'" >&2
    exit 1
fi
