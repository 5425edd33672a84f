//! Programs that say they are the new etcd and are not.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::control::NEW;

/// What a program does when it is started to serve.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Behaviour {
    /// Ends at once, as one that does not know a flag.
    Exits,
    /// Runs for a second, then ends.
    CrashLoops,
    /// Serves `/version` to clients, and never becomes a part of the cluster.
    NeverJoins,
    /// Is for another kind of machine, so that no kernel of a lab runs it.
    OtherMachine,
    /// Says another version than it is given out for.
    Mislabelled,
    /// Serves `/version` to clients, and whatever else they ask it asks another member of the cluster, as a proxy that is in its place.
    AnswersForAnother,
}

/// What a mislabelled one says.
const OTHER: &str = "9.9.9";
/// Where an ELF file has its machine (elf(5), `e_machine`), and one that no lab is: SPARC v9, 43.
const MACHINE: (usize, u8) = (18, 43);

/// `BEHAVIOUR` is a number, `VERSION` a text.
const SOURCE: &str = r#"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

/* The address of the first member in the cluster's list that is not this one. */
static int another(struct sockaddr_in *place) {
    char list[4096], *rest = list, *item;
    const char *all = getenv("ETCD_INITIAL_CLUSTER"), *name = getenv("ETCD_NAME");
    if (all == NULL || name == NULL) return -1;
    snprintf(list, sizeof list, "%s", all);
    while ((item = strsep(&rest, ",")) != NULL) {
        char *url = strchr(item, '='), *address = strstr(item, "://"), *end;
        if (url == NULL || address == NULL) continue;
        *url = 0;
        address += 3;
        if ((end = strchr(address, ':')) != NULL) *end = 0;
        if (strcmp(item, name) == 0) continue;
        place->sin_family = AF_INET;
        place->sin_port = htons(2379);
        return inet_pton(AF_INET, address, &place->sin_addr) == 1 ? 0 : -1;
    }
    return -1;
}

/* What was read already goes first; then both ways until one side ends. */
static void pass_on(int client, const char *begun, size_t length) {
    struct sockaddr_in place = {0};
    int other = socket(AF_INET, SOCK_STREAM, 0);
    if (another(&place) != 0 || connect(other, (struct sockaddr *)&place, sizeof place) != 0) return;
    if (write(other, begun, length) < 0) return;
    struct pollfd ends[2] = {{.fd = client, .events = POLLIN}, {.fd = other, .events = POLLIN}};
    while (poll(ends, 2, -1) > 0)
        for (int i = 0; i < 2; i++) {
            char bytes[4096];
            if (ends[i].revents == 0) continue;
            ssize_t got = read(ends[i].fd, bytes, sizeof bytes);
            if (got <= 0 || write(ends[1 - i].fd, bytes, got) < 0) return;
        }
}

/* The whole head is read before it is answered: a socket that is closed with bytes unread is reset. */
static void answer(int client) {
    char ask[4096] = {0};
    size_t have = 0;
    while (strstr(ask, "\r\n\r\n") == NULL) {
        ssize_t got = read(client, ask + have, sizeof ask - 1 - have);
        if (got <= 0) return;
        have += got;
    }
    const char *version = "HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{\"etcdserver\":\"" VERSION "\",\"etcdcluster\":\"2.0.0\"}";
    const char *no = "HTTP/1.0 503 Service Unavailable\r\n\r\n{\"health\": \"false\"}";
    int of_version = strncmp(ask, "GET /version", 12) == 0;
    if (BEHAVIOUR == 5 && !of_version) {
        pass_on(client, ask, have);
        return;
    }
    const char *text = of_version ? version : no;
    if (write(client, text, strlen(text)) < 0) return;
}

static int serve(void) {
    int yes = 1, door = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in place = {.sin_family = AF_INET, .sin_port = htons(2379)};
    setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(door, (struct sockaddr *)&place, sizeof place) != 0 || listen(door, 64) != 0) return 1;
    for (;;) {
        int client = accept(door, NULL, NULL);
        struct timeval patience = {.tv_sec = 2};
        setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        if (fork() == 0) {
            answer(client);
            _exit(0);
        }
        close(client);
    }
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--version") == 0) {
            puts("etcd Version: " VERSION);
            return 0;
        }
    fputs("the last words of the new program\n", stderr);
    /* Nobody waits for the children. */
    signal(SIGCHLD, SIG_IGN);
    if (BEHAVIOUR == 1) sleep(1);
    return BEHAVIOUR == 2 || BEHAVIOUR == 5 ? serve() : 1;
}
"#;

/// Builds it; gives its path and its SHA-256.
pub(crate) fn build(folder: &Path, behaviour: Behaviour) -> (PathBuf, String) {
    let source = folder.join(format!("{behaviour:?}.c"));
    let program = folder.join(format!("{behaviour:?}"));
    std::fs::write(&source, SOURCE).unwrap();
    let version = if matches!(behaviour, Behaviour::Mislabelled) { OTHER } else { NEW };
    let mut gcc = Command::new("gcc");
    gcc.arg("-static").arg(format!("-DBEHAVIOUR={}", behaviour as u8)).arg(format!("-DVERSION=\"{version}\""));
    let status = gcc.arg("-o").arg(&program).arg(&source).status().unwrap();
    assert!(status.success(), "gcc: {status}");
    if matches!(behaviour, Behaviour::OtherMachine) {
        let mut bytes = std::fs::read(&program).unwrap();
        bytes[MACHINE.0] = MACHINE.1;
        std::fs::write(&program, bytes).unwrap();
    }
    let sum = Command::new("sha256sum").arg(&program).output().unwrap();
    let sum = String::from_utf8(sum.stdout).unwrap();
    (program, sum.split_whitespace().next().unwrap().to_owned())
}
