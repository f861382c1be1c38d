#!/bin/sh
# Makes ctld a service of systemd that starts at boot. One that runs already as a process is stopped first and found
# again by the service; containers go on, in the cgroup that they have.
. "$(dirname -- "$0")/../scripts/environment.sh"

[ "$(id -u)" = 0 ] || die "it writes to /etc/systemd/system: run it as root"
[ -d /run/systemd/system ] || die "systemd does not run here; start ctld by hand, or by what this host starts services with"
[ -x dist/ctld ] || die "there is no build yet: run sudo ./quickstart, or sh deploy/scripts/build.sh"
sh deploy/scripts/install.sh
for unit in ctl-containers ctld; do
  sed "s#@SOURCE@#$SOURCE#g" "deploy/systemd/$unit.service" >"/etc/systemd/system/.$unit.next"
  mv "/etc/systemd/system/.$unit.next" "/etc/systemd/system/$unit.service"
done
systemctl daemon-reload
systemctl is-active --quiet ctld.service || dist/ctld stop
systemctl enable --now ctl-containers.service ctld.service
systemctl --no-pager --lines=0 status ctld.service
