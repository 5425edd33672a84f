#!/bin/sh
# Stops one unit, swaps its files, starts it again; takes the swap back if the new program does not serve.
#
# It runs as a transient systemd unit of its own, so it comes to its end whatever becomes of the session that began it,
# and its end is always: some program of the unit is running, or `result` says why not. Should this shell itself be killed, for want of
# memory say, systemd runs the script once more, as `window.sh DIR left`, to end what was begun. All it knows is in its folder:
#   plan       what is to be done (shell variables)      files    what is swapped: target, staged, kept, sums, a link's new text
#   judged     by which other files the start was judged, and their sums
#   intent     written before anything is stopped        log      each step, with seconds since boot
#   companions  what systemd stops with the unit, of that what was up
#   sums       of files that were read whole, by their marks; gone at the end
#   leave, no-leave  put there by who ordered it, once all is ready   confirmed  put there by whoever has seen enough
#   journal  what the unit said last
#   result     written last
set -u
umask 077
export LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
dir=$1
cd "$dir" || exit 1
. ./plan
tab=$(printf '\t')

now() { read -r up rest </proc/uptime; printf '%s' "$up"; }
note() { printf '%s %s\n' "$(now)" "$*" >>log; }
# Writes a file so that it is whole or not there, also after a power cut; on a full disk nothing of it stays.
put() { printf '%s\n' "$2" >".$1.new" && sync ".$1.new" && mv -f ".$1.new" "$1" && sync . || { rm -f ".$1.new"; return 1; }; }
property() { systemctl show -p "$1" "$unit" | sed "s/^$1=//"; }

# A file is read whole once and again only when its mark is another: device, inode, size, and the times of its last write and last change. The last is
# the kernel's (inode(7), st_ctime): who writes into the file, or puts another in its place, cannot leave it as it was. Between stop and start
# the sums of etcd and etcdctl of 3.4 and of 3.5, 86 MB, would take 0.3 to 0.4 s (measured 2026-11-28). A stat(1) that knows no such times gives no mark.
mark() { stat -L -c '%d:%i:%s:%.9Y:%.9Z' -- "$1" 2>/dev/null; }
sum() {
    mark=$(mark "$1")
    case $mark in *:*:*:*[0-9].[0-9]*:*[0-9].[0-9]*) ;; *) mark= ;; esac
    if [ -n "$mark" ] && [ -f sums ]; then
        while read -r known found; do [ "$known" != "$mark" ] || { printf '%s' "$found"; return; }; done <sums
    fi
    found=$(sha256sum <"$1" | cut -d' ' -f1)
    [ -z "$mark" ] || [ "$(mark "$1")" != "$mark" ] || printf '%s %s\n' "$mark" "$found" >>sums
    printf '%s' "$found"
}
# A second name is a change of the inode, but of nothing in it.
still() { # mark before, path
    is=$(mark "$2")
    [ -n "$1" ] && [ "${1%:*}" = "${is%:*}" ] && [ -f sums ] || return 0
    while read -r known found; do [ "$known" != "$1" ] || { printf '%s %s\n' "$is" "$found" >>sums; return; }; done <sums
}

# Whether the lock is still this run's.
allowed() { [ -z "$lock" ] || [ "$(sed -n 's/^run=//p' "$lock" 2>/dev/null | head -n 1)" = "$run" ]; }

# What the unit said last; the words of a program that is given up are kept, not those of the one that follows it.
words() { [ -s journal ] || journalctl -u "$unit" -n 20 --no-pager -o cat >journal 2>/dev/null; }

# Starts again what systemd has stopped with the unit, and nothing else: neither what those want besides, nor, where it is down, the unit itself,
# which would come up with one that requires it.
bring_up() {
    [ -s companions ] || return 0
    runs=$(property ActiveState) up=
    while read -r name; do
        case $runs in
        active | activating | reloading) systemctl start --no-block --job-mode=ignore-requirements -- "$name" </dev/null ;;
        *) false ;;
        esac && up="$up $name" || left_down="$left_down $name"
    done <companions
    [ -z "$up" ] || detail="$detail; stopped with it and told to start again:$up"
    [ -z "$left_down" ] || detail="$detail; stopped with it and not started again:$left_down"
}

