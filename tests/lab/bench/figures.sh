# Sourced: single figures go into files, one a line; rows of a table come out of them.

# Adds a figure to the series `$1`.
figure() { printf '%s\n' "$2" >>"$keep/$1.txt"; }

# The middle one of a series (the lower of two), its least and its greatest.
middle() { sort -g "$keep/$1.txt" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)], v[1], v[NR], NR }'; }

# A table's head: what is measured, in which unit.
head_of() { printf '\n%s\n%-58s %9s %9s %9s %3s %7s\n' "$1" "($2)" median least most n ratio; }

# A row: the series, its name; ratios are to the series `$3`.
row() {
    if [ ! -s "$keep/$1.txt" ]; then printf '%-58s not measured\n' "$2" && return; fi
    base=$(middle "$3" | cut -d' ' -f1)
    middle "$1" | awk -v name="$2" -v base="$base" \
        '{ printf "%-58s %9.2f %9.2f %9.2f %3d %7.2f\n", name, $1, $2, $3, $4, (base > 0) ? $1 / base : 0 }'
}

# Adds how many seconds a command took to the series `$1`; if it fails, shows what it said and fails as it does.
clock() {
    series=$1 && shift
    begun=$(date +%s%N)
    if "$@" >"$keep/last.log" 2>&1 </dev/null; then :; else
        code=$?
        printf 'exit %s: %s\n' "$code" "$*" >&2
        tail -n 20 "$keep/last.log" >&2
        return "$code"
    fi
    ended=$(date +%s%N)
    figure "$series" "$(awk -v ns="$((ended - begun))" 'BEGIN { printf "%.3f", ns / 1e9 }')"
}
