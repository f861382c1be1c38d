#!/bin/sh
# Docker's clients against ctl's socket: npm run clients -- [CLIENT...]. Those of the npm registry go into test/clients,
# no part of the product; runs on a host of its own and writes docs/compatibility.md.
. "$(dirname -- "$0")/environment.sh"

[ "$(id -u)" = 0 ] || die "it starts a container engine: run it as root (sudo npm run clients)"
sh deploy/scripts/setup.sh lab test clients
sh deploy/lab-registry/ensure-roots.sh nginx redis
if ! is_current test/clients/node_modules/.ctl-stamp "$(hash_of test/clients/package-lock.json)"; then
  say "installing the clients of the npm registry"
  npm ci --prefix test/clients --ignore-scripts --no-audit --no-fund --loglevel=error
  hash_of test/clients/package-lock.json >test/clients/node_modules/.ctl-stamp
fi
sh deploy/scripts/build.sh

unset CTL_ROOT CTL_RUN CTL_INSTANCE CTL_CONFIG CTL_DATABASE_URL OTEL_EXPORTER_OTLP_ENDPOINT
CTL_TEST_BUILT=1
export CTL_TEST_BUILT
exec unshare --mount --net --pid --fork --kill-child --propagation private -- \
  sh deploy/scripts/on-own-host.sh node test/clients/main.ts "$@"
