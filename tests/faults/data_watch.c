/* Prints a line for every change to the files of a file system, with who made it: `PROGRAM PID WHAT NAME`.
 *
 * fanotify(7) tells of changes on a whole file system, also those made in other mount namespaces, and by which process; the number is as
 * this process's PID namespace has it. Reads are not told of. The program is looked up when the event is read: a process that ended
 * in between is `?`, which counts as a stranger.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <unistd.h>

static const struct { unsigned long long bit; const char *name; } KINDS[] = {
    {FAN_CREATE, "create"}, {FAN_DELETE, "delete"}, {FAN_MOVED_FROM, "move"}, {FAN_MOVED_TO, "move"},
    {FAN_MODIFY, "modify"}, {FAN_ATTRIB, "attrib"},
};

static void tell(const struct fanotify_event_metadata *event) {
    char link[64], program[512] = "?";
    snprintf(link, sizeof link, "/proc/%d/exe", (int)event->pid);
    ssize_t length = readlink(link, program, sizeof program - 1);
    if (length > 0) program[length] = 0; else strcpy(program, "?");
    /* A file that was swapped while its process runs. */
    char *deleted = strstr(program, " (deleted)");
    if (deleted) *deleted = 0;
    const char *name = "";
    const struct fanotify_event_info_fid *info = (const void *)(event + 1);
    if (event->event_len > sizeof *event && info->hdr.info_type == FAN_EVENT_INFO_TYPE_DFID_NAME) {
        const struct file_handle *handle = (const void *)info->handle;
        name = (const char *)handle->f_handle + handle->handle_bytes;
    }
    printf("%s %d ", program, (int)event->pid);
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++)
        if (event->mask & KINDS[i].bit) printf("%s,", KINDS[i].name);
    if (event->mask & FAN_Q_OVERFLOW) printf("overflow,");
    printf(" %s\n", name);
}

int main(int argc, char **argv) {
    int watch = fanotify_init(FAN_CLASS_NOTIF | FAN_REPORT_DFID_NAME | FAN_UNLIMITED_QUEUE, O_RDONLY);
    if (watch < 0) { perror("fanotify_init"); return 1; }
    for (int i = 1; i < argc; i++)
        if (fanotify_mark(watch, FAN_MARK_ADD | FAN_MARK_FILESYSTEM,
                          FAN_CREATE | FAN_DELETE | FAN_MOVED_FROM | FAN_MOVED_TO | FAN_MODIFY | FAN_ATTRIB | FAN_ONDIR,
                          AT_FDCWD, argv[i]) < 0) { perror(argv[i]); return 1; }
    puts("watching");
    fflush(stdout);
    static char buffer[1 << 16] __attribute__((aligned(8)));
    ssize_t length;
    while ((length = read(watch, buffer, sizeof buffer)) > 0) {
        const struct fanotify_event_metadata *event = (const void *)buffer;
        for (; FAN_EVENT_OK(event, length); event = FAN_EVENT_NEXT(event, length)) tell(event);
        fflush(stdout);
    }
    return 1;
}
