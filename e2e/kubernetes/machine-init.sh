#!/bin/bash
# PID 1 of a machine, in its own mount, net, pid, uts and ipc namespaces: machine-init.sh HOME
set -eu
home=$1
# unshare made every mount private, so nothing leaves this namespace; pods' mounts must spread inside it.
mount --make-rshared /
mkdir -p "$home/var/lib" "$home/var/log" "$home/var/tmp" "$home/opt"
ln -sfn /run "$home/var/run"
mount -t tmpfs tmpfs /run
mount --bind "$home/var" /var
mount --bind "$home/opt" /opt
# The kubelet sets these for the whole computer, unless it finds the value it wants.
for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
  kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
  file=/run/setting-$(basename "${setting%=*}")
  echo "${setting#*=}" > "$file"
  mount --bind "$file" "/proc/sys/${setting%=*}"
done
hostname "$(basename "$home")"
ip link set lo up
echo 1 > /proc/sys/net/ipv4/ip_forward
touch "$home/up"
trap 'exit 0' TERM
# bash reaps the orphans that become its children.
while :; do sleep 3600 & wait $! || true; done
