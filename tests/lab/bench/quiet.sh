# Sourced by `run`: rolls to which nothing is done, each of a cluster made for it, under load. A roll that does not end with 0 is a false halt; it is
# shown and counted, and the others go on.

. "$bench/upgrades.sh"
printf '\nRolls to which nothing is done\n%-18s %5s %12s %7s %5s %22s\n' pair rolls 'false halts' acked lost 'upgrade, s'
for pair in 2.0.5-2.1.1 3.5.35-3.6.16; do
    round=0 halts=0 acked=0 lost=0 to=${pair#*-}
    while [ "$round" -lt "$rounds" ]; do
        round=$((round + 1))
        new_lab --etcd "${pair%-*}" --releases "$to"
        "$lab_command" load start --name "$lab" >/dev/null
        if ! clock "quiet-$pair" by_quorate; then
            halts=$((halts + 1))
            cp "$keep/last.log" "$keep/halt-$pair-$round.log"
        fi
        "$lab_command" load stop --name "$lab" >/dev/null
        "$lab_command" load check --json --name "$lab" >"$keep/quiet-$pair-$round.json" || lost=$((lost + 1))
        of_check() { tr ',{' '\n\n' <"$keep/quiet-$pair-$round.json" | sed -n "s/^ *\"$1\": *\([0-9]*\).*/\1/p" | head -n 1; }
        acked=$((acked + $(of_check acked))) lost=$((lost + $(of_check lost)))
        drop_lab
    done
    printf '%-18s %5s %12s %7s %5s %22s\n' "$pair" "$rounds" "$halts" "$acked" "$lost" \
        "$(middle "quiet-$pair" | awk '{ printf "%.1f (%.1f to %.1f)", $1, $2, $3 }')"
done
