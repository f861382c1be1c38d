#!/bin/sh
# Makes the file system of one lab image from this host's distribution, as a reproducible gzip'd tar.
#   make-root.sh nginx|busybox|redis|debian OUTPUT.tar.gz
set -eu

name=$1
output=$2
case $name in
  # unpacked, not installed: no package's scripts run, which makes a server's root in 3 s instead of 15
  nginx) variant=extract packages=base-files,busybox-static,nginx ;;
  busybox) variant=extract packages=busybox-static ;;
  redis) variant=extract packages=base-files,busybox-static,redis-server ;;
  debian) variant=minbase packages= ;;
  *)
    echo "make-root.sh: no recipe for $name" >&2
    exit 2
    ;;
esac

# shellcheck source=/dev/null
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
work=$(mktemp -d /var/tmp/ctl-lab-XXXXXX)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM

# the distribution's package sources as this host has them; only where none has its usual name, all that there are
sources=
for file in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list.d/ubuntu.sources /etc/apt/sources.list; do
  [ -f "$file" ] && grep -q '^[^#]' "$file" && sources="$sources $file"
done
if [ -z "$sources" ]; then
  for file in /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
    [ -f "$file" ] && sources="$sources $file"
  done
fi
apt-config dump | grep -E '^Acquire::(Check|https?::|Retries|Proxy|Languages)' >"$work/apt.conf" || true

# $1 is the root: what no container needs goes, and BusyBox is the shell and the tools where nothing else is
cat >"$work/trim.sh" <<'TRIM'
set -eu
cd "$1"
rm -rf usr/share/doc usr/share/man usr/share/info usr/share/locale usr/share/lintian usr/share/bash-completion \
  usr/share/perl usr/share/perl5 usr/lib/*/perl usr/lib/*/perl5 usr/lib/*/perl-base usr/lib/*/gconv usr/share/gdb \
  usr/share/gcc usr/share/bug usr/bin/perl* usr/lib/*/libperl.so* usr/bin/redis-benchmark \
  usr/sbin/tc sbin/tc etc/init.d etc/fstab etc/hostname etc/resolv.conf
mkdir -p bin dev etc proc sys root home usr/bin var tmp run
chmod 1777 tmp
chmod 700 root
[ -e bin/busybox ] || ln -s ../usr/bin/busybox bin/busybox
for applet in $(bin/busybox --list); do
  [ -e "bin/$applet" ] || [ -e "usr/bin/$applet" ] || [ -e "sbin/$applet" ] || ln -s busybox "bin/$applet"
done
TRIM
cat >"$work/slim.sh" <<'SLIM'
set -eu
cd "$1"
rm -rf usr/share/doc usr/share/man usr/share/info usr/share/locale usr/share/lintian etc/hostname etc/resolv.conf \
  var/cache/apt/*.bin var/lib/apt/lists/* var/log/apt var/log/dpkg.log var/log/alternatives.log
SLIM
# mmdebstrap runs no later hook for a root that is only unpacked
[ "$variant" = extract ] && hook="--extract-hook=sh $work/trim.sh" || hook="--customize-hook=sh $work/slim.sh"

# shellcheck disable=SC2086 # a list of files
SOURCE_DATE_EPOCH=1700000000 TMPDIR=/var/tmp mmdebstrap --quiet --mode=root --format=tar \
  --variant="$variant" ${packages:+--include="$packages"} --skip=output/dev \
  --aptopt="$work/apt.conf" "$hook \"\$1\"" \
  "$suite" "$work/root.tar" $sources
gzip -n -1 <"$work/root.tar" >"$output.next"
mv "$output.next" "$output"
