#!/bin/sh
# Everything that a change must pass: set-up, build, checks, and the tests in namespaces of their own (mount, network,
# PID), with a private /run and /etc, so that a run leaves the host as it found it; then it proves that. The suites run in
# three lanes side by side, each on a host of its own: daemons mostly wait, and one lane leaves half of the time unused.
#
#   test.sh                      all suites, the checks, the leak check; the last line is `N passed, N failed`
#   test.sh FILE|MOCHA-OPTION...  only these, in the same surroundings
. "$(dirname -- "$0")/environment.sh"


[ "$(id -u)" = 0 ] || die "tests make namespaces and mounts: run them as root (sudo npm test)"

main() {
  sh deploy/scripts/setup.sh lab test
  say "making the images' file systems that tests run"
  sh deploy/lab-registry/ensure-roots.sh nginx redis

  work=$(mktemp -d /var/tmp/ctl-test-XXXXXX)
  trap 'rm -rf "$work"' EXIT
  trap 'exit 130' INT TERM
  run=t$(od -An -N2 -tx1 /dev/urandom | tr -d ' \n' | cut -c 1-3)
  CTL_TEST_COUNTS=$work/counts
  export CTL_TEST_COUNTS
  unset CTL_ROOT CTL_RUN CTL_INSTANCE CTL_CONFIG CTL_DATABASE_URL OTEL_EXPORTER_OTLP_ENDPOINT
  : >"$CTL_TEST_COUNTS"

  # daemons of tests are the built ones; without a build, the source as it stands
  if counted "build" sh deploy/scripts/build.sh; then
    CTL_TEST_BUILT=1
    export CTL_TEST_BUILT
  fi
  if [ $# -gt 0 ]; then
    lane x "$@"
    exit
  fi
  counted "checks" sh deploy/scripts/check.sh || true
  leak_check before
  # of about the same length
  lane s --suites test/unit test/integration >"$work/services.log" 2>&1 &
  services=$!
  lane f --suites "$(echo test/e2e/[d-z]*/)" "$(echo test/e2e/[n-z]*.test.ts)" >"$work/second.log" 2>&1 &
  second=$!
  lane e --suites "$(echo test/e2e/[a-c]*/)" "$(echo test/e2e/[a-m]*.test.ts)" || true
  wait $services || true
  wait $second || true
  cat "$work/services.log" "$work/second.log"
  counted "nothing left behind on the host" leak_check after || true
  summary
}

# lane LETTER FILE...: on a host of its own, with a directory and a name of its own
lane() {
  CTL_TEST_WORK=$work/$1
  CTL_TEST_NAME=$run$1
  export CTL_TEST_WORK CTL_TEST_NAME
  shift
  mkdir "$CTL_TEST_WORK"
  unshare --mount --net --pid --fork --kill-child --propagation private -- \
    sh deploy/scripts/on-own-host.sh sh deploy/scripts/test-inside.sh "$@"
}

# On a machine that others work on at the same time only what bears this run's name can be told apart.
leak_check() {
  if [ "${CI:-}" = true ]; then
    node test/lab/leak-check.main.ts "$1" "$work/outside" "$run" \
      mount link "network namespace" "nft table" cgroup user
  else
    node test/lab/leak-check.main.ts "$1" "$work/outside" "$run" cgroup user
  fi
}

# counted NAME COMMAND...: one more test
counted() {
  name=$1
  shift
  if "$@"; then
    count 1 0 "$name"
  else
    count 0 1 "$name"
    return 1
  fi
}

count() {
  echo "$1 $2 0" >>"$CTL_TEST_COUNTS"
  if [ "$2" = 0 ]; then say "passed: $3"; else say "FAILED: $3"; fi
}

summary() {
  awk '{ passed += $1; failed += $2; skipped += $3 }
    END {
      printf "%d passed, %d failed", passed, failed
      if (skipped > 0) printf ", %d skipped", skipped
      print ""
      exit failed > 0 || passed == 0
    }' "$CTL_TEST_COUNTS"
}

main "$@"
