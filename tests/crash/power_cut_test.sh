#!/usr/bin/env bash
# power_cut_test.sh NPK [SAMPLES]: real power cuts of a real file system, without special hardware.
#
# A store in durability `power` lies on an inner file system (ext4, then XFS) in an image file on an
# outer XFS. A reflink copy of that image is made at random instants: it holds what the inner file
# system had given to its disk by then, as after a power cut. The copy is mounted, which replays the
# journal, and looked at as after a reboot: with another boot id, for in the same boot the store
# trusts what the page cache held. It must hold every operation that was acknowledged before the
# copy began, and be in one of the states that it went through until the copy was done. The same
# with durability `process` is the control: there operations must be missing, or nothing was shown.
#
# SAMPLES (default NPK_POWER_SAMPLES, else 20) are taken of each inner file system. Needs root,
# loop devices, XFS in the kernel, mkfs.xfs and mkfs.ext4; without them it says which is missing and
# ends with code 77, which ctest reports as "Skipped". NPK_SEED repeats the operations.
set -euo pipefail

npk=$(realpath "$1")
samples=${2:-${NPK_POWER_SAMPLES:-20}}
export PATH=/usr/sbin:/sbin:$PATH

cannot() {
  echo "power cuts cannot be tried here: $*" >&2
  exit 77
}

if [[ -z ${NPK_POWER_PRIVATE:-} ]]; then
  ((EUID == 0)) || cannot "it needs root (mounts and loop devices)"
  for tool in mkfs.xfs mkfs.ext4 losetup mount unshare; do
    command -v "$tool" >/dev/null || cannot "there is no $tool (Debian: xfsprogs, e2fsprogs, mount)"
  done
  for kind in xfs ext4; do
    grep -qw "$kind" /proc/filesystems || modprobe "$kind" 2>/dev/null ||
      cannot "this kernel has no $kind"
  done
  losetup --find >/dev/null 2>&1 || cannot "there is no free loop device"
  # Mounts of our own: nobody else sees them, and they go when we go.
  NPK_POWER_PRIVATE=1 exec unshare --mount --propagation private "$0" "$npk" "$samples"
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/npk-power-XXXXXX")
worker=''
# shellcheck disable=SC2317  # the trap calls it
finish() {
  [[ -z $worker ]] || kill -9 "$worker" 2>/dev/null || true
  wait 2>/dev/null || true
  umount "$work/cut" 2>/dev/null || true
  umount "$work/inner" 2>/dev/null || true
  umount "$work/outer" 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT
mkdir "$work/outer" "$work/inner" "$work/cut"
truncate -s 8G "$work/outer.img"
mkfs.xfs -q -m reflink=1 "$work/outer.img"
mount -o loop "$work/outer.img" "$work/outer" || cannot "an image cannot be mounted by loop"

seed=${NPK_SEED:-$RANDOM$RANDOM}
echo "NPK_SEED=$seed"

# acknowledged: how many operations the worker has acknowledged; 10 bytes come before the first.
acknowledged() {
  local bytes
  bytes=$(stat -c %s "$work/messages")
  echo $((bytes > 10 ? bytes - 10 : 0))
}

start_worker() { # DURABILITY (1 process, 2 power) LOG_BYTES
  seed=$((seed + 1))
  rm -rf "$work/inner/"*.npk
  : >"$work/messages"
  # The hash is that of an empty store.
  "$npk" --npk-worker kill "$work/inner/s$seed.npk" "$1" "$2" 0 "$seed" 1000000000 \
    14695981039346656037 14695981039346656037 >"$work/messages" &
  worker=$!
  while (($(acknowledged) < 20)); do
    kill -0 "$worker" || {
      echo "the worker ended: $(tr -d '\0' <"$work/messages")" >&2
      exit 1
    }
    sleep 0.01
  done
}

stop_worker() {
  kill -9 "$worker"
  wait "$worker" 2>/dev/null || true
  worker=''
}

# cut_power OPTIONS: one sample. Its code is the checker's, whose words are in the file `said`.
cut_power() {
  local before after code=0
  sleep "0.$(printf %03d $((RANDOM % 300)))"
  before=$(acknowledged)
  cp --reflink=always "$work/outer/inner.img" "$work/outer/cut.img"
  after=$(acknowledged)
  total=$after
  mount -o "loop$1" "$work/outer/cut.img" "$work/cut"
  cat /proc/sys/kernel/random/uuid >"$work/boot_id"
  # shellcheck disable=SC2016  # the inner shell expands it
  unshare --mount sh -c 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"' \
    "$work/boot_id" "$npk" --npk-worker check "$work/cut/s$seed.npk" "$seed" "$before" "$after" \
    >"$work/said" || code=$?
  umount "$work/cut"
  rm "$work/outer/cut.img"
  return $code
}

# try_filesystem KIND MKFS OPTIONS
try_filesystem() {
  local kind=$1 make=$2 options=$3 sample failed=0 operations=0 control=0
  rm -f "$work/outer/inner.img"
  truncate -s 400M "$work/outer/inner.img"
  $make "$work/outer/inner.img"
  mount -o loop "$work/outer/inner.img" "$work/inner"
  for ((sample = 0; sample < samples; sample++)); do
    if ((sample % 20 == 0)); then
      [[ -z $worker ]] || stop_worker
      start_worker 2 $((sample % 40 == 0 ? 1 << 16 : 1 << 20))
      total=0
    fi
    local seen=$total
    if ! cut_power "$options"; then
      failed=$((failed + 1))
      echo "$kind, sample $sample, seed $seed: $(cat "$work/said")"
    fi
    operations=$((operations + total - seen))
  done
  stop_worker
  start_worker 1 $((1 << 24)) # A log this long is not folded away, with syncs, all the time.
  # Checkpoints sync now and then: it may take some cuts to find one that hurts.
  for ((sample = 0; sample < 50 && control == 0; sample++)); do
    cut_power "$options" || control=$((control + 1))
  done
  stop_worker
  umount "$work/inner"
  echo "$kind: $samples power cuts, $operations operations acknowledged, $failed samples with" \
    "something lost or torn; control without syncs: $control of $sample lost something"
  echo "NPK_COUNT power cuts ($kind) $samples"
  ((failed == 0 && control > 0))
}

code=0
try_filesystem ext4 "mkfs.ext4 -q -F" "" || code=1
try_filesystem xfs "mkfs.xfs -q" ",nouuid" || code=1
exit $code
