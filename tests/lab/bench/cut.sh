# Sourced by `run`: from the moment in which the way to a member in its window is gone until the operator hears of it, and until the host
# is reached again by a second bastion.

[ -n "$lab" ] || new_lab --bastions 2
settings
fault() { "$lab_command" fault --name "$lab" "$@"; }

# Nanoseconds since 1970 of the first event in the file `$1` that matches `$2`; nothing, if there is none.
when() {
    at=$(grep -m 1 -e "$2" "$1" 2>/dev/null | sed -n 's/.*"at":"\([^"]*\)".*/\1/p')
    [ -z "$at" ] || date -d "$at" +%s%N
}

# Waits until an event in the file `$1` matches `$2`.
heard() {
    until grep -q -e "$2" "$1"; do
        kill -0 "$3" 2>/dev/null || { tail -n 5 "$1" >&2 && fail "the run ended before $2"; }
        sleep 0.05
    done
}

# Cuts the first bastion off by the fault `$1` once a member's window is begun, in a restart of all members; `$2` are the ways that there
# are beside. Adds to the series `$3`, and where there is another way, `$3-there`.
cut_in_window() {
    said='"event":"way_changed"\|"event":"progress".*"act":"link"\|; trying again in '
    control "$quorate" run "$repo/playbooks/etcd-restart.yml" -i "$INVENTORY" -F "$SSH_CONFIG" --state-dir "$work/state" \
        -e "{\"quorate_fallback_jumps\": [$2]}" --json >"$keep/$3.log" 2>"$keep/$3.err" &
    pid=$!
    heard "$keep/$3.log" '"event":"progress".*"act":"member"' "$pid"
    # Before the fault and not after it: what its own making takes counts too.
    cut=$(date +%s%N)
    fault "$1" bastion
    heard "$keep/$3.log" "$said" "$pid"
    [ -n "$2" ] || fault "$1" bastion off
    wait "$pid" || { tail -n 5 "$keep/$3.log" "$keep/$3.err" >&2 && fail "the restart ended with $?"; }
    [ -z "$2" ] || fault "$1" bastion off
    since "$3" "$said"
    [ -z "$2" ] || since "$3-there" '"event":"way_changed"'
}
since() { figure "$1" "$(awk -v ns="$(($(when "$keep/${1%-there}.log" "$2") - cut))" 'BEGIN { printf "%.3f", ns / 1e9 }')"; }

round=0
while [ "$round" -lt "$rounds" ]; do
    round=$((round + 1))
    cut_in_window power-cut '' killed-one
    cut_in_window power-cut '"bastion2"' killed-two
    cut_in_window cut '' dropped-one
    cut_in_window cut '"bastion2"' dropped-two
done

head_of "From a cut link to the first word of it" "seconds"
row killed-one "the only bastion is killed" killed-one
row killed-two "one of two bastions is killed" killed-one
row dropped-one "the only bastion's packets are dropped" killed-one
row dropped-two "one of two bastions' packets are dropped" killed-one
head_of "... until the host is reached through the second one" "seconds"
row killed-two-there "the first is killed" killed-two-there
row dropped-two-there "the first one's packets are dropped" killed-two-there
[ -z "$own" ] || drop_lab