stopped=0 started=0 serving=0
finish() { # outcome, detail
    detail=$2 left_down=
    [ "$stopped" = 0 ] || bring_up
    note "$1: $detail"
    words
    rm -f sums
    put result "outcome=$1
detail=$detail
left_down=${left_down# }
stopped=$stopped
started=$started
serving=$serving
pid=$(property MainPID)
invocation=$(property InvocationID)"
    exit 0
}

# The data must be there and be this member's: an empty or foreign directory would make it join as somebody who forgot.
whose_data() {
    [ -n "$identity_dir" ] || return 0
    last=$(ls "$identity_dir" 2>/dev/null | grep '\.wal$' | tail -n 1)
    [ -n "$last" ] || { why="no write-ahead log in $identity_dir"; return 1; }
    head=$(od -An -v -tx1 -N 512 "$identity_dir/$last" | tr -d ' \n')
    case $head in
    *"$identity_hex"*) return 0 ;;
    *) why="$identity_dir/$last is not the log of this member"; return 1 ;;
    esac
}

# What stands at a target now, as a text that can be compared and put back.
standing() { if [ -L "$1" ]; then printf 'link:%s' "$(readlink "$1")"; elif [ -f "$1" ]; then sum "$1"; else printf none; fi; }

# What a file holds now, through whatever links it is reached: systemd and etcd follow them.
holds() { if [ -f "$1" ]; then sum "$1"; elif [ -e "$1" ]; then printf other; else printf none; fi; }

# Puts `$1` in the place of `$2` by rename; the program that still runs keeps its own inode.
replace() {
    if [ -L "$2" ]; then relink "$1" "$2"; return; fi
    rm -f "$2.quorate-new"
    was=$(mark "$1")
    { ln "$1" "$2.quorate-new" 2>/dev/null || { cp -p "$1" "$2.quorate-new" && sync "$2.quorate-new"; }; } &&
        mv -f -T "$2.quorate-new" "$2" && sync "$(dirname "$2")" || { rm -f "$2.quorate-new"; return 1; }
    still "$was" "$2"
}

# Makes `$2` a link of just this text, by rename: a relative one stays relative, and one of several hops leads to the next hop as it did.
relink() { # text, target
    rm -f "$2.quorate-new"
    ln -s -- "$1" "$2.quorate-new" && mv -f -T "$2.quorate-new" "$2" && sync "$(dirname "$2")" || { rm -f "$2.quorate-new"; return 1; }
}

# Takes what stands at a target away.
clear() { rm -f "$1" && sync "$(dirname "$1")"; }

# Keeps what stands at a target beside it: a copy, since who writes into the target would write into a second name of it too.
# Of a link there is nothing to keep: its text is what stands there.
keep() { # target, kept, what stands there
    case $3 in none | link:*) return ;; esac
    [ -f "$2" ] && [ "$(sum "$2")" = "$3" ] && [ "$(stat -c %a:%u:%g "$2")" = "$(stat -c %a:%u:%g "$1")" ] && return
    rm -f "$2.quorate-new"
    cp -a "$1" "$2.quorate-new" && sync "$2.quorate-new" && [ "$(sum "$2.quorate-new")" = "$3" ] && mv -f -T "$2.quorate-new" "$2" &&
        sync "$(dirname "$2")" || { rm -f "$2.quorate-new"; return 1; }
}

# While the program still runs: what is replaced meanwhile by somebody else is not what is to come back.
keep_all() {
    while IFS=$tab read -r target staged kept want before link; do
        same "$target" "$before" "$(standing "$target")" || return 1
        keep "$target" "$kept" "$before" || { why="cannot keep $target as $kept"; return 1; }
    done <files
}

swap() {
    while IFS=$tab read -r target staged kept want before link; do
        same "$target" "$before" "$(standing "$target")" || return 1
        if [ "$want" = none ]; then
            clear "$target" || { why="cannot remove $target"; return 1; }
        elif [ -n "$link" ]; then
            relink "$link" "$target" || { why="cannot make $target a link to $link"; return 1; }
        else
            replace "$staged" "$target" || { why="cannot put $staged in the place of $target"; return 1; }
        fi
        note "swapped $target"
    done <files
}

unswap() {
    while IFS=$tab read -r target staged kept want before link; do
        [ "$(standing "$target")" = "$before" ] && continue
        case $before in
        none)
            clear "$target" || { why="cannot remove $target"; return 1; }
            note "removed $target"
            continue
            ;;
        link:*) relink "${before#link:}" "$target" || { why="cannot make $target a link to ${before#link:} again"; return 1; } ;;
        *) replace "$kept" "$target" || { why="cannot put $kept back in the place of $target"; return 1; } ;;
        esac
        note "put back $target"
    done <files
}

