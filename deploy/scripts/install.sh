#!/bin/sh
# Puts ctl and ctld into /usr/local/bin, as links to what is built here, and makes the group that may use the socket.
. "$(dirname -- "$0")/environment.sh"

[ "$(id -u)" = 0 ] || die "it writes to /usr/local/bin: run it as root"
for program in ctl ctld; do
  link=/usr/local/bin/$program
  [ "$(readlink "$link" 2>/dev/null)" = "$SOURCE/dist/$program" ] && continue
  if [ -e "$link" ] && [ ! -L "$link" ]; then
    die "$link is a program that we did not put there: move it away, or use $SOURCE/dist/$program as it is"
  fi
  mkdir -p /usr/local/bin
  ln -sfn "$SOURCE/dist/$program" "$link"
done
# its members are root on this host: nobody is added
getent group ctl >/dev/null || groupadd --system ctl
