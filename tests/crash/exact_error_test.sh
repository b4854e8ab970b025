#!/usr/bin/env bash
# exact_error_test.sh NPK DURABILITY: every system call that changes something fails once.
#
# In a run for each call and each error, strace lets the call fail; the worker then ends with an
# error, or goes on if the call did not matter, and what it had acknowledged must be there. An
# interrupted open, write or reservation is repeated, so that nobody notices it. Ends with code 77,
# and says so, where ptrace is forbidden.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=worker.sh
source "$(dirname "$0")/worker.sh"

names=openat,mkdir,pwrite64,pwritev,copy_file_range,fallocate,ftruncate,fsync,fdatasync,syncfs
names+=,rename,unlink
repeated=' openat pwrite64 pwritev copy_file_range fallocate '

# The worker's first word is no call of these; it is there to tell where the loader ends.
stops=$(calls_of "write,$names" | grep -v '^write') || exit $?
failed=0 count=0
while read -r name ordinal; do
  for error in EIO ENOSPC EDQUOT EINTR; do
    code=0
    run_with "$name:error=$error:when=$ordinal" || code=$?
    count=$((count + 1))
    if [[ $error == EINTR && $repeated == *" $name "* ]] && ((code != 0)); then
      tr -d '\0' <"$work/messages" >"$work/said"
    elif ((code > 1)); then
      echo "the worker ended with code $code" >"$work/said"
    elif check "$(acknowledged)"; then
      continue
    fi
    echo "$name $ordinal failed with $error, $(acknowledged) acknowledged: $(cat "$work/said")"
    failed=$((failed + 1))
  done
done <<<"$stops"
echo "NPK_COUNT exact errors $count"
((failed == 0 && count > 200))
