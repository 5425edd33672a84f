# Sourced by `run`: how long the program itself takes to be there, and how much memory a run takes.

[ -n "$lab" ] || new_lab
settings
round=0
while [ "$round" -lt "$rounds" ]; do
    round=$((round + 1))
    # A hundred starts at a time: one is too short for this clock.
    clock start-version sh -c 'n=0; while [ "$n" -lt 100 ]; do "$1" --version; n=$((n + 1)); done' - "$quorate"
    clock start-nothing sh -c 'n=0; while [ "$n" -lt 100 ]; do "$1"; n=$((n + 1)); done' - /bin/true
done
head_of "A hundred starts of a program" "seconds"
row start-version "quorate --version" start-version
row start-nothing "/bin/true" start-version

head_of "The most memory of a run, 20 tasks on three hosts" "MiB"
if [ -x /usr/bin/time ]; then
    round=0
    while [ "$round" -lt "$rounds" ]; do
        round=$((round + 1))
        control /usr/bin/time -o "$keep/time.log" -f %M "$quorate" run "$bench/twenty.yml" -i "$INVENTORY" -F "$SSH_CONFIG" --state-dir "$work/state" >"$keep/last.log" 2>&1
        figure start-memory "$(awk '{ printf "%.1f", $1 / 1024 }' "$keep/time.log")"
    done
    row start-memory "quorate run" start-memory
else
    printf 'not measured: /usr/bin/time is not there (Debian: time)\n'
fi
[ -z "$own" ] || drop_lab
