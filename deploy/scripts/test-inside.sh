#!/bin/sh
# The part of test.sh that runs on a host of its own: suites, each counted, and what they leave behind there; or mocha with
# the arguments given.
#
#   test-inside.sh --suites SUITE...           a suite is a list of files and directories, with spaces between
#   test-inside.sh FILE|MOCHA-OPTION...
. "$(dirname -- "$0")/environment.sh"

# seconds: what hangs must not outlast a continuous-integration run
SUITE_LIMIT=900

# a /var/tmp of the lane's own, so that its directories are told from those of whoever else works here; a source tree that
# it would hide is seen in another place
case $SOURCE/ in
  /var/tmp/*)
    mkdir /run/source
    mount --rbind "$SOURCE" /run/source
    exec sh /run/source/deploy/scripts/test-inside.sh "$@"
    ;;
esac
chmod 1777 "$CTL_TEST_WORK"
touch "$CTL_TEST_WORK/counts"
mount --bind "$CTL_TEST_COUNTS" "$CTL_TEST_WORK/counts"
mount --rbind "$CTL_TEST_WORK" /var/tmp
CTL_TEST_WORK=/var/tmp
CTL_TEST_COUNTS=/var/tmp/counts

# suite FILE|DIRECTORY...: one run of mocha
suite() {
  say "tests: $*"
  status=0
  sums=$CTL_TEST_WORK/$(basename "$1").counts
  CTL_TEST_COUNTS=$sums timeout --kill-after=20 "$SUITE_LIMIT" mocha --reporter ./test/lab/reporter.ts "$@" || status=$?
  if [ -f "$sums" ]; then cat "$sums" >>"$CTL_TEST_COUNTS"; fi
  if [ ! -f "$sums" ]; then
    echo "0 1 0" >>"$CTL_TEST_COUNTS"
    say "FAILED: the tests of $1 ended with status $status before they were through"
  elif [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
    echo "0 1 0" >>"$CTL_TEST_COUNTS"
    say "FAILED: the tests of $1 were through and did not end: a timer, socket or child process is left"
  fi
}

if [ "${1:-}" != --suites ]; then
  mocha "$@"
  exit
fi
shift

node test/lab/leak-check.main.ts before "$CTL_TEST_WORK/inside" "$CTL_TEST_NAME"
# shellcheck disable=SC2086 # a suite is a list
for paths in "$@"; do suite $paths; done
if node test/lab/leak-check.main.ts after "$CTL_TEST_WORK/inside" "$CTL_TEST_NAME"; then
  echo "1 0 0" >>"$CTL_TEST_COUNTS"
  say "passed: nothing left behind in the run's namespaces"
else
  echo "0 1 0" >>"$CTL_TEST_COUNTS"
  say "FAILED: something is left behind in the run's namespaces"
fi
