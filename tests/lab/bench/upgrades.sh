# Sourced: the two ways to take the lab's cluster to the next minor, each one command for `clock`.

# The version that an upgrade goes to: the last archive of the lab's releases, which are its own version and the next minor.
target() { sed -n 's/.*etcd-v\([0-9.]*\)-linux-.*/\1/p' "$RELEASES/SHA256SUMS" | sort -V | tail -n 1; }

by_quorate() {
    control "$quorate" run "$repo/playbooks/etcd-upgrade.yml" -i "$INVENTORY" -F "$SSH_CONFIG" --state-dir "$work/state" \
        -e etcd_version="$to" -e etcd_releases="$RELEASES" --json
}

by_hand() { control sh "$bench/by-hand.sh" "$programs/etcd"; }

# How long each member was down, in milliseconds, from what the upgrade printed.
down_of_quorate() { sed -n 's/.*"event":"member_rolled".*"down":{"secs":\([0-9]*\),"nanos":\([0-9]*\)}.*/\1 \2/p' "$keep/last.log" | awk '{ print $1 * 1000 + $2 / 1e6 }'; }
down_of_hand() { sed -n 's/^down [^ ]* //p' "$keep/last.log"; }

# A new lab, and what an upgrade of it needs to know.
fresh() {
    new_lab
    to=$(target)
    programs=$("$lab_command" binary "$to" 2>/dev/null)
}
