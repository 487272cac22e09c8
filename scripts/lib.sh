# Helpers shared by the scripts in this folder: what to print, what to install, how to build. Sourced, never run.
#
# shellcheck shell=bash disable=SC2034
#
# A script that sources it runs under `set -euo pipefail`, in the C locale, with ROOT set to the project's folder.
set -euo pipefail
export LC_ALL=C

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
LOGS=$ROOT/build/logs
BIN=$ROOT/build/release/bin

# Colours are for people: only on a terminal, and not when NO_COLOR asks for none.
if [[ -t 1 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then
  BOLD=$'\e[1m' DIM=$'\e[2m' GREEN=$'\e[32m' RED=$'\e[31m' PLAIN=$'\e[0m'
else
  BOLD='' DIM='' GREEN='' RED='' PLAIN=''
fi

say() { printf '%s\n' "$*"; }
note() { printf '%s%s%s\n' "$DIM" "$*" "$PLAIN"; }
warn() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# Ends the script with one sentence on stderr. Exit code 1; wrong usage has die_usage and 2.
die() {
  warn "$*"
  exit 1
}

die_usage() {
  warn "$*"
  exit 2
}

# Milliseconds of the wall clock, for durations that a script prints.
now_ms() {
  local t=$EPOCHREALTIME
  printf '%s' $((${t%.*} * 1000 + 10#${t#*.} / 1000))
}

# A duration in seconds as a person reads it: "12 s", "3 min 05 s".
duration() {
  if (($1 < 60)); then printf '%d s' "$1"; else printf '%d min %02d s' $(($1 / 60)) $(($1 % 60)); fi
}

# --- packages -------------------------------------------------------------------------------------------------

# What a release build and its tests need, on Debian 12. The one list: README and scripts refer to it.
PACKAGES=(
  g++ cmake ninja-build          # compiler and build
  libboost1.81-dev               # Asio; Debian's default, 1.74, is too old
  libprotobuf-dev protobuf-compiler
  libleveldb-dev
  libcli11-dev libtomlplusplus-dev nlohmann-json3-dev
  libspdlog-dev libfmt-dev
  libedit-dev                    # quorate shell
  libxxhash-dev
  libgtest-dev librapidcheck-dev # tests
  ccache                         # speed only
)
# Clients of ZooKeeper and ZooKeeper itself, which the tests try and compare with; what programs ask for our library; and a shell
# that completes our commands.
PACKAGES_CLIENTS=(python3-kazoo python3-pure-sasl zookeeper pkgconf zsh)
# What scripts/bench --peers measures beside Quorate.
PACKAGES_PEERS=(zookeeper etcd-server)
# What the fuzzers need beside it; `scripts/test --full` also builds all of it with clang.
PACKAGES_FUZZ=(clang libclang-rt-14-dev)

# Prints those of the given packages that are not installed.
missing_packages() {
  local package
  for package in "$@"; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || printf '%s ' "$package"
  done
}

# Prints the command in front of one that needs root: nothing for root, sudo for others.
need_root_or_sudo() {
  if ((EUID == 0)); then return; fi
  command -v sudo >/dev/null ||
    die "these packages are missing and only root can install them: as root, run: apt-get install $*"
  # With nobody at the keyboard, sudo must not wait for a password.
  if [[ -t 0 ]]; then printf 'sudo'; else printf 'sudo -n'; fi
}

# Installs what is missing of the given packages; prints nothing and touches nothing when all are there.
install_packages() {
  if [[ -n ${QUORATE_NO_INSTALL:-} ]]; then return; fi
  local name='an unknown system' id='' version=''
  if [[ -r /etc/os-release ]]; then
    # shellcheck disable=SC1091
    read -r id version name < <(. /etc/os-release && echo "${ID:-?} ${VERSION_ID:-?} ${PRETTY_NAME:-this system}")
  fi
  [[ $id == debian && $version == 12 ]] ||
    die "packages are installed on Debian 12 only, and this is $name: install the counterparts of" \
      "'scripts/install-deps --list' yourself, then set QUORATE_NO_INSTALL=1."

  local missing log=$LOGS/apt.log start=$SECONDS as_root
  missing=$(missing_packages "$@")
  missing=${missing% }
  if [[ -z $missing ]]; then return; fi
  as_root=$(need_root_or_sudo "$missing") || exit 1
  mkdir -p "$LOGS"
  say "Installing $(wc -w <<<"$missing") packages: $missing"
  # A list of packages that cannot be fetched matters only if the packages cannot be installed either.
  # shellcheck disable=SC2086
  $as_root apt-get update >"$log" 2>&1 </dev/null || true
  # shellcheck disable=SC2086
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
    -o DPkg::Lock::Timeout=120 $missing >>"$log" 2>&1 </dev/null ||
    die "apt-get could not install the packages$(apt_reason "$log"); the whole story is in $log."
  note "installed in $(duration $((SECONDS - start)))"
}

# The likely reason of a failed apt-get, from its output.
apt_reason() {
  if grep -qE 'Could not resolve|Temporary failure resolving|Could not connect|Network is unreachable' "$1"; then
    printf ' because the package mirror cannot be reached (is there a network?)'
  elif grep -qE 'No space left|enough free space' "$1"; then
    printf ' because the disk is full'
  elif grep -qE 'password is required|not in the sudoers|no new privileges' "$1"; then
    printf ' because sudo does not let this user run it'
  elif grep -qE 'Could not get lock' "$1"; then
    printf ' because another program is installing packages'
  elif grep -q 'Unable to locate package' "$1"; then
    printf ' because its sources do not know them (are the lists of Debian 12 reachable?)'
  fi
}

# --- building -------------------------------------------------------------------------------------------------

# Fails with a sentence unless the tools of a build are there.
need_build_tools() {
  local compiler=${CXX:-g++}
  command -v "${compiler%% *}" >/dev/null ||
    die "the compiler '$compiler' is not installed: install g++ 12, or set CXX to a compiler that is there."
  command -v cmake >/dev/null || die "cmake is not installed: run scripts/install-deps."
  command -v ninja >/dev/null || die "ninja is not installed: run scripts/install-deps."
}

# is_ours FOLDER: it is configured, and for this checkout. In one that was copied or moved together with its build/, every path in
# there still leads to the original: that would be built, and tested.
is_ours() {
  local source folder
  [[ -f $1/build.ninja && -f $1/CMakeCache.txt ]] || return 1
  source=$(sed -n 's/^CMAKE_HOME_DIRECTORY:INTERNAL=//p' "$1/CMakeCache.txt")
  folder=$(sed -n 's/^CMAKE_CACHEFILE_DIR:INTERNAL=//p' "$1/CMakeCache.txt")
  if [[ $source -ef $ROOT && $folder -ef $1 ]]; then return; fi
  note "$1 was configured in $source: configuring it anew"
  return 1
}

# build_preset PRESET [TARGET...]: configures once and builds, with ccache where there is one (CMake finds it).
# On a terminal ninja shows its progress; elsewhere only the end of a failed build is printed.
build_preset() {
  local preset=$1 start=$SECONDS log=$LOGS/build-$1.log
  shift
  need_build_tools
  mkdir -p "$LOGS"
  cd "$ROOT"
  if ! is_ours "build/$preset"; then
    cmake --fresh --preset "$preset" >"$log" 2>&1 || {
      tail -n 15 "$log" >&2
      die "CMake could not configure the preset '$preset'; its output is in $log."
    }
  fi
  say "Building ${*:-everything} (preset $preset)"
  if [[ -t 1 ]]; then
    ninja -C "build/$preset" -j "$(nproc)" "$@" || die "the build failed; the compiler's words are above."
  else
    ninja -C "build/$preset" -j "$(nproc)" "$@" >"$log" 2>&1 || {
      grep -vE '^\[[0-9]+/[0-9]+\]' "$log" | tail -n 40 >&2 || true
      die "the build failed; the compiler's words are above and in $log."
    }
  fi
  note "built in $(duration $((SECONDS - start)))"
}
