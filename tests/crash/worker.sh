# shellcheck shell=bash disable=SC2034  # the scripts that source this use them
# What the tests of this folder share: a worker that carries out twelve operations, one of each
# kind, on a new store and closes it; and the checker. Sourced with the arguments NPK DURABILITY.
set -euo pipefail
npk=$(realpath "$1")
durability=$2
declare -A modes=([none]=0 [process]=1 [power]=2)

work=$(mktemp -d "${TMPDIR:-/tmp}/npk-crash-XXXXXX")
trap 'rm -rf "$work"' EXIT
export LC_ALL=C
seed=1
# The hash is that of an empty store.
worker=("$npk" --npk-worker kill "$work/s.npk" "${modes[$durability]}" 65536 0 "$seed" 12
  14695981039346656037 14695981039346656037 every-kind)

# calls_of NAMES: what the worker calls of these when nothing disturbs it, as lines "NAME ORDINAL",
# from its first word on: before that it is the loader that works. strace counts the calls of each
# name by themselves. Ends the test where ptrace is forbidden.
calls_of() {
  if ! strace -f -qq -o /dev/null true 2>"$work/said"; then
    echo "strace failed, is ptrace forbidden here? $(cat "$work/said")" >&2
    return 77
  fi
  strace -f -qq -o "$work/calls" -e trace="$1" "${worker[@]}" >"$work/messages" || true
  if [[ $(tail -c 1 "$work/messages") != c ]] || ! check 12; then
    echo "undisturbed it is wrong already: $(tr -d '\0' <"$work/messages"; cat "$work/said")" >&2
    return 1
  fi
  awk '{ sub(/^[0-9]+ +/, ""); name = $0; sub(/\(.*/, "", name); count[name]++ }
    /^write\(1, "o"/ { has_begun = 1 }
    has_begun { print name, count[name] }' "$work/calls"
}

# run_with FAULT: the worker on a new store, with what strace is to inject; returns its exit code.
run_with() {
  rm -rf "$work/s.npk"
  { strace -f -qq -o /dev/null -e inject="$1" "${worker[@]}" >"$work/messages"; } 2>/dev/null
}

# acknowledged: how many operations. Ten bytes come before the first, an error may come at the end.
acknowledged() {
  if [[ $(head -c 2 "$work/messages") == oO ]]; then
    tail -c +11 "$work/messages" | tr '\n' ' ' | sed 's/E.*//' | tr -cd a | wc -c
  else
    echo 0
  fi
}

# check ACKNOWLEDGED: is it all there? In durability none an operation may be there in part, but
# there is a store. Says why not in the file `said`.
check() {
  "$npk" --npk-worker check "$work/s.npk" $seed "$1" "$1" every-kind >"$work/said" && return 0
  [[ $durability == none ]] && grep -q '^torn' "$work/said"
}
