#!/bin/sh
# The differential test: npm run differential -- [--json FILE] [SCENARIO...]. The same docker commands against Debian's
# dockerd and against ctl, on a host of their own (network, mount and PID namespaces) that takes all they made with it.
. "$(dirname -- "$0")/environment.sh"

[ "$(id -u)" = 0 ] || die "it starts container engines: run it as root (sudo npm run differential)"
sh deploy/scripts/setup.sh lab test
sh deploy/scripts/build.sh

unset CTL_ROOT CTL_RUN CTL_INSTANCE CTL_CONFIG CTL_DATABASE_URL OTEL_EXPORTER_OTLP_ENDPOINT
CTL_TEST_BUILT=1
export CTL_TEST_BUILT
exec unshare --mount --net --pid --fork --kill-child --propagation private -- \
  sh deploy/scripts/on-own-host.sh node test/differential/main.ts "$@"
