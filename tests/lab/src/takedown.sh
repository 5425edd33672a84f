#!/bin/sh
# Takes a lab down: takedown.sh FOLDER NAME
# Needs nothing but the lab's name and folder, so it works after a crash of whoever made the lab.
set -u
dir=$1
name=$2
prefix="quorate-lab.$name."

groups() {
    for hierarchy in /sys/fs/cgroup /sys/fs/cgroup/*; do
        [ -d "$hierarchy/quorate-lab/$name" ] && find "$hierarchy/quorate-lab/$name" -depth -type d
    done
}

namespaces() {
    for path in /run/netns/"$prefix"*; do
        [ -e "$path" ] && echo "${path##*/}"
    done
}

processes() {
    for group in $(groups); do
        [ ! -e "$group/freezer.state" ] || echo THAWED >"$group/freezer.state" 2>/dev/null
        [ ! -e "$group/cgroup.freeze" ] || echo 0 >"$group/cgroup.freeze" 2>/dev/null
        cat "$group/cgroup.procs" 2>/dev/null
    done
    for namespace in $(namespaces); do
        ip netns pids "$namespace" 2>/dev/null
    done
}

mounts() {
    # Deepest first. mountinfo's fifth field is the mount point.
    awk -v dir="$dir/" 'index($5 "/", dir) == 1 { print $5 }' /proc/self/mountinfo | sort -r
}

tries=0
while [ "$tries" -lt 400 ]; do
    pids=$(processes | sort -un | grep -vx -e 0 -e "$$")
    [ -n "$pids" ] || break
    # shellcheck disable=SC2086
    kill -KILL $pids 2>/dev/null
    tries=$((tries + 1))
    sleep 0.025
done

for mount in $(mounts); do
    umount "$mount" 2>/dev/null || { sleep 0.2; umount "$mount" 2>/dev/null; } || umount --lazy "$mount"
done
losetup --list --noheadings --raw --output NAME,BACK-FILE 2>/dev/null | while read -r loop file; do
    case $file in "$dir"/*) losetup --detach "$loop" ;; esac
done
for namespace in $(namespaces); do
    ip netns delete "$namespace"
done
for group in $(groups); do
    rmdir "$group" 2>/dev/null
done
# The folder of all labs' groups goes with the last lab.
rmdir /sys/fs/cgroup/quorate-lab /sys/fs/cgroup/*/quorate-lab 2>/dev/null
rm -rf /run/systemd/nspawn/propagate/"$name"-* /run/systemd/nspawn/unix-export/"$name"-*

# A mount that would not go must not be emptied.
if [ -n "$(mounts)" ]; then
    echo "still mounted below $dir:" >&2
    mounts >&2
    exit 1
fi
rm -rf --one-file-system "$dir"
