#!/usr/bin/env bash
# Loads another profile into .env and tells what that changes. The same as `kabobagool profile switch`.
#
#   scripts/switch-profile.sh conservative
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/find-kabobagool.sh"

if (($# == 0)); then
    echo "usage: scripts/switch-profile.sh PROFILE [--to FILE]; the profiles are:" >&2
    "$kabobagool" profile list >&2
    exit 2
fi
exec "$kabobagool" profile switch "$@"
