#!/bin/sh
# A daemon from the source tree, in the foreground, with directories and a name of its own: nothing of it meets a ctl
# that is installed on this host. Ctrl-c ends it; what it keeps lies in the directory that it prints.
#
#   npm run dev [-- --log-level=debug …]
. "$(dirname -- "$0")/environment.sh"
[ "$(id -u)" = 0 ] || die "a container engine needs root: sudo npm run dev"
sh deploy/scripts/setup.sh
sh deploy/scripts/generate.sh

state=${CTL_DEV_DIRECTORY:-/var/tmp/ctl-dev}
mkdir -p "$state"
say "state in $state; talk to it with:  export CTL_HOST=unix://$state/run/ctl.sock"
exec node gateway/main.ts --root="$state/root" --run="$state/run" --instance=dev "$@"
