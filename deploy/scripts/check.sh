#!/bin/sh
# Types, lint and format, proto lint, import directions. Changes nothing but generated/; all of them run, then it fails.
. "$(dirname -- "$0")/environment.sh"

[ -x node_modules/.bin/tsc ] || die "the packages are missing: run sh deploy/scripts/setup.sh"
sh deploy/scripts/generate.sh

failed=
step() {
  name=$1
  shift
  say "check: $name"
  "$@" || failed="$failed $name,"
}
step "types" tsc --project .
step "lint and format" biome check --diagnostic-level=error --max-diagnostics=200 .
step "protos" buf lint
step "imports" mocha --reporter dot test/unit/imports.test.ts
[ -z "$failed" ] || die "check failed:${failed%,}"
say "check: all good"
