#!/bin/sh
# Runs a command on a host of its own, as the first process of fresh mount, network and PID namespaces: a /proc and /sys
# that show these, a private /run and /etc, loopback up. It collects what daemons leave, and hands on SIGINT and SIGTERM,
# which the kernel does not deliver to a namespace's first process by default.
#
#   unshare --mount --net --pid --fork --kill-child --propagation private -- sh on-own-host.sh COMMAND...
. "$(dirname -- "$0")/environment.sh"

mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/cgroup /run/etc
mount --rbind /sys/fs/cgroup /run/cgroup
mount -t sysfs sysfs /sys
mount --rbind /run/cgroup /sys/fs/cgroup
umount --lazy /run/cgroup
cp -a /etc/. /run/etc
mount --bind /run/etc /etc
ip link set lo up

"$@" &
command=$!
trap 'kill -INT $command' INT
trap 'kill -TERM $command' TERM
status=0
wait $command || status=$?
while kill -0 $command 2>/dev/null; do
  status=0
  wait $command || status=$?
done
exit $status