is_stopped() { case $(property ActiveState) in inactive | failed | '') [ "$(property MainPID)" = 0 ] ;; *) return 1 ;; esac; }

stop() {
    tries=0
    until [ "$tries" -ge 3 ]; do
        tries=$((tries + 1))
        # systemd itself kills after the unit's own time-out; ours is longer and only for a systemd that hangs.
        timeout "$stop_seconds" systemctl stop "$unit"
        [ $? != 124 ] || { why="$unit did not stop within $stop_seconds s"; return 1; }
        is_stopped && return 0
        # An order to start that somebody else gives meanwhile takes the place of ours to stop (systemctl(1), --job-mode=replace).
    done
    why="$unit does not stay stopped after $tries orders to stop: somebody else starts it"
    return 1
}

is_swapped() {
    while IFS=$tab read -r target rest; do [ "$target" = "$1" ] && return 0; done <files
    return 1
}

# Whether the unit would start as it was judged, before the swap (`old`) or after it (`new`): by the same files, which systemd has read as they
# are, and by the same programs. Else it might start on other data. Who changes a host does not ask us, so this is looked at each time.
as_judged() {
    if [ "$phase" = new ]; then planned=$read_new; else planned=$read_old; fi
    found="$(property FragmentPath) $(property DropInPaths)"
    [ "$found" = "$planned" ] || { why="systemd has read other files of $unit than planned: $found"; return 1; }
    [ "$(property NeedDaemonReload)" = no ] || { why="files of $unit were changed since systemd read them"; return 1; }
    found=$(systemctl show-environment | sed -n "s/^\($foreign[^=]*\)=.*/\1/p" | tr '\n' ' ')
    [ -z "$found" ] || { why="systemd itself was told variables with which $unit would start otherwise, to be taken back by systemctl unset-environment: $found"; return 1; }
    while IFS=$tab read -r path planned; do
        [ "$phase" = new ] && is_swapped "$path" && continue
        same "$path" "$planned" "$(holds "$path")" || return 1
    done <judged
    while IFS=$tab read -r target staged kept want before link; do
        if [ "$phase" = old ]; then same "$target" "$before" "$(standing "$target")" || return 1
        elif [ "$want" = none ]; then same "$target" none "$(standing "$target")" || return 1
        else same "$target" "$want" "$(holds "$target")" || return 1; fi
    done <files
}

same() { # path, expected, found
    [ "$2" = "$3" ] || { why="$1 was changed by somebody else since it was examined: expected $2, found $3"; return 1; }
}

start() {
    [ "$reload" = yes ] && systemctl daemon-reload
    as_judged || { unlike=yes; return 1; }
    systemctl reset-failed "$unit" 2>/dev/null
    before=$(property InvocationID)
    ran=yes
    systemctl start --no-block "$unit" || { why="systemd refuses to start $unit"; return 1; }
}

# The end where nothing serves.
down() {
    [ -z "$unlike" ] || finish down "$1; so that it does not start on other data, it is not started: see that it would start as the member that it was, then run systemctl start $unit"
    finish down "$1"
}

# Whether the program answers on its own host; where there is no bash to ask with, whether it listens.
answers() {
    if [ "$serve_http" = yes ] && command -v bash >/dev/null; then
        timeout 2 bash -c 'exec 3<>"/dev/tcp/$1/$2" && printf "GET %s HTTP/1.0\r\nHost: %s:%s\r\n\r\n" "$3" "$4" "$2" >&3 &&
            IFS= read -r line <&3 && case $line in "HTTP/1."?" 200"*) ;; *) exit 1 ;; esac' - "$serve_address" "$serve_port" "$serve_path" "$serve_name" 2>/dev/null
    else
        grep -qi ":$(printf '%04X' "$serve_port") [0-9A-F]*:0000 0A" /proc/net/tcp /proc/net/tcp6 2>/dev/null
    fi
}

