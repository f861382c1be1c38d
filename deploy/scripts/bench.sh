#!/bin/sh
# One bench: npm run bench -- NAME. Installs the peer that it compares with, then runs it on a host of its own (network,
# mount and PID namespaces), so that daemons, mounts, links and users go with it however it ends.
#
#   bench.sh [--with-podman] NAME      without a name: which there are
. "$(dirname -- "$0")/environment.sh"

[ "$(id -u)" = 0 ] || die "a bench starts container engines: run it as root (sudo npm run bench -- NAME)"
sh deploy/scripts/setup.sh lab test
node bench/prepare.ts "$@" || exit $?
sh deploy/scripts/build.sh

unset CTL_ROOT CTL_RUN CTL_INSTANCE CTL_CONFIG CTL_DATABASE_URL OTEL_EXPORTER_OTLP_ENDPOINT
# the programs as they are shipped, not the source
CTL_TEST_BUILT=1
export CTL_TEST_BUILT
exec unshare --mount --net --pid --fork --kill-child --propagation private -- \
  sh deploy/scripts/on-own-host.sh node bench/main.ts "$@"
