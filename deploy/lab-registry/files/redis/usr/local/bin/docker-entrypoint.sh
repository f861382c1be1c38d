#!/bin/sh
# Options alone, or a configuration file alone, mean: redis-server with them. A container is reached over its network,
# so the protected mode, which refuses all but loopback, is off as in the image of Docker Hub.
set -e
if [ "${1#-}" != "$1" ] || [ "${1%.conf}" != "$1" ]; then
  set -- redis-server "$@"
fi
if [ "$1" = redis-server ]; then
  set -- "$@" --protected-mode no
fi
exec "$@"
