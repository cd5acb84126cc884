/* Lists the children and restarts one: sdbus [CHILD]. With sd-bus: cc sdbus.c -lsystemd */
#include <stdio.h>
#include <stdlib.h>
#include <systemd/sd-bus.h>

int main(int argc, char **argv)
{
    const char *address = getenv("PROCTOR_BUS_ADDRESS"), *id, *path, *operation, *status,
               *readiness;
    sd_bus_error error = SD_BUS_ERROR_NULL;
    sd_bus_message *children = NULL;
    uint64_t generation, attempt;
    sd_bus *bus = NULL;
    int stale;

    int r = address ? sd_bus_new(&bus) : sd_bus_open_system(&bus);
    if (r >= 0 && address && (r = sd_bus_set_address(bus, address)) >= 0 &&
        (r = sd_bus_set_bus_client(bus, 1)) >= 0)
        r = sd_bus_start(bus);
    if (r >= 0) /* "wait" may take longer than the 25 s that are usual */
        r = sd_bus_set_method_call_timeout(bus, UINT64_C(120) * 1000000);
    if (r >= 0)
        r = sd_bus_call_method(bus, "org.proctor1", "/org/proctor1", "org.proctor1.Manager",
                               "ListChildren", &error, &children, NULL);
    if (r >= 0)
        r = sd_bus_message_enter_container(children, 'a', "(sosssttbsub)");
    while (r >= 0 && sd_bus_message_enter_container(children, 'r', "sosssttbsub") > 0) {
        r = sd_bus_message_read(children, "sosssttb", &id, &path, &operation, &status, &readiness,
                                &generation, &attempt, &stale);
        printf("%s: %s, generation %llu\n", id, status, (unsigned long long)generation);
        sd_bus_message_skip(children, "sub");
        sd_bus_message_exit_container(children);
    }
    if (r >= 0 && argc > 1)
        r = sd_bus_call_method(bus, "org.proctor1", "/org/proctor1", "org.proctor1.Manager",
                               "RestartChild", &error, NULL, "ssa{sv}", argv[1],
                               "asked for by sdbus", 1, "wait", "b", 1);
    if (r < 0)
        fprintf(stderr, "%s: %s\n", error.name ? error.name : "error", error.message);
    sd_bus_error_free(&error);
    sd_bus_message_unref(children);
    sd_bus_flush_close_unref(bus);
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
