# shellcheck shell=bash
# What the scripts of this folder share: messages, steps, Debian packages, the virtual environment,
# building. Sourced, never run.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VENV=$ROOT/.venv
# Debian's own tools first: what stands before them in PATH on some machine (shims of a version
# manager, a newer CMake) is not what this tree is tested with.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin:$PATH
export LC_ALL=C.UTF-8

if [[ -t 2 && -z ${NO_COLOR:-} ]]; then
  BOLD=$'\e[1m' RED=$'\e[31m' PLAIN=$'\e[0m'
else
  BOLD='' RED='' PLAIN=''
fi

say() { printf '%s\n' "$*" >&2; }
heading() { printf '%s== %s%s\n' "$BOLD" "$*" "$PLAIN" >&2; }

# fail MESSAGE [WHAT TO DO]...
fail() {
  printf '%s%s: %s%s\n' "$RED" "${0##*/}" "$1" "$PLAIN" >&2
  shift
  (($# == 0)) || printf '  %s\n' "$@" >&2
  exit 1
}

# shellcheck disable=SC2034  # the scripts that source this use them
# Debian packages: to build the library, the command, the examples, tests and benches …
BUILD_PACKAGES=(
  g++ cmake ninja-build pkg-config
  libhwy-dev libroaring-dev libtbb-dev nlohmann-json3-dev libcli11-dev
  libgtest-dev libgmock-dev libbenchmark-dev liburing-dev
)
# shellcheck disable=SC2034
# … and to run everything that scripts/test runs.
TEST_PACKAGES=(
  clang-14 clang-format-14 clang-tidy-14 libclang-rt-14-dev llvm-14
  python3 python3-dev python3-venv git shellcheck strace procps xfsprogs e2fsprogs
)
# shellcheck disable=SC2034
# … and for the comparison with peers (scripts/bench search --peers).
PEER_PACKAGES=(python3-dev libopenblas0-pthread)

# shellcheck disable=SC2034
# What scripts/test_arm needs besides: a compiler for 64-bit Arm, and a processor.
ARM_PACKAGES=(g++-12-aarch64-linux-gnu qemu-user)

# shellcheck disable=SC2034
# What scripts/test_avx512 needs besides: a processor, and what makes a disc that boots.
AVX512_PACKAGES=(
  bochs bochs-sdl bochsbios vgabios isolinux syslinux-common xorriso busybox-static cpio binutils
)

missing_packages() {
  local package
  local -A installed=()
  while IFS=$'\t' read -r status package; do
    [[ $status == ii* ]] && installed[${package%%:*}]=1
  done < <(dpkg-query -W -f '${db:Status-Abbrev}\t${binary:Package}\n' "$@" 2>/dev/null || true)
  for package in "$@"; do
    [[ -n ${installed[$package]:-} ]] || printf '%s\n' "$package"
  done
}

# Runs a command as root: directly, or through sudo where that asks nothing or may ask a person.
as_root() {
  if ((EUID == 0)); then
    "$@"
  elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [[ -t 0 ]]; }; then
    sudo -- "$@"
  else
    return 126
  fi
}

# apt-get that asks nothing, waits for another apt or dpkg, and tries again what the network lost.
apt_get() {
  local try
  for try in 1 2 3; do
    as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a apt-get -q -y \
      -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 "$@" >&2 && return 0
    ((try == 3)) || { say "apt-get $1 failed, again in $((try * 5)) s"; sleep $((try * 5)); }
  done
  return 1
}

# ensure_packages NAME...: installs those that are missing; without any, it needs no network.
ensure_packages() {
  command -v dpkg-query >/dev/null || fail "this is not a Debian machine (there is no dpkg-query)" \
    "The scripts are for Debian 12. Elsewhere install the equivalents of these packages:" "$*" \
    "and build with: cmake --preset release && cmake --build --preset release"
  local -a missing
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  heading "Installing Debian packages: ${missing[*]}"
  if ((EUID != 0)) && ! as_root true; then
    fail "Debian packages are missing, and installing them needs root or sudo" \
      "Run as root, once: apt-get install ${missing[*]}" "then run this again."
  fi
  apt_get update || say "apt-get update failed; trying with the package lists that are here"
  apt_get install --no-install-recommends "${missing[@]}" || fail \
    "apt-get could not install: ${missing[*]}" \
    "Its own message is above. Most often the network or the package sources are the reason;" \
    "'apt-get update && apt-get install ${missing[*]}' as root shows the same."
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]} == 0)) || fail "still missing after apt-get install: ${missing[*]}"
}

# ensure_venv: .venv with exactly what scripts/requirements.txt names; made once.
ensure_venv() {
  local requirements=$ROOT/scripts/requirements.txt
  local stamp=$VENV/requirements.installed
  if [[ -x $VENV/bin/python ]] && cmp -s "$requirements" "$stamp"; then return 0; fi
  heading "Making .venv with the Python packages of scripts/requirements.txt"
  rm -rf "$VENV"
  python3 -m venv "$VENV" || fail "python3 -m venv .venv failed" "Its own message is above."
  "$VENV/bin/python" -m pip install --quiet --disable-pip-version-check --retries 5 \
    -r "$requirements" >&2 || fail "pip could not install scripts/requirements.txt" \
    "Its own message is above. Most often the network is the reason; run this again."
  cp "$requirements" "$stamp"
}

