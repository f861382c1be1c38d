#!/bin/sh
# The process of ctl-containers.service: keeps the cgroup that all containers and their monitors are in, and ends them
# when the machine goes down. It needs neither ctld nor its database: at shutdown these are gone already.
#
#   keeper.sh keep    moves itself into a leaf (cgroup v2 lets no group have both processes and children), then waits
#   keeper.sh stop    each container its own stop signal and its own stop time, all at once; then what is left is killed
set -eu
root=${CTL_ROOT:-/var/lib/ctl}

# groups: the unit's directory in each hierarchy by which systemd knows it: v2, and the named one of a v1 or hybrid host
groups() {
  unified=$(sed -n 's/^0:://p' /proc/self/cgroup)
  named=$(sed -n 's/^[0-9]*:name=systemd://p' /proc/self/cgroup)
  for mount in /sys/fs/cgroup /sys/fs/cgroup/unified; do
    [ -e "$mount/cgroup.controllers" ] && print_group "$mount" "$unified"
  done
  print_group /sys/fs/cgroup/systemd "$named"
}

print_group() {
  # what systemd runs for a unit besides its main process, it puts into a group of its own below a delegated one
  path=${2%/keeper}
  path=${path%/.control}
  [ -n "${path#/}" ] && [ -e "$1$path/cgroup.procs" ] && printf '%s\n' "$1$path"
  return 0
}

keep() {
  for group in $(groups); do
    mkdir -p "$group/keeper"
    echo $$ >"$group/keeper/cgroup.procs"
  done
  systemd-notify --ready --pid=$$ --status="holding the containers' cgroup"
  trap 'exit 0' TERM INT
  while :; do
    sleep 86400 &
    wait $! || true
  done
}

# setting ID ANNOTATION DEFAULT: from the container's own configuration
setting() {
  value=$(tr -d ' \n' <"$root/containers/$1/config.json" 2>/dev/null | sed -n "s/.*\"$2\":\"\([^\"]*\)\".*/\1/p")
  printf '%s' "${value:-$3}"
}

stop_container() {
  payload=$1
  id=$(basename "$(dirname "$payload")")
  # the first process that the group lists is the container's own; a frozen one is thawed, else it hears nothing
  init=$(sort -n "$payload/cgroup.procs" | head -n 1)
  [ -n "$init" ] || return 0
  [ -w "$payload/cgroup.freeze" ] && echo 0 >"$payload/cgroup.freeze"
  kill -s "$(setting "$id" ctl.stop-signal 15)" "$init" 2>/dev/null || true
  seconds=$(setting "$id" ctl.stop-timeout 10)
  # "for ever" is as long as the unit lets us
  [ "$seconds" -ge 0 ] || seconds=300
  left=$((seconds * 10))
  # the file has no size to test: its lines are asked for
  while [ "$left" -gt 0 ]; do
    [ -n "$(cat "$payload/cgroup.procs")" ] || return 0
    left=$((left - 1))
    sleep 0.1
  done
  for pid in $(cat "$payload/cgroup.procs"); do
    kill -s KILL "$pid" 2>/dev/null || true
  done
}

# its monitor writes down how the container ended, and would be killed with what is left of the unit
await_monitor() {
  left=30
  while [ "$left" -gt 0 ] && [ -n "$(cat "${1%/payload}/monitor/cgroup.procs" 2>/dev/null)" ]; do
    left=$((left - 1))
    sleep 0.1
  done
}

stop() {
  # in every hierarchy there are the same containers
  group=$(groups | head -n 1)
  for payload in "$group"/*/payload; do
    [ -e "$payload/cgroup.procs" ] || continue
    { stop_container "$payload" && await_monitor "$payload"; } &
  done
  wait
}

case ${1:-} in
  keep | stop) "$1" ;;
  *)
    echo "usage: keeper.sh keep|stop" >&2
    exit 2
    ;;
esac
