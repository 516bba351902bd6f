#!/usr/bin/env bash
# Starts a paper exchange with made-up markets and the fleet on it: no key, no money, no internet. Ctrl-C ends both.
#
#   scripts/run-local.sh [hydra-test] [options of `kabobagool hydra`]
#
# PAPER_PORT is the port of the paper exchange (8899; 0 takes any free one), PAPER_MARKETS how many markets it makes (4), PAPER_MINUTES how
# long they last (60). Nothing but these addresses is changed about the profile.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/find-kabobagool.sh"

profile=hydra-test
if [[ $# -gt 0 && $1 != -* ]]; then
    profile="$1"
    shift
fi
if [[ $profile != hydra-test && $profile != test ]]; then
    echo "profile $profile is not for the paper exchange: use hydra-test or test here, and kabobagool hydra --profile $profile for the rest" >&2
    exit 2
fi

folder="$(mktemp -d "${TMPDIR:-/tmp}/kabobagool-local.XXXXXX")"
paper=""
hydra=""
finish() {
    if [[ -n $paper ]]; then
        kill -TERM "$paper" 2>/dev/null || true
        wait "$paper" 2>/dev/null || true
    fi
    rm -rf "$folder"
}
trap finish EXIT

# Each in a process group of its own: Ctrl-C reaches this script alone, which passes it on once, and the exchange outlives the fleet.
echo "making the books of the paper exchange, about ten seconds ..." >&2
set -m
"$kabobagool" paper-exchange --port "${PAPER_PORT:-8899}" --books synthetic --markets "${PAPER_MARKETS:-4}" --inject 60 \
    --duration-ms "$((${PAPER_MINUTES:-60} * 60000))" >"$folder/addresses.json" &
paper=$!
# The exchange prints its addresses in one line once it answers.
until [[ -s $folder/addresses.json ]]; do
    if ! kill -0 "$paper" 2>/dev/null; then
        status=0
        wait "$paper" || status=$?
        paper=""
        echo "the paper exchange ended before it was ready (status $status)" >&2
        exit 1
    fi
    sleep 0.1
done
address() {
    sed -E "s/.*\"$1\": \"([^\"]*)\".*/\1/" "$folder/addresses.json"
}
HOST="$(address clob)"
GAMMA_HOST="$(address gamma)"
MARKET_SOCKET_URL="$(address market_socket)"
export HOST GAMMA_HOST MARKET_SOCKET_URL

"$kabobagool" hydra --profile "$profile" "$@" &
hydra=$!
trap 'kill -TERM "$hydra" 2>/dev/null || true' HUP INT TERM
status=0
wait "$hydra" || status=$?
# A signal ends `wait` early; the fleet then still has hedges to finish.
while kill -0 "$hydra" 2>/dev/null; do
    status=0
    wait "$hydra" || status=$?
done
exit "$status"
