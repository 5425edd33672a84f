# Sourced by `run`: the longest gap between acknowledged writes, while a cluster is upgraded and while nothing is done to it.

. "$bench/upgrades.sh"
load() { act=$1 && shift && "$lab_command" load "$act" --name "$lab" "$@"; }

# Ends the load and adds its longest gap to the series `$1`; a lost write ends the whole measurement.
heard() {
    load stop
    load check --json >"$keep/$1.json" || fail "the load's check: $(cat "$keep/$1.json")"
    figure "$1" "$(tr ',' '\n' <"$keep/$1.json" | sed -n 's/.*"gap_ms": *\([0-9.]*\).*/\1/p')"
}

round=0
while [ "$round" -lt "$rounds" ]; do
    round=$((round + 1))
    for way in quorate hand; do
        fresh
        load start
        clock "loaded-$way" "by_$way"
        heard "gap-$way"
        # As long again on the same cluster, with nothing done to it.
        load start
        sleep "$(tail -n 1 "$keep/loaded-$way.txt")"
        heard "quiet-$way"
        drop_lab
    done
done

head_of "The longest gap between acknowledged writes" "milliseconds"
row gap-quorate "while quorate upgrades" quiet-quorate
row quiet-quorate "as long again, nothing done" quiet-quorate
row gap-hand "while upgraded by hand" quiet-hand
row quiet-hand "as long again, nothing done" quiet-hand

head_of "The upgrade under that load, wall time" "seconds"
row loaded-quorate "quorate" loaded-quorate
row loaded-hand "by hand" loaded-quorate
