# Sourced by `run`: seven hops on one cluster, from 2.0 to 3.3, in one run of quorate and by as many turns of `by-hand.sh`, which needs no more
# than one v3 write on the way. Beyond it a person would have to know of the snapshots that later hops need.

. "$bench/upgrades.sh"
way_there='2.1.1 2.2.5 2.3.8 3.0.17 3.1.20 3.2.32 3.3.27'
walk_by_hand() {
    for to in $way_there; do
        programs=$("$lab_command" binary "$to" 2>/dev/null)
        by_hand || return
        # From data of 2.x with a raft snapshot and without a v3 write 3.1.17 and later end at once.
        if [ "$to" = 3.0.17 ]; then
            "$lab_command" exec --name "$lab" etcd1 -- bash -c \
                "exec 3<>/dev/tcp/127.0.0.1/2379; b='{\"key\":\"YQ==\",\"value\":\"YQ==\"}'; printf 'POST /v3alpha/kv/put HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Length: %s\r\n\r\n%s' \${#b} \"\$b\" >&3; cat <&3" >/dev/null 2>&1 || true
        fi
    done
}
walk_by_quorate() { to=3.3.27 && by_quorate; }
round=0
while [ "$round" -lt "$rounds" ]; do
    round=$((round + 1))
    for way in quorate hand; do
        new_lab --etcd 2.0.5 --releases "$(printf '%s' "$way_there" | tr ' ' ,)"
        clock "walk-$way" "walk_by_$way"
        cp "$keep/last.log" "$keep/walk-$way-$round.log"
        drop_lab
    done
done
head_of "Three members from 2.0.5 to 3.3.27, seven hops" "seconds"
row walk-hand "by hand: copied, stopped, swapped, started, healthy" walk-hand
row walk-quorate "quorate: checked, backed up, proven, rolled, gated" walk-hand
