# Sourced by `run`: each hop by itself on a cluster made for it, under load: how long it takes, how long members are down, what the writers see.

. "$bench/upgrades.sh"
load() { act=$1 && shift && "$lab_command" load "$act" --name "$lab" "$@"; }
# A number of the check's JSON.
of_check() { tr ',{' '\n\n' <"$keep/$1.json" | sed -n "s/^ *\"$2\": *\([0-9.]*\).*/\1/p" | head -n 1; }
checked() {
    load stop >/dev/null
    load check --json >"$keep/$1.json" || fail "the load's check: $(cat "$keep/$1.json")"
}

printf '\nEach hop: median (least to most) of the rounds; down times over all members\n'
printf '%-18s %22s %24s %24s %24s %7s %5s\n' hop 'upgrade, s' 'a member down, ms' 'longest write gap, ms' 'quiet, as long, ms' acked lost
spread() { middle "$1" | awk -v f="%.$2f" '{ printf f " (" f " to " f ")", $1, $2, $3 }'; }
from=2.0.5
for to in 2.1.1 2.2.5 2.3.8 3.0.17 3.1.20 3.2.32 3.3.27 3.4.13 3.5.35 3.6.16 3.7.3; do
    hop=$from-$to round=0 acked=0 lost=0
    while [ "$round" -lt "$rounds" ]; do
        round=$((round + 1))
        new_lab --etcd "$from" --releases "$to"
        load start >/dev/null
        clock "hop-$hop" by_quorate
        checked "loaded-$hop-$round"
        down_of_quorate >>"$keep/down-$hop.txt"
        figure "gap-$hop" "$(of_check "loaded-$hop-$round" gap_ms)"
        acked=$((acked + $(of_check "loaded-$hop-$round" acked))) lost=$((lost + $(of_check "loaded-$hop-$round" lost)))
        load start >/dev/null
        sleep "$(tail -n 1 "$keep/hop-$hop.txt")"
        checked "quiet-$hop-$round"
        figure "quiet-$hop" "$(of_check "quiet-$hop-$round" gap_ms)"
        drop_lab
    done
    printf '%-18s %22s %24s %24s %24s %7s %5s\n' "$from to $to" "$(spread "hop-$hop" 1)" "$(spread "down-$hop" 0)" \
        "$(spread "gap-$hop" 0)" "$(spread "quiet-$hop" 0)" "$acked" "$lost"
    from=$to
    # 3.4.13 is no release to leave 3.4 from (docs/etcd-upgrade.md, "Least patches").
    [ "$from" != 3.4.13 ] || from=3.4.23
done
