#!/usr/bin/env bash
# Merges base.env, a profile and its local override into .env; the previous .env is kept beside it. The same as `kabobagool profile load`.
#
#   scripts/load-profile.sh crypto
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/find-kabobagool.sh"

if (($# == 0)); then
    echo "usage: scripts/load-profile.sh PROFILE [--to FILE]; the profiles are:" >&2
    "$kabobagool" profile list >&2
    exit 2
fi
exec "$kabobagool" profile load "$@"
