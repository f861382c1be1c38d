#!/bin/sh
# Counts what a daemon has on the host (mounts, links, nftables rules and elements, processes, cgroups, files, rows)
# before and after 100 `run --rm`, and after 20 runs each interrupted by a kill -9 of another process. No difference, or
# it fails and says which. On a host of its own; the last line is `leakcheck ok` or `leakcheck failed`.
#
#   leakcheck.sh [--runs N] [--interrupted N]
#   leakcheck.sh --root DIR --run DIR --instance NAME      only counts what that running daemon has
. "$(dirname -- "$0")/environment.sh"

[ "$(id -u)" = 0 ] || die "the leak check starts a daemon: run it as root (sudo npm run leakcheck)"
sh deploy/scripts/setup.sh lab test
case " $* " in
  *" --root"*) exec node test/chaos/leakcheck.ts "$@" ;;
esac
sh deploy/scripts/build.sh
unset CTL_ROOT CTL_RUN CTL_INSTANCE CTL_CONFIG CTL_DATABASE_URL OTEL_EXPORTER_OTLP_ENDPOINT
CTL_TEST_BUILT=1
export CTL_TEST_BUILT
exec unshare --mount --net --pid --fork --kill-child --propagation private -- \
  sh deploy/scripts/on-own-host.sh node test/chaos/leakcheck.ts "$@"