# build PRESET [TARGET]...: configures if it was not, and builds. With ccache if it is there.
build() {
  local preset=$1
  shift
  local -a targets=() options=()
  (($# == 0)) || targets=(--target "$@")
  if command -v ccache >/dev/null; then
    options+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
    # Without this it keeps nothing that was compiled with precompiled headers.
    export CCACHE_SLOPPINESS=${CCACHE_SLOPPINESS:-pch_defines,time_macros}
  fi
  # Again after .venv was made: it decides whether there is a Python package to build.
  if [[ ! -f $ROOT/build/$preset/build.ninja ||
    $VENV/requirements.installed -nt $ROOT/build/$preset/build.ninja ]]; then
    (cd "$ROOT" && cmake --preset "$preset" "${options[@]}") >&2 ||
      fail "cmake could not configure '$preset'" \
        "Its own message is above; 'rm -rf build/$preset' starts from nothing."
  fi
  cmake --build "$ROOT/build/$preset" --parallel "${NPK_JOBS:-$(nproc)}" "${targets[@]}" >&2 ||
    fail "building '$preset' failed" "The compiler's message is above."
}

# instrumented_tests [CTEST OPTION]...: tests of the build with sanitizers and counters (preset
# asan). A part of the randomised work that the optimised build does in full, and without the arrays
# beyond 4 GiB and the bounds of memory: this run is there to look at each line.
PROFILES=$ROOT/build/asan/profiles
instrumented_tests() {
  cd "$ROOT" || return
  rm -rf "$PROFILES"
  NPK_STRESS_SECONDS=10 NPK_KILLS=100 NPK_SIM_PERCENT=1 NPK_MODEL_OPS=20000 \
    NPK_ROARING_ROUNDS=40 NPK_EXACTNESS_SETS=20000 NPK_SEARCH_PERCENT=20 \
    LLVM_PROFILE_FILE=$PROFILES/%2m.profraw \
    ctest --preset asan --exclude-regex 'BeyondFourGiB|NeedAtMost64MiB' --parallel "${NPK_JOBS:-$(nproc)}" \
    --no-tests=error "$@"
}

# What scripts/test and scripts/test_nightly are made of: parts that all run, also after one has
# failed. Their output is in LOGS; PART_VERBOSE shows it.
LOGS=$ROOT/build/logs
PART_VERBOSE=''
declare -a PART_NAMES=() PART_RESULTS=() PART_DURATIONS=()

# part NAME COMMAND...: runs it, keeps its output and its result; shows the end of what failed.
part() {
  local name=$1 start=$SECONDS log=$LOGS/${1// /-}.log code=0
  shift
  mkdir -p "$LOGS"
  printf '%s== %-16s%s' "$BOLD" "$name" "$PLAIN"
  if [[ -n $PART_VERBOSE ]]; then
    echo
    # Not in a condition: there `set -e` would be off inside "$@".
    set +e
    (set -e; "$@") 2>&1 | tee "$log"
    code=${PIPESTATUS[0]}
    set -e
  else
    set +e
    (set -e; "$@") >"$log" 2>&1
    code=$?
    set -e
  fi
  PART_NAMES+=("$name")
  PART_RESULTS+=("$code")
  PART_DURATIONS+=($((SECONDS - start)))
  if ((code == 0)); then
    printf ' ok      %4d s\n' $((SECONDS - start))
  else
    printf ' %sFAILED%s  %4d s, exit code %d; the end of %s:\n' "$RED" "$PLAIN" \
      $((SECONDS - start)) "$code" "${log#"$ROOT"/}"
    [[ -n $PART_VERBOSE ]] || tail -n 60 "$log" | sed 's/^/    /'
  fi
  return 0
}

# report_parts: a line for each; returns how many have failed.
report_parts() {
  local i result failures=0
  echo "parts:"
  for i in "${!PART_NAMES[@]}"; do
    if ((PART_RESULTS[i] == 0)); then result=ok; else result=FAILED failures=$((failures + 1)); fi
    printf '  %-16s %-7s %5d s\n' "${PART_NAMES[i]}" "$result" "${PART_DURATIONS[i]}"
  done
  return "$failures"
}

# check_each LOGS CONFIGURATION...: `check` with the words of each, an emulated processor, as many
# at a time as there are processors; all of them, also after one has failed.
check_each() {
  local logs=$1 configuration failures=0 running=0
  shift
  for configuration in "$@"; do
    if ((running >= ${NPK_JOBS:-$(nproc)})); then
      wait -n || failures=$((failures + 1))
      running=$((running - 1))
    fi
    # shellcheck disable=SC2086  # several words
    check $configuration &
    running=$((running + 1))
  done
  for ((; running > 0; running--)); do wait -n || failures=$((failures + 1)); done
  ((failures == 0)) || fail "$failures of $# processors FAILED" "Their output is in $logs."
  say "$# processors, nothing failed"
}
