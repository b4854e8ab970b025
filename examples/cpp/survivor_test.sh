#!/usr/bin/env bash
# survivor_test.sh SURVIVOR STORE: kills the writer three times, and counts after each.
set -euo pipefail
survivor=$1
store=$2
acknowledged=$store.acknowledged

rm -rf "$store"
for seconds in 0.3 0.5 0.7; do
  "$survivor" write "$store" >"$acknowledged" &
  writer=$!
  sleep "$seconds"
  kill -9 "$writer"
  wait "$writer" 2>/dev/null || true # 137: killed, as it should be
  # Whole lines only: one that the kill cut off acknowledges nothing.
  lines=$(wc -l <"$acknowledged")
  if ((lines == 0)); then
    echo "the writer acknowledged nothing in $seconds s" >&2
    exit 1
  fi
  "$survivor" check "$store" "$(sed -n "${lines}p" "$acknowledged")"
done
