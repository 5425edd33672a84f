//! Real hosts on one machine: systemd-nspawn containers, real sshd, real etcd.
