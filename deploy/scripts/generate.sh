#!/bin/sh
# TypeScript and the descriptor set from proto/, into generated/ (never committed). Quick when nothing changed.
. "$(dirname -- "$0")/environment.sh"

protos=$(find proto -name '*.proto' | sort)
[ -n "$protos" ] || die "proto/ holds no .proto file"
# shellcheck disable=SC2086 # the names of our own protos hold no blanks
now=$(hash_of buf.yaml buf.gen.yaml node_modules/ts-proto/package.json deploy/scripts/generate.sh deploy/scripts/idempotent-methods.ts $protos)
is_current generated/.stamp "$now" && exit 0

alone generate
rm -rf generated/.next
mkdir -p generated/.next
buf generate --output generated/.next
buf build --exclude-source-info --output generated/.next/descriptors.binpb
node deploy/scripts/idempotent-methods.ts generated/.next/descriptors.binpb generated/.next/idempotent-methods.ts

# file by file, by rename, and only what changed: whoever imports them meanwhile never finds one missing
(cd generated/.next && find . -type f | sort) >generated/.files
while read -r file; do
  cmp -s "generated/.next/$file" "generated/$file" && continue
  mkdir -p "$(dirname "generated/$file")"
  mv "generated/.next/$file" "generated/$file"
done <generated/.files
(cd generated && find . -type f ! -path './.*' | sort) | comm -13 generated/.files - | while read -r gone; do
  rm -f "generated/$gone"
done
find generated -mindepth 1 -type d -empty -delete
rm -rf generated/.next generated/.files
printf '%s\n' "$now" >generated/.stamp
