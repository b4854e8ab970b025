#!/usr/bin/env bash
# install_tree.sh BUILD_DIR PREFIX: installs the build into an empty PREFIX and looks at it.
set -euo pipefail
build_dir=$1
prefix=$2

rm -rf "$prefix"
"${CMAKE:-cmake}" --install "$build_dir" --prefix "$prefix" >/dev/null

for file in bin/npk include/npk/npk.h lib/libnpk.a lib/libnpk.so lib/cmake/npk/npk-config.cmake \
  lib/cmake/npk/npk-config-version.cmake lib/pkgconfig/npk.pc share/doc/npk/LICENSE; do
  # Below lib there may be a folder for the architecture.
  if [[ -z $(find "$prefix/${file%%/*}" -path "*/${file#*/}" -print -quit) ]]; then
    echo "not installed: $file" >&2
    exit 1
  fi
done
# An installed file that names the build's own folder would break on another machine.
if grep -rIlF "$build_dir" "$prefix"; then
  echo "the files above name the build folder $build_dir" >&2
  exit 1
fi
"$prefix/bin/npk" --version
