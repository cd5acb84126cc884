/* Writes its first moment and its PID into a FIFO, or says that it is ready; and stays. It needs no
 * library, so that what is measured is not a dynamic linker. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static void say_ready(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *path = getenv("NOTIFY_SOCKET");
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

    strncpy(address.sun_path, path ? path : "", sizeof(address.sun_path) - 1);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
        write(fd, "READY=1", 7) < 0)
        _exit(1);
    close(fd);
}

static int write_stamp(const char *fifo)
{
    struct timespec now;
    struct {
        uint64_t nsec;
        int pid;
        int pad;
    } record = {};

    clock_gettime(CLOCK_MONOTONIC, &now);
    record.nsec = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    record.pid = getpid();
    return write(open(fifo, O_WRONLY), &record, sizeof(record)) == sizeof(record) ? 0 : -1;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 1;
    if (strcmp(argv[1], "ready") == 0)
        say_ready();
    else if (write_stamp(argv[1]) < 0)
        return 1;
    for (;;)
        pause();
}
