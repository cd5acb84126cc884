/* Writes its first moment and its PID into a FIFO, or says that it is ready; and stays. */
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv)
{
    struct timespec now;
    struct {
        uint64_t nsec;
        int pid;
        int pad;
    } record = {};

    if (argc == 2 && strcmp(argv[1], "ready") == 0) {
        sd_notify(0, "READY=1");
        for (;;)
            pause();
    }
    clock_gettime(CLOCK_MONOTONIC, &now);
    record.nsec = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
    record.pid = getpid();
    if (argc != 2 || write(open(argv[1], O_WRONLY), &record, sizeof(record)) != sizeof(record))
        return 1;
    for (;;)
        pause();
}