# What systemd says of the unit now. It has InvocationID from version 232 on, NRestarts from 235 on.
look() {
    active= sub= pid=0 restarts= instance= job= code= status=
    for field in $(systemctl show -p ActiveState,SubState,MainPID,NRestarts,InvocationID,Job,ExecMainCode,ExecMainStatus "$unit"); do
        value=${field#*=}
        case $field in
        ActiveState=*) active=$value ;; SubState=*) sub=$value ;; MainPID=*) pid=${value:-0} ;; NRestarts=*) restarts=$value ;;
        InvocationID=*) instance=$value ;; Job=*) job=$value ;; ExecMainCode=*) code=$value ;; ExecMainStatus=*) status=$value ;;
        esac
    done
    # Until the order to start is carried out, all of this is about the program that was stopped.
    case $active in
    '' | inactive) [ -n "$instance" ] && [ "$instance" != "$before" ] && begun=yes ;;
    *) begun=yes ;;
    esac
}

# How often the program has ended since the order to start, and how it ended last. systemd counts its restarts and misses none; where
# it does not say, each instance or else each process that is seen counts. Between two starts, for RestartSec, nothing runs.
count() {
    waits=0
    case $sub in auto-restart*) waits=1 ;; esac
    mark=${instance:-$pid}
    [ "$mark" != 0 ] && [ "$mark" != "$marked" ] && marked=$mark seen=$((seen + 1))
    if [ -n "$restarts" ]; then died=$((restarts + waits)); else died=$((seen > 0 ? seen - 1 + waits : waits)); fi
    case $waits/$active in
    1/* | */failed | */inactive)
        # waitid(2): 1 exited, 2 killed, 3 killed and dumped.
        case $code in 1) ended="; its program ended with exit code $status" ;; 2 | 3) ended="; its program was ended by signal $status" ;; esac
        ;;
    esac
}

# Waits until one and the same process has served for the soak (or was confirmed); gives up early on one that does not stay up.
serve() { # seconds
    end=$(($(now | cut -d. -f1) + $1)) since=0 last=0 serving=0 begun= seen=0 marked=$before died=0 ended= idle=0
    while :; do
        look
        at=$(now)
        [ -n "$begun" ] && count
        [ "$active" = failed ] && { why="$unit failed to start$ended"; return 1; }
        # Three tries: with the RestartSec of 10 s of etcd's own unit that is 20 s, and one more would not find it otherwise.
        [ "$died" -ge 3 ] && { why="$unit was started $died times and does not stay up$ended"; return 1; }
        # It ended and systemd does not start it again. Between the end and a restart it is inactive for an instant, with a job.
        if [ -n "$begun" ] && [ "$active" = inactive ] && [ "${job:-0}" = 0 ]; then idle=$((idle + 1)); else idle=0; fi
        [ "$idle" -ge 3 ] && { why="$unit did not stay up and is not started again$ended"; return 1; }
        [ "$pid" != 0 ] && [ "$pid" != "$last" ] && last=$pid since=0
        if [ "$pid" != 0 ] && answers; then
            if [ "$since" = 0 ]; then since=${at%.*} serving=$at; note "process $pid answers"; fi
            [ -e confirmed ] && return 0
            [ $((${at%.*} - since)) -ge "$soak_seconds" ] && return 0
        else
            since=0
        fi
        [ "${at%.*}" -ge "$end" ] && { why="$unit does not serve after $1 s$ended"; return 1; }
        sleep 0.1
    done
}

# Whether the other members still hold the way back open; who cannot be asked counts as closed.
way_back() {
    # One that never ran has moved nothing.
    [ -z "$ran" ] && return 0
    [ -n "$no_return" ] && [ -e "$no_return" ] && return 1
    [ "$way_back" = open ] && return 0
    [ "$way_back" = ask ] && [ -s peers ] && command -v bash >/dev/null || return 1
    while IFS=$tab read -r address port name path closed; do
        body=$(timeout 3 bash -c 'exec 3<>"/dev/tcp/$1/$2" && printf "GET %s HTTP/1.0\r\nHost: %s:%s\r\n\r\n" "$3" "$4" "$2" >&3 && cat <&3' - "$address" "$port" "$path" "$name" 2>/dev/null)
        case $body in *" 200 "*) ;; *) return 1 ;; esac
        case $body in *"$closed"*) return 1 ;; esac
    done <peers
}

