#!/usr/bin/env bash
# import_test.sh NPK: an import into a new store is killed at each system call that changes
# something, and each of these fails once.
#
# Killed or refused, there is no store or a whole one; what a killed import leaves beside its place
# is removed by the next one there, but not what a living one has; and no failed sync leaves a store
# behind. Ends with code 77, and says so, where ptrace is forbidden.
set -euo pipefail
npk=$(realpath "$1")
work=$(mktemp -d "${TMPDIR:-/tmp}/npk-crash-XXXXXX")
trap 'rm -rf "$work"' EXIT
export LC_ALL=C
cd "$work"
if ! strace -f -qq -o /dev/null true 2>said; then
  echo "strace failed, is ptrace forbidden here? $(cat said)" >&2
  exit 77
fi

printf '1 2\n3 4\n5 6\n' >a.txt
printf '7\n8\n' >b.txt
mkdir place
import=("$npk" import ../a.txt s.npk --name a --durability power)
cd place

# run_with FAULT: the import, with what strace is to inject; its exit code is in $code.
run_with() {
  rm -rf ./* .npk-*
  code=0
  { strace -f -qq -o /dev/null -e inject="$1" "${import[@]}" >../said 2>&1; } 2>/dev/null || code=$?
}

# is_whole: the store is there with all that was imported.
is_whole() {
  "$npk" verify s.npk >../said 2>&1 && "$npk" export s.npk a ../out.npy --overwrite >../said 2>&1 &&
    cmp -s ../out.npy ../expected.npy
}

failed=0 count=0
# say WHAT: what was wrong.
say() {
  echo "$1: $(cat ../said); there is: $(ls -A)"
  failed=$((failed + 1))
}

# Until the file is read it is the loader that works.
names=openat,mkdir,pwrite64,pwritev,fallocate,ftruncate,fsync,fdatasync,syncfs,rename,unlink,fcntl
names+=,mmap,close
strace -f -qq -o ../calls -e trace="$names" "${import[@]}" >../said 2>&1
"$npk" export s.npk a ../expected.npy >../said 2>&1
stops=$(awk '{ sub(/^[0-9]+ +/, ""); name = $0; sub(/\(.*/, "", name); count[name]++ }
  /a\.txt/ { has_begun = 1 } has_begun { print name, count[name] }' ../calls)
while read -r name ordinal; do
  run_with "$name:signal=KILL:when=$ordinal"
  count=$((count + 1))
  ((code == 128 + 9)) || say "not killed at $name $ordinal, but ended with $code"
  [[ ! -e s.npk ]] || is_whole || say "killed at $name $ordinal, and there is no whole store"
  "$npk" import ../b.txt other.npk >../said 2>&1
  [[ -z $(find . -name '.npk-*') ]] || say "killed at $name $ordinal, and it was not cleared away"
  [[ $name != mmap && $name != close ]] || continue
  run_with "$name:error=EIO:when=$ordinal"
  if ((code == 0)); then
    is_whole || say "$name $ordinal failed, nobody noticed, and there is no whole store"
  elif [[ -e s.npk ]]; then
    [[ $name != *sync* ]] || say "$name $ordinal failed, and there is a store"
    is_whole || say "$name $ordinal failed, and there is no whole store"
  fi
  [[ -z $(find . -name '.npk-*') ]] || say "$name $ordinal failed, and it was not cleared away"
done <<<"$stops"

# An import that is still at work keeps what it has; what a killed export left is removed, too.
rm -rf ./*
slowly=(strace -f -qq -o /dev/null -e inject=rename:delay_enter=1000000:when=1)
{ "${slowly[@]}" "${import[@]}"; } 2>/dev/null &
for ((i = 0; i < 500; ++i)); do
  if compgen -G '.npk-*/STORE.tmp' >../said; then break; fi
  sleep 0.01
done
"$npk" import ../b.txt other.npk >../said 2>&1
[[ -n $(find . -name '.npk-*') ]] || say "taken away from an import that is at work"
wait $! || say "disturbed while it was at work"
is_whole || say "disturbed while it was at work, and there is no whole store"
kill_export=(strace -f -qq -o /dev/null -e inject=rename:signal=KILL:when=1)
{ "${kill_export[@]}" "$npk" export s.npk a killed.npy >../said 2>&1; } 2>/dev/null || true
[[ -n $(find . -name '.npk-*') ]] || say "an export was not killed"
"$npk" export s.npk a next.npy >../said 2>&1
[[ -z $(find . -name '.npk-*') ]] || say "what a killed export left was not cleared away"
echo "NPK_COUNT exact kills $count"
((failed == 0 && count > 50))
