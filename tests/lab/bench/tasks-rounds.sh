#!/bin/sh
# Inside the control machine's network: each way once a round. Arguments: rounds, whether ansible is there, its venv.
set -eu
. "$bench/figures.sh"
rounds=$1 with=$2 venv=$3
hosts=$(printf '%s' "$MEMBERS" | tr , ' ')
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
: >"$scratch/ansible.cfg"

by_quorate() { "$quorate" run "$bench/twenty.yml" -i "$INVENTORY" -F "$SSH_CONFIG" --state-dir "$scratch/state"; }

# Runs a function for each host, side by side; fails if one of them does.
everywhere() {
    pids=
    for host in $hosts; do
        "$1" "$host" &
        pids="$pids $!"
    done
    for pid in $pids; do wait "$pid"; done
}

fed() { yes /bin/true | head -n 20 | ssh -F "$SSH_CONFIG" "$1" sh; }
by_stdin() { everywhere fed; }

# The master's login counts, as it does for all others.
mastered() {
    socket=$scratch/m-$1
    ssh -F "$SSH_CONFIG" -o ControlMaster=yes -o ControlPath="$socket" -o ControlPersist=yes -N -f "$1"
    n=0
    while [ "$n" -lt 20 ]; do
        ssh -F "$SSH_CONFIG" -o ControlPath="$socket" "$1" /bin/true
        n=$((n + 1))
    done
    ssh -F "$SSH_CONFIG" -o ControlPath="$socket" -O exit "$1"
}
by_master() { everywhere mastered; }

# A folder for control sockets a run, so that each logs in anew, as a first run does.
by_ansible() {
    sockets=$(mktemp -d -p "$scratch" s.XXXX)
    ANSIBLE_CONFIG=$scratch/ansible.cfg ANSIBLE_HOME=$scratch/ansible ANSIBLE_PIPELINING=True ANSIBLE_NOCOLOR=1 \
        ANSIBLE_PYTHON_INTERPRETER=/usr/bin/python3 ANSIBLE_SSH_CONTROL_PATH_DIR=$sockets \
        ANSIBLE_SSH_ARGS="-F $SSH_CONFIG -o ControlMaster=auto -o ControlPersist=60s" LC_ALL=C.UTF-8 \
        "$venv/bin/ansible-playbook" -i "$INVENTORY" "$bench/twenty.yml"
}
leave_ansible() {
    for socket in "$scratch"/s.*/*; do
        [ ! -S "$socket" ] || ssh -o ControlPath="$socket" -O exit any >/dev/null 2>&1 || true
    done
}

round=0
while [ "$round" -lt "$rounds" ]; do
    round=$((round + 1))
    clock tasks-quorate by_quorate
    clock tasks-stdin by_stdin
    clock tasks-master by_master
    if [ "$with" = yes ]; then
        clock tasks-ansible by_ansible
        leave_ansible
    fi
done
