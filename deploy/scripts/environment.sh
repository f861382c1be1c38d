# Sourced by the scripts beside it: where the source tree is, and our own Node first on PATH.
# shellcheck shell=sh
set -eu
SOURCE=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
cd "$SOURCE"
# shellcheck disable=SC2034 # for set-up, which looks for an npm of the machine
SYSTEM_PATH=$PATH
PATH=$SOURCE/node_modules/.bin:$PATH
export PATH

# hash_of FILE...: one line that changes when any of the files' names or contents does.
hash_of() {
  sha256sum -- "$@" | sha256sum | cut -d ' ' -f 1
}

# is_current STAMP HASH: the stamp holds this hash.
is_current() {
  [ -f "$1" ] && [ "$(cat "$1")" = "$2" ]
}

say() {
  printf '%s\n' "ctl: $*" >&2
}

die() {
  printf '%s\n' "ctl: $*" >&2
  exit 1
}

# alone NAME: waits until no other run of the same step is under way in this tree; held until the script ends.
alone() {
  mkdir -p "$SOURCE/dist"
  exec 9>"$SOURCE/dist/.$1.lock"
  flock -w 600 9 || die "another $1 has been running for ten minutes in $SOURCE: look at it with ps, end it, try again"
}
