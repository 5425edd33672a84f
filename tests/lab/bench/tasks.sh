# Sourced by `run`: what twenty trivial tasks on three hosts cost, logins through the bastion included.

# Python for the hosts, which have none: Debian's own, unpacked once. Ansible's `command` needs it.
python_archive() {
    cache=${QUORATE_LAB_CACHE:-/var/cache/quorate-lab}/bench
    archive=$cache/python.tar
    [ -s "$archive" ] && return
    mkdir -p "$work/debs" "$work/python" "$cache"
    (cd "$work/debs" && apt-get -qq download python3-minimal python3.11-minimal libpython3.11-minimal libpython3.11-stdlib libexpat1 libssl3) || return
    for package in "$work"/debs/*.deb; do dpkg -x "$package" "$work/python" || return; done
    tar -C "$work/python" --exclude=./usr/share --exclude=./etc -cf "$archive.new" . && mv "$archive.new" "$archive"
}

# ansible-core in a folder of its own, and Python on the hosts; whether all of it is there.
have_ansible() {
    [ "$ansible" = yes ] || return 1
    python_archive || return 1
    venv=$cache/venv
    [ -x "$venv/bin/ansible-playbook" ] || { python3 -m venv "$venv" && "$venv/bin/pip" -q install ansible-core; } || return 1
    for host in $(printf '%s' "$MEMBERS" | tr , ' '); do
        "$lab_command" exec --name "$lab" "$host" -- tar -C / --keep-directory-symlink --no-overwrite-dir -xf - <"$archive" || return 1
    done
    export venv
}

[ -n "$lab" ] || new_lab
settings
if have_ansible; then with=yes; else with=no && venv=''; fi
# All rounds in one go inside the control machine's network, each way once a round: neighbours in time, whatever else the machine does.
control sh "$bench/tasks-rounds.sh" "$rounds" "$with" "$venv"

head_of "20 trivial tasks on three hosts through a bastion" "seconds"
row tasks-quorate "quorate run" tasks-quorate
row tasks-stdin "ssh HOST sh, fed on stdin" tasks-quorate
row tasks-master "ssh ControlMaster, one exec a task" tasks-quorate
row tasks-ansible "ansible-playbook, pipelining, ControlPersist" tasks-quorate
[ -z "$own" ] || drop_lab
