/*
 * proctor-sim timeline: draws a trace or a journal as HTML, SVG, Mermaid or for
 * Perfetto.
 */
#include "commands/commands.h"
#include "commands/past_commands.h"
#include "trace/past.h"
#include "trace/timeline.h"
#include "trace/trace.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

/* Runs the trace again: its log has no states, and the picture needs them. */
static int write_timeline(const struct trace *trace, FILE *file, const char *format)
{
    struct schedule schedule = {};
    struct timeline *timeline = timeline_new();
    struct result result;
    const char *title = trace->scenario ? trace->scenario->name : "a generated world";
    struct run run = {.memory = memory_new(RUN_MEMORY),
                      .schedule = &schedule,
                      .subject = trace->scenario,
                      .seed = trace->seed,
                      .observe = timeline_record,
                      .observe_userdata = timeline};

    schedule_begin_given(&schedule, trace->choices, trace->n_choices);
    run_once(&run, &result);
    timeline_end(timeline, 0);
    if (strcmp(format, "html") == 0)
        timeline_write_html(timeline, file, title, trace->verdict);
    else if (strcmp(format, "svg") == 0)
        timeline_write_svg(timeline, file, title, trace->verdict);
    else if (strcmp(format, "json") == 0)
        timeline_write_perfetto(timeline, file);
    else if (strcmp(format, "mermaid") == 0)
        timeline_write_mermaid(timeline, file, title);
    else
        fputs(trace->log, file);
    timeline_free(timeline);
    commands_close_run(&run);
    return ferror(file) ? EXIT_USAGE : 0;
}

static bool known_format(const char *format)
{
    static const char *const formats[] = {"html", "svg", "json", "mermaid", "text"};

    for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
        if (strcmp(formats[i], format) == 0)
            return true;
    return false;
}

/* What is wrong with a file is said before anything is written. */
static int handle(int argc, char **argv)
{
    static const struct option longs[] = {{"format", required_argument, NULL, 'f'}, {}};
    const char *path = NULL, *format = "html";

    for (int c; (c = getopt_long(argc, argv, "o:", longs, NULL)) != -1;) {
        if (c == 'o')
            path = optarg;
        else if (c == 'f' && known_format(optarg))
            format = optarg;
        else
            return commands_refuse(&command_timeline, "what is \"%s\"?",
                                   optarg ? optarg : argv[optind - 1]);
    }
    if (optind + 1 != argc)
        return commands_refuse(&command_timeline, "one trace is expected");
    bool real = past_is(argv[optind]);
    struct trace *trace = real ? NULL : trace_read(argv[optind]);
    if (!trace && !real)
        return EXIT_USAGE;
    FILE *file = path ? fopen(path, "we") : stdout;
    if (!file) {
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
        trace_free(trace);
        return EXIT_USAGE;
    }
    int status =
        real ? past_timeline(argv[optind], file, format) : write_timeline(trace, file, format);
    if (path && fclose(file) != 0)
        status = EXIT_USAGE;
    trace_free(trace);
    return status;
}

const struct command_entry command_timeline = {
    "timeline", handle, "timeline TRACE|JOURNAL -o FILE [--format F]",
    "a run as a picture: one page, no network",
    "  -o FILE            output file (default: standard output)\n"
    "  --format F         html (default), svg, json (for Perfetto), mermaid, text\n"};
