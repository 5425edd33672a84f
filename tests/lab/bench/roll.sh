# Sourced by `run`: an upgrade of three members, each time on a cluster made for it.

. "$bench/upgrades.sh"
round=0
while [ "$round" -lt "$rounds" ]; do
    round=$((round + 1))
    for way in quorate hand; do
        fresh
        clock "roll-$way" "by_$way"
        "down_of_$way" >>"$keep/down-$way.txt"
        cp "$keep/last.log" "$keep/roll-$way-$round.log"
        drop_lab
    done
done

head_of "Three members upgraded, $ETCD_VERSION to $to, wall time" "seconds"
row roll-quorate "quorate: checked, backed up, proven, rolled, gated" roll-quorate
row roll-hand "by hand: copied, stopped, swapped, started, healthy" roll-quorate

head_of "How long a member was down, stop to first answer" "milliseconds"
row down-quorate "quorate" down-quorate
row down-hand "by hand" down-quorate
