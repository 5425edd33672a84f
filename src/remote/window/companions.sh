# The units that systemd stops with `$1` and that are up now, a line each. An order to stop goes on to every unit that requires the one that is
# stopped, is bound to it, is a part of it or was told to follow it, whatever its type, and from that one on, up or not (systemd.unit(5), Requires=,
# BindsTo=, PartOf=, PropagatesStopTo= and the table of their inverses; systemd v252 src/core/unit-dependency-atom.c, UNIT_ATOM_PROPAGATE_STOP).
# An order to start does not come back that way. One that only wants it stays as it is.
companions() {
    known=" $1 $(systemctl show -p Id -- "$1" | sed -n 's/^Id=//p') " next=$1 all=
    while [ -n "$next" ]; do
        # No unit's name has a blank in it.
        found=$(systemctl show -p RequiredBy,RequisiteOf,BoundBy,ConsistsOf,PropagatesStopTo -- $next) || return 1
        next=
        for name in $(printf '%s\n' "$found" | sed -n 's/^[A-Za-z]*=//p'); do
            case $known in *" $name "*) continue ;; esac
            known="$known$name " next="$next $name" all="$all $name"
        done
    done
    for name in $all; do
        case $(systemctl show -p ActiveState -- "$name") in
        *=active | *=activating | *=reloading | *=refreshing) printf '%s\n' "$name" ;;
        *=?*) ;;
        *) return 1 ;;
        esac
    done
}
