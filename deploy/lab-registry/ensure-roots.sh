#!/bin/sh
# Makes the file systems of lab images that are missing or whose recipe changed, in the given order; several may run.
#   ensure-roots.sh IMAGE...
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
state=${CTL_LAB_DIRECTORY:-/var/lib/ctl-lab-registry}
mkdir -p "$state/roots" "$state/pushed"

for image in "$@"; do
  exec 8>"$state/roots/$image.lock"
  flock -w 600 8
  recipe=$(find "$here/make-root.sh" "$here/image.ts" "$here/images.ts" "$here/files/$image" -type f 2>/dev/null |
    sort | xargs sha256sum | sha256sum)
  if [ ! -s "$state/roots/$image.tar.gz" ] || [ "$(cat "$state/roots/$image.recipe" 2>/dev/null)" != "$recipe" ]; then
    printf '%s\n' "lab registry: making $image" >&2
    rm -f "$state/pushed/$image"
    sh "$here/make-root.sh" "$image" "$state/roots/$image.tar.gz" >"$state/make-$image.log" 2>&1 8>&- || {
      printf '%s\n' "lab registry: $image could not be made:" >&2
      tail -n 5 "$state/make-$image.log" >&2
      exit 1
    }
    printf '%s\n' "$recipe" >"$state/roots/$image.recipe"
  fi
  exec 8>&-
done
