#!/usr/bin/env bash
# build_consumer.sh WAY PREFIX WORK_DIR: builds consumer/ against the tree installed in PREFIX and
# runs it. WAY is cmake-static, cmake-shared, pkgconfig-static or pkgconfig-shared.
set -euo pipefail
way=$1
prefix=$2
work_dir=$3
source_dir=$(cd "$(dirname "$0")/consumer" && pwd)

rm -rf "$work_dir"
mkdir -p "$work_dir"
pc_file=$(find "$prefix" -name npk.pc -print -quit)
export PKG_CONFIG_PATH=${pc_file%/*}
cxx=${CXX:-g++}

case $way in
  cmake-*)
    "${CMAKE:-cmake}" -S "$source_dir" -B "$work_dir" -G Ninja -DCMAKE_BUILD_TYPE=Release \
      -DCMAKE_PREFIX_PATH="$prefix" -DNPK_CONSUMER_COMPONENT="${way#cmake-}"
    "${CMAKE:-cmake}" --build "$work_dir"
    ;;
  pkgconfig-shared)
    # shellcheck disable=SC2046  # pkg-config prints words
    "$cxx" -std=c++20 -O1 -o "$work_dir/consumer" "$source_dir/consumer.cc" \
      $(pkg-config --cflags --libs npk)
    export LD_LIBRARY_PATH=${pc_file%/pkgconfig/npk.pc}
    ;;
  pkgconfig-static)
    libs=$(pkg-config --static --libs npk)
    # shellcheck disable=SC2046,SC2086  # pkg-config prints words
    "$cxx" -std=c++20 -O1 -o "$work_dir/consumer" "$source_dir/consumer.cc" \
      $(pkg-config --cflags npk) ${libs/-lnpk/-l:libnpk.a}
    ;;
  *)
    echo "unknown way: $way" >&2
    exit 2
    ;;
esac

# The static consumer must not need libnpk.so, the shared one must.
if [[ $(ldd "$work_dir/consumer") == *libnpk.so* ]]; then linked=shared; else linked=static; fi
if [[ $linked != "${way#*-}" ]]; then
  echo "$way: the consumer is linked with the $linked library" >&2
  exit 1
fi
"$work_dir/consumer" "$work_dir/points.npk"
