#!/bin/sh
# Inside the control machine's network: the upgrade as a careful person writes it in an hour. The new binary is copied to all hosts
# first; then one member after the other: stop, swap by rename, start, and wait until it serves and says that it is healthy.
# It takes no backup, checks nothing beforehand, and has no way back.
# Arguments: the new binary. Prints a line `down HOST MILLISECONDS` a member.
set -eu
binary=$1
hosts=$(printf '%s' "$MEMBERS" | tr , ' ')

for host in $hosts; do ssh -F "$SSH_CONFIG" "$host" 'cat >/usr/local/bin/etcd.new && chmod 755 /usr/local/bin/etcd.new' <"$binary"; done
for host in $hosts; do
    ssh -F "$SSH_CONFIG" "$host" bash -s -- "$host" <<'ON_HOST'
set -eu
ask() { exec 3<>/dev/tcp/127.0.0.1/2379 && printf 'GET %s HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n' "$1" >&3 && cat <&3; }
begun=$(date +%s%3N)
systemctl stop etcd
mv /usr/local/bin/etcd /usr/local/bin/etcd.old
mv /usr/local/bin/etcd.new /usr/local/bin/etcd
systemctl start etcd
until (ask /version) 2>/dev/null | grep -q ' 200 '; do sleep 0.1; done
echo "down $1 $(($(date +%s%3N) - begun))"
until (ask /health) 2>/dev/null | grep -q '"true"'; do sleep 0.1; done
ON_HOST
done
