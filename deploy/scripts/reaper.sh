#!/bin/sh
# Compiles services/containers/health/reaper/reaper.c into programs.ts beside it: for who changes it. Needs Debian's gcc and
# gcc-aarch64-linux-gnu, and Node to write the file.
. "$(dirname -- "$0")/environment.sh"

room=services/containers/health/reaper
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# compile COMPILER OUTPUT
compile() {
  "$1" -Os -static -nostdlib -nostartfiles -ffreestanding -fno-pic -no-pie -fno-stack-protector \
    -fno-asynchronous-unwind-tables -fno-builtin -fno-tree-loop-distribute-patterns \
    -Wl,--build-id=none,-z,norelro,-z,noseparate-code,-n -s -o "$2" "$room/reaper.c"
}

compile "${CC_X64:-x86_64-linux-gnu-gcc}" "$work/x64"
compile "${CC_ARM64:-aarch64-linux-gnu-gcc}" "$work/arm64"
{
  echo "/** reaper.c as an executable, in base64, by Node's name of the architecture: written by deploy/scripts/reaper.sh. */"
  echo "export const PROGRAMS: Readonly<Record<string, string>> = {"
  for name in arm64 x64; do printf '  %s:\n    "%s",\n' "$name" "$(base64 -w0 "$work/$name")"; done
  echo "};"
} >"$room/programs.ts"
say "written: $room/programs.ts"
