#!/bin/sh
# The daemons as bundles and `ctl` as one executable, into dist/ (never committed). Quick when nothing changed.
#
#   dist/builds/HASH/    one directory per build, the last three kept: a running daemon goes on loading its own
#   dist/current         the newest of them
#   dist/ctl dist/ctld   what a person starts
. "$(dirname -- "$0")/environment.sh"

[ -x node_modules/.bin/node ] || die "the packages are missing: run sh deploy/scripts/setup.sh"
sh deploy/scripts/generate.sh

now=$(find services gateway cli deploy/bundle generated -type f ! -name '*.lock' 2>/dev/null | sort |
  xargs sha256sum -- package-lock.json deploy/scripts/build.sh | sha256sum | cut -c 1-16)
is_current dist/.stamp "$now" && [ -x dist/ctl ] && [ -x dist/ctld ] && exit 0

alone build
mkdir -p dist/builds
rm -rf dist/builds/.next
node deploy/bundle/main.ts "$SOURCE/dist/builds/.next"
rm -rf "dist/builds/$now"
mv dist/builds/.next "dist/builds/$now"

# launcher NAME PROGRAM: starts a bundle with the pinned Node, also through a link in /usr/local/bin
launcher() {
  mkdir -p dist/.next
  cat >"dist/.next/$1" <<LAUNCHER
#!/bin/sh
dist=\$(dirname -- "\$(readlink -f -- "\$0")")
$3exec "\$dist/../node_modules/.bin/node" $4 "\$dist/current/$2" "\$@"
LAUNCHER
  chmod 755 "dist/.next/$1"
  mv "dist/.next/$1" "dist/$1"
}

# Split, so that a command's own chunks are all that is read: 2 ms of 12 for `ctl ps`.
# Bun's binary starts in a fifth of Node's time; where it cannot run (its processor features, its kernel), Node does
compile_cli() {
  bun=$(find node_modules/@oven -path '*/bin/bun' 2>/dev/null | head -n 1)
  [ -n "$bun" ] && [ -f cli/main.ts ] || return 1
  "$bun" build --compile --bytecode --splitting --minify --format=esm \
    --no-compile-autoload-dotenv --no-compile-autoload-bunfig \
    cli/main.ts --outfile dist/.next/ctl >dist/.ctl.log 2>&1 && dist/.next/ctl --version >>dist/.ctl.log 2>&1
}
if compile_cli; then
  mv dist/.next/ctl dist/ctl
else
  say "ctl could not be compiled with Bun (dist/.ctl.log says why): it starts with Node instead, about 50 ms slower"
  launcher ctl cli-main.js '' ''
fi
# as the gateway starts the services: small heaps, one arena (gateway/supervisor/replica.ts)
launcher ctld gateway-main.js 'export MALLOC_ARENA_MAX=${MALLOC_ARENA_MAX:-1}
' '--max-semi-space-size=1 --optimize-for-size'
rm -rf dist/.next

ln -sfn "builds/$now" dist/.current.next
mv -T dist/.current.next dist/current
# shellcheck disable=SC2012 # names of our own making
ls -1t dist/builds | tail -n +4 | while read -r old; do rm -rf "dist/builds/$old"; done
printf '%s\n' "$now" >dist/.stamp
