#!/bin/sh
# The part of test.sh that runs on a host of its own: the suites, each counted, and what they leave behind there.
. "$(dirname -- "$0")/environment.sh"

# seconds: what hangs must not outlast a continuous-integration run
SUITE_LIMIT=900

# a /var/tmp of the run's own: its directories are told from those of whoever else works here. Not where it would hide
# the source tree.
case $SOURCE/ in
  /var/tmp/*) ;;
  *)
    chmod 1777 "$CTL_TEST_WORK"
    mount --bind "$CTL_TEST_WORK" /var/tmp
    CTL_TEST_WORK=/var/tmp
    CTL_TEST_COUNTS=/var/tmp/counts
    ;;
esac

suite() {
  [ -n "$(find "$2" -name '*.test.ts' 2>/dev/null | head -n 1)" ] || return 0
  say "$1 tests"
  lines=$(wc -l <"$CTL_TEST_COUNTS")
  status=0
  timeout --kill-after=20 "$SUITE_LIMIT" mocha --reporter ./test/lab/reporter.ts "$2" || status=$?
  if [ "$(wc -l <"$CTL_TEST_COUNTS")" -eq "$lines" ]; then
    echo "0 1 0" >>"$CTL_TEST_COUNTS"
    say "FAILED: the $1 tests ended with status $status before they were through"
  elif [ "$status" -eq 124 ] || [ "$status" -eq 137 ]; then
    echo "0 1 0" >>"$CTL_TEST_COUNTS"
    say "FAILED: the $1 tests were through and did not end: a timer, socket or child process is left"
  fi
}

if [ $# -gt 0 ]; then
  mocha "$@"
  exit
fi

node test/lab/leak-check.main.ts before "$CTL_TEST_WORK/inside" "$CTL_TEST_NAME"
suite unit test/unit
suite integration test/integration
suite end-to-end test/e2e
if node test/lab/leak-check.main.ts after "$CTL_TEST_WORK/inside" "$CTL_TEST_NAME"; then
  echo "1 0 0" >>"$CTL_TEST_COUNTS"
  say "passed: nothing left behind in the run's namespaces"
else
  echo "0 1 0" >>"$CTL_TEST_COUNTS"
  say "FAILED: something is left behind in the run's namespaces"
fi
