/*
 * store-manager COMMAND...: a service manager as far as its file descriptor store goes (FDSTORE=1,
 * FDSTOREREMOVE=1 and FDNAME= of sd_notify(3); LISTEN_FDS of sd_listen_fds(3)). Runs the command,
 * and again whenever it dies by a signal, with what it had stored; ends with it when it exits.
 * $STORE_PID_FILE gets the PID of each.
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST 256

static struct {
    char name[128];
    int fd;
} store[MOST];
static int count;

static void forget(const char *name)
{
    for (int i = 0; i < count; i++)
        if (strcmp(store[i].name, name) == 0) {
            close(store[i].fd);
            store[i--] = store[--count];
        }
}

static void take(int notify)
{
    char text[1024] = "", control[CMSG_SPACE(sizeof(int))] = "", name[128] = "";
    struct iovec vector = {text, sizeof(text) - 1};
    struct msghdr message = {.msg_iov = &vector,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
    int fd = -1;

    if (recvmsg(notify, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
        return;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_type == SCM_RIGHTS)
        memcpy(&fd, CMSG_DATA(header), sizeof(fd));
    const char *at = strstr(text, "FDNAME=");
    if (at)
        sscanf(at + 7, "%127[^\n]", name);
    if (strstr(text, "FDSTOREREMOVE=1"))
        forget(name);
    else if (fd >= 0 && count < MOST) {
        snprintf(store[count].name, sizeof(store[count].name), "%s", name);
        store[count++].fd = fd;
    }
}

static pid_t run(char **command)
{
    char number[16], pid[16], names[MOST * 128] = "";

    pid_t child = fork();
    if (child != 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (int i = 0; i < count; i++) { /* out of the way first */
        store[i].fd = fcntl(store[i].fd, F_DUPFD, 3 + MOST);
        strcat(strcat(names, i > 0 ? ":" : ""), store[i].name);
    }
    for (int i = 0; i < count; i++)
        dup2(store[i].fd, 3 + i);
    closefrom(3 + count);
    snprintf(number, sizeof(number), "%d", count);
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    setenv("LISTEN_FDS", number, 1);
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDNAMES", names, 1);
    execv(command[0], command);
    _exit(127);
}

static void write_pid(pid_t pid)
{
    char temporary[4096];
    const char *path = getenv("STORE_PID_FILE");

    if (!path)
        return;
    snprintf(temporary, sizeof(temporary), "%s.new", path);
    FILE *file = fopen(temporary, "w");
    fprintf(file, "%d\n", (int)pid);
    fclose(file);
    rename(temporary, path);
}

static pid_t running;

static void pass_on(int number)
{
    kill(running, number);
}

int main(int argc, char **argv)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int status = 0, notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (argc < 2)
        return 127;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/store-manager-%d", (int)getpid());
    if (bind(notify, (struct sockaddr *)&address, sizeof(address)) < 0)
        return 127;
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
    signal(SIGTERM, pass_on);
    do {
        running = run(argv + 1);
        write_pid(running);
        for (pid_t gone = 0; gone != running;) {
            struct pollfd ready = {.fd = notify, .events = POLLIN};
            if (poll(&ready, 1, 5) > 0) /* or a child may have ended */
                take(notify);
            else
                gone = waitpid(-1, &status, WNOHANG); /* orphans, too: it is their init */
            if (gone < 0)
                break;
        }
    } while (WIFSIGNALED(status));
    unlink(address.sun_path);
    return WEXITSTATUS(status);
}
