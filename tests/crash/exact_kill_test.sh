#!/usr/bin/env bash
# exact_kill_test.sh NPK DURABILITY: kill -9 at every system call that can change anything.
#
# In a run for each of them, strace kills the worker as it enters the call; then every operation
# that it had acknowledged must be there, and the one under way whole or not at all. Calls that
# change nothing are left out: to be killed at one is to be killed at the next that does. Ends with
# code 77, and says so, where ptrace is forbidden.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=worker.sh
source "$(dirname "$0")/worker.sh"

names=openat,creat,mkdir,mkdirat,write,pwrite64,writev,pwritev,pwritev2,copy_file_range,sendfile
names+=,fallocate,ftruncate,truncate,fsync,fdatasync,sync_file_range,syncfs,msync,io_uring_enter
names+=,rename,renameat,renameat2,link,linkat,unlink,unlinkat,rmdir,fcntl,mmap,munmap,close
names+=,exit_group

stops=$(calls_of $names) || exit $?
failed=0 count=0
while read -r name ordinal; do
  code=0
  run_with "$name:signal=KILL:when=$ordinal" || code=$?
  count=$((count + 1))
  if ((code != 128 + 9)); then
    echo "the worker was not killed, it ended with code $code" >"$work/said"
  elif check "$(acknowledged)"; then
    continue
  fi
  echo "killed at $name $ordinal, $(acknowledged) acknowledged: $(cat "$work/said")"
  failed=$((failed + 1))
done <<<"$stops"
echo "NPK_COUNT exact kills $count"
((failed == 0 && count > 100))
