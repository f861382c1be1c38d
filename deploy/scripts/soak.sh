#!/bin/sh
# The soak: eight clients do random things with up to 50 containers while services are killed (kill -9), and every answer
# and state must be what a model of the containers says; then nothing may be left behind. On a host of its own; the last
# line is `soak ok` or `soak failed`. What was decided is in the log, and --replay decides the same again.
#
#   soak.sh [--minutes 30] [--clients 8] [--containers 50] [--kill-every SECONDS] [--seed N] [--log FILE] [--replay FILE]
. "$(dirname -- "$0")/environment.sh"

[ "$(id -u)" = 0 ] || die "the soak starts a daemon: run it as root (sudo npm run soak)"
sh deploy/scripts/setup.sh lab test
sh deploy/scripts/build.sh
unset CTL_ROOT CTL_RUN CTL_INSTANCE CTL_CONFIG CTL_DATABASE_URL OTEL_EXPORTER_OTLP_ENDPOINT
CTL_TEST_BUILT=1
export CTL_TEST_BUILT
exec unshare --mount --net --pid --fork --kill-child --propagation private -- \
  sh deploy/scripts/on-own-host.sh node test/chaos/soak/main.ts "$@"