undo() { # why the new one is given up
    if ! way_back; then
        closed='the way back is closed or could not be asked'
        # A window without swaps only restarts: what did not serve is all there is.
        [ -s files ] || closed='there is nothing that could be put back'
        start || down "$1; $closed; then $why"
        finish not-serving "$1; $closed, so it is left to start"
    fi
    note "taking back: $1"
    words
    unlike=
    stop || down "$1; then $why"
    if ! unswap; then
        half=$why
        # Whichever of the two stands there as a whole was examined; a mixture was not.
        start || { phase=old; start; } || down "$1; then $half; then $why"
        finish down "$1; then $half; it was told to start"
    fi
    phase=old
    whose_data || finish down "$1; then $why"
    start || down "$1; then $why"
    serve "$back_seconds" || finish down "$1; the old program was put back, but $why"
    finish rolled-back "$1"
}

# Whether all that was to come stands there.
all_new() {
    while IFS=$tab read -r target staged kept want before; do
        if [ "$want" = none ]; then [ ! -e "$target" ] && [ ! -L "$target" ] || return 1; continue; fi
        [ "$(sum "$target" 2>/dev/null)" = "$want" ] || return 1
    done <files
}

# Ends what a shell that was killed has left. What was swapped as a whole is started; anything less is taken back.
left() {
    [ -f result ] && exit 0
    [ -f intent ] || exit 0
    # A host that is going down starts nothing; what stands is started with it when it comes back.
    [ "$(systemctl is-system-running 2>/dev/null)" = stopping ] && exit 0
    killed='the transaction itself was killed on the host'
    grep -q ' stopping ' log 2>/dev/null || finish refused "$killed before it stopped anything"
    stopped=$(sed -n 's/ stopping .*//p' log | head -n 1)
    # One that was told to start may have opened the data.
    if grep -q ' starting$' log; then ran=yes started=$(sed -n 's/ starting$//p' log | head -n 1); fi
    note "left: $killed"
    all_new || undo "$killed"
    phase=new
    whose_data || undo "$killed; then $why"
    before=
    case $(property ActiveState) in
    active | activating) ;;
    *) [ -n "$ran" ] || started=$(now); start || undo "$killed; then $why" ;;
    esac
    serve "$start_seconds" || undo "$killed; then $why"
    finish done "process $last serves; $killed"
}

why= phase=old ran= unlike=
[ "${2-}" = left ] && left
put intent "began=$(now)" || { echo "cannot write $dir/intent" >&2; exit 1; }
# What another run has taken over is not stopped by this one, however late it comes to it.
allowed || finish refused "the lock $lock is no longer run $run's"
keep_all || finish refused "$why"
while IFS=$tab read -r target staged kept want before; do
    [ "$want" = none ] || [ "$(sum "$staged")" = "$want" ] || finish refused "$staged is not what was staged: its sha256 is not $want"
done <files
up=$(companions "$unit") || finish refused "systemd does not say what it stops with $unit"
[ -z "$up" ] || put companions "$up" || finish refused "cannot write $dir/companions"
whose_data || finish refused "$why"
as_judged || finish refused "$why"
# All that takes its time is behind us. Who ordered it looks at the other members once more now, and says whether there is leave.
if [ "$leave_seconds" != 0 ]; then
    note "ready"
    end=$(($(now | cut -d. -f1) + leave_seconds))
    until [ -e leave ]; do
        [ ! -e no-leave ] || finish refused "there is no leave to stop $unit any more"
        at=$(now)
        [ "${at%.*}" -lt "$end" ] || finish refused "no leave to stop $unit came within $leave_seconds s"
        sleep 0.1
    done
    # What was judged is looked at again, by its marks.
    as_judged || finish refused "$why"
fi
[ "$(property InvocationID)" = "$invocation" ] || finish refused "$unit was restarted by somebody else since it was examined"
allowed || finish refused "the lock $lock is no longer run $run's"

stopped=$(now)
# Who comes after this shell goes by this line, so nothing is stopped before it is on the disk; and where nothing is, it must not stand there.
note "stopping $unit" 2>/dev/null && sync log || { stopped=0; rm -f log; finish refused "cannot write $dir/log"; }
if ! stop; then
    hung=$why
    start || down "$hung; then $why"
    finish down "$hung; it was told to start again"
fi
note "stopped"
if ! swap; then undo "$why"; fi
phase=new
whose_data || undo "$why"
# With what stood there when somebody else started it, nobody knows; from here on it may have been the new program.
if ! is_stopped; then
    ran=yes
    stop || undo "$why"
    note "stopped again: somebody else had started $unit"
fi
started=$(now)
note "starting" || undo "cannot write $dir/log"
start || undo "$why"
serve "$start_seconds" || undo "$why"
finish done "process $last serves"
