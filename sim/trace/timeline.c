/*
 * Draws a run: a lane for each child, a bar for each attempt, marks for what
 * happened. The same collected data is written as HTML, SVG, for Perfetto and
 * as Mermaid.
 */
#include "trace/timeline.h"

#include "timeline_page.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The page, with the place for its data marked. */
__asm__(".section .rodata\n"
        ".balign 16\n"
        "timeline_page:\n"
        ".incbin \"" TIMELINE_PAGE "\"\n"
        ".byte 0\n"
        ".previous\n");
extern const char timeline_page[] __asm__("timeline_page");

#define DATA_PLACE "/*DATA*/"

enum phase { PHASE_STARTING, PHASE_RUNNING, PHASE_READY, PHASE_CANCELLING };

struct change {
    uint64_t usec;
    enum phase phase;
};

struct bar {
    uint32_t lane;
    uint64_t from, to, generation, attempt;
    struct change changes[12];
    uint32_t n_changes;
    char end[80];
    bool open;
};

struct span {
    uint32_t lane;
    uint64_t from, to;
    char text[80];
    bool open;
};

enum mark_kind {
    MARK_COMMAND,
    MARK_CANCEL,
    MARK_ABORT,
    MARK_STALE,
    MARK_EXIT,
    MARK_FAILURE,
    MARK_HOLD,
    MARK_SILENCE,
    MARK_FAULT,
    MARK_TREE,
    MARK_VERDICT,
    MARK_KINDS,
};

static const char *const mark_words[MARK_KINDS] = {"command", "cancel",  "abort",  "stale",
                                                   "exit",    "failure", "hold",   "silence",
                                                   "fault",   "tree",    "verdict"};

struct mark {
    int64_t lane; /* -1: the tree */
    uint64_t usec;
    enum mark_kind kind;
    char text[200];
};

/* A list that grows. */
#define LIST_OF(type)                                                                              \
    struct {                                                                                       \
        type *items;                                                                               \
        size_t count, capacity;                                                                    \
    }

struct timeline {
    LIST_OF(char *) lanes;
    LIST_OF(struct bar) bars;
    LIST_OF(struct span) fences;
    LIST_OF(struct span) waits;
    LIST_OF(struct mark) marks;
    uint64_t end;
};

static void *grow(void *items, size_t *capacity, size_t size)
{
    *capacity = *capacity ? *capacity * 2 : 64;
    items = realloc(items, *capacity * size);
    if (!items) {
        perror("proctor-sim: timeline");
        exit(EXIT_FAILURE);
    }
    return items;
}

#define APPEND(list)                                                                               \
    (((list).count == (list).capacity                                                              \
          ? (void)((list).items = grow((list).items, &(list).capacity, sizeof(*(list).items)))     \
          : (void)0),                                                                              \
     &(list).items[(list).count++])

struct timeline *timeline_new(void)
{
    struct timeline *timeline = calloc(1, sizeof(*timeline));

    if (!timeline) {
        perror("proctor-sim: timeline");
        exit(EXIT_FAILURE);
    }
    return timeline;
}

/* NULL is allowed. */
void timeline_free(struct timeline *timeline)
{
    if (!timeline)
        return;
    for (size_t i = 0; i < timeline->lanes.count; i++)
        free(timeline->lanes.items[i]);
    free(timeline->lanes.items);
    free(timeline->bars.items);
    free(timeline->fences.items);
    free(timeline->waits.items);
    free(timeline->marks.items);
    free(timeline);
}

/* ---- collecting ------------------------------------------------------------------------------ */

/* Lanes in the order in which children appear. */
static int64_t lane_of(struct timeline *timeline, const char *child)
{
    if (!child[0])
        return -1;
    for (size_t i = 0; i < timeline->lanes.count; i++)
        if (strcmp(timeline->lanes.items[i], child) == 0)
            return (int64_t)i;
    char *name = strdup(child);
    if (name)
        *APPEND(timeline->lanes) = name;
    return (int64_t)timeline->lanes.count - 1;
}

static void add_mark(struct timeline *timeline, const struct record *record, enum mark_kind kind)
{
    struct mark *mark = APPEND(timeline->marks);

    mark->lane = lane_of(timeline, record->child);
    mark->usec = record->time_nsec / 1000;
    mark->kind = kind;
    snprintf(mark->text, sizeof(mark->text), "%s%s%s", record->what, record->text[0] ? ": " : "",
             record->text);
}

static struct bar *open_bar(struct timeline *timeline, int64_t lane)
{
    for (size_t i = timeline->bars.count; i-- > 0;)
        if (timeline->bars.items[i].lane == lane)
            return timeline->bars.items[i].open ? &timeline->bars.items[i] : NULL;
    return NULL;
}

/* An attempt begins. */
static void begin_bar(struct timeline *timeline, const struct record *record, int64_t lane)
{
    struct bar *bar = APPEND(timeline->bars);

    *bar = (struct bar){.lane = (uint32_t)lane,
                        .from = record->time_nsec / 1000,
                        .generation = record->generation,
                        .attempt = record->attempt,
                        .n_changes = 1,
                        .open = true};
    bar->changes[0] = (struct change){bar->from, PHASE_STARTING};
}

static void change_bar(struct timeline *timeline, const struct record *record, int64_t lane,
                       enum phase phase)
{
    struct bar *bar = open_bar(timeline, lane);

    if (bar && bar->n_changes < 12)
        bar->changes[bar->n_changes++] = (struct change){record->time_nsec / 1000, phase};
}

/* With the reason of the end, which the picture shows on request. */
static void end_bar(struct timeline *timeline, const struct record *record, int64_t lane)
{
    struct bar *bar = open_bar(timeline, lane);
    const char *reason = strstr(record->text, "reason=");

    if (!bar)
        return;
    bar->to = record->time_nsec / 1000;
    bar->open = false;
    snprintf(bar->end, sizeof(bar->end), "%.70s", reason ? reason + 7 : record->what);
    char *cut = strstr(bar->end, " counted=");
    if (cut)
        *cut = '\0';
}

static void begin_span(struct span *span, const struct record *record, int64_t lane)
{
    *span = (struct span){.lane = (uint32_t)lane, .from = record->time_nsec / 1000, .open = true};
    snprintf(span->text, sizeof(span->text), "%.79s", record->text);
}

static void end_fence(struct timeline *timeline, const struct record *record, int64_t lane)
{
    for (size_t i = 0; i < timeline->fences.count; i++) {
        struct span *fence = &timeline->fences.items[i];
        if (fence->open && fence->lane == lane) {
            fence->to = record->time_nsec / 1000;
            fence->open = false;
        }
    }
}

static void end_wait(struct timeline *timeline, const struct record *record, int64_t lane)
{
    for (size_t i = timeline->waits.count; i-- > 0;) {
        struct span *wait = &timeline->waits.items[i];
        if (wait->lane == lane && wait->open) {
            wait->to = record->time_nsec / 1000;
            wait->open = false;
            return;
        }
    }
}

/* Which events are drawn, and how. */
static void enter_event(struct timeline *timeline, const struct record *record, int64_t lane)
{
    switch ((int)record->event) {
    case EVENT_CHILD_STARTING:
        end_wait(timeline, record, lane);
        begin_bar(timeline, record, lane);
        return;
    case EVENT_CHILD_RUNNING:
    case EVENT_CHILD_NOT_READY:
        change_bar(timeline, record, lane, PHASE_RUNNING);
        return;
    case EVENT_CHILD_READY:
        change_bar(timeline, record, lane, PHASE_READY);
        return;
    case EVENT_CHILD_CONTROL_CANCEL_DELIVERED:
        change_bar(timeline, record, lane, PHASE_CANCELLING);
        add_mark(timeline, record, MARK_CANCEL);
        return;
    case EVENT_CHILD_CONTROL_ABORT_REQUESTED:
        add_mark(timeline, record, MARK_ABORT);
        return;
    case EVENT_CHILD_EXITED:
        end_bar(timeline, record, lane);
        add_mark(timeline, record, MARK_EXIT);
        return;
    case EVENT_CHILD_SPAWN_FAILED:
        end_bar(timeline, record, lane);
        add_mark(timeline, record, MARK_FAILURE);
        return;
    case EVENT_CHILD_BACKOFF_SCHEDULED:
        begin_span(APPEND(timeline->waits), record, lane);
        return;
    case EVENT_CHILD_RESTART_FENCE_ENTERED:
        begin_span(APPEND(timeline->fences), record, lane);
        return;
    case EVENT_CHILD_RESTART_FENCE_RELEASED:
        end_fence(timeline, record, lane);
        return;
    case EVENT_CHILD_RESTART_CONFLICT:
        if (strstr(record->text, "withdrawn"))
            end_fence(timeline, record, lane);
        return;
    case EVENT_CHILD_ATTEMPT_STALE_REPORT:
        add_mark(timeline, record, MARK_STALE);
        return;
    case EVENT_CHILD_CONTROL_STOP_FAILED:
        add_mark(timeline, record, MARK_FAILURE);
        return;
    case EVENT_CHILD_OPERATION_CHANGED:
    case EVENT_CHILD_QUARANTINED:
        end_wait(timeline, record, lane);
        add_mark(timeline, record, MARK_HOLD);
        return;
    case EVENT_CHILD_HEARTBEAT_STALE:
    case EVENT_CHILD_HEARTBEAT_RECOVERED:
        add_mark(timeline, record, MARK_SILENCE);
        return;
    case EVENT_SHUTDOWN_REQUESTED:
    case EVENT_SHUTDOWN_COMPLETED:
    case EVENT_ESCALATED:
        add_mark(timeline, record, MARK_TREE);
        return;
    }
}

/* An observer of a run. */
void timeline_record(void *userdata, const struct record *record)
{
    struct timeline *timeline = userdata;
    int64_t lane = lane_of(timeline, record->child);

    if (record->time_nsec / 1000 > timeline->end)
        timeline->end = record->time_nsec / 1000;
    switch (record->kind) {
    case RECORD_EVENT:
        enter_event(timeline, record, lane);
        return;
    case RECORD_OUTCOME:
        add_mark(timeline, record, MARK_COMMAND);
        return;
    case RECORD_FAULT:
        add_mark(timeline, record, MARK_FAULT);
        return;
    case RECORD_VERDICT:
        add_mark(timeline, record, MARK_VERDICT);
        return;
    case RECORD_INPUT:
    case RECORD_CALL:
    case RECORD_PROCESS:
        return;
    }
}

/* What is still open ends with the picture. */
void timeline_end(struct timeline *timeline, uint64_t end_nsec)
{
    if (end_nsec / 1000 > timeline->end)
        timeline->end = end_nsec / 1000;
    if (timeline->end == 0)
        timeline->end = 1;
    for (size_t i = 0; i < timeline->bars.count; i++)
        if (timeline->bars.items[i].open)
            timeline->bars.items[i].to = timeline->end;
    for (size_t i = 0; i < timeline->fences.count; i++)
        if (timeline->fences.items[i].open)
            timeline->fences.items[i].to = timeline->end;
    for (size_t i = 0; i < timeline->waits.count; i++)
        if (timeline->waits.items[i].open)
            timeline->waits.items[i].to = timeline->end;
}

/* ---- html ------------------------------------------------------------------------------------ */

/* Safe within a page, too. */
static void write_json_text(FILE *file, const char *text)
{
    fputc('"', file);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c == '"' || c == '\\')
            fprintf(file, "\\%c", c);
        else if (c < 0x20 || c == '<') /* no </script> */
            fprintf(file, "\\u%04x", c);
        else
            fputc(c, file);
    }
    fputc('"', file);
}

/* As small as can be: pages of long runs are large. */
static void write_bars(const struct timeline *timeline, FILE *file)
{
    for (size_t i = 0; i < timeline->bars.count; i++) {
        const struct bar *bar = &timeline->bars.items[i];
        fprintf(file, "%s[%u,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",[", i ? "," : "",
                bar->lane, bar->from, bar->to, bar->generation, bar->attempt);
        for (uint32_t k = 0; k < bar->n_changes; k++)
            fprintf(file, "%s[%" PRIu64 ",%d]", k ? "," : "", bar->changes[k].usec,
                    bar->changes[k].phase);
        fprintf(file, "],");
        write_json_text(file, bar->open ? "still there at the end" : bar->end);
        fprintf(file, "]");
    }
}

static void write_spans(const struct span *spans, size_t count, FILE *file)
{
    for (size_t i = 0; i < count; i++) {
        fprintf(file, "%s[%u,%" PRIu64 ",%" PRIu64 ",", i ? "," : "", spans[i].lane, spans[i].from,
                spans[i].to);
        write_json_text(file, spans[i].text);
        fprintf(file, "]");
    }
}

/* What the page's script reads. */
static void write_data(const struct timeline *timeline, FILE *file, const char *title,
                       const char *verdict)
{
    fprintf(file, "{\"title\":");
    write_json_text(file, title);
    fprintf(file, ",\"verdict\":");
    write_json_text(file, verdict);
    fprintf(file, ",\"end\":%" PRIu64 ",\"lanes\":[", timeline->end);
    for (size_t i = 0; i < timeline->lanes.count; i++) {
        fprintf(file, "%s", i ? "," : "");
        write_json_text(file, timeline->lanes.items[i]);
    }
    fprintf(file, "],\"bars\":[");
    write_bars(timeline, file);
    fprintf(file, "],\"fences\":[");
    write_spans(timeline->fences.items, timeline->fences.count, file);
    fprintf(file, "],\"waits\":[");
    write_spans(timeline->waits.items, timeline->waits.count, file);
    fprintf(file, "],\"marks\":[");
    for (size_t i = 0; i < timeline->marks.count; i++) {
        const struct mark *mark = &timeline->marks.items[i];
        fprintf(file, "%s[%" PRId64 ",%" PRIu64 ",%d,", i ? "," : "", mark->lane, mark->usec,
                mark->kind);
        write_json_text(file, mark->text);
        fprintf(file, "]");
    }
    fprintf(file, "]}");
}

void timeline_write_html(const struct timeline *timeline, FILE *file, const char *title,
                         const char *verdict)
{
    const char *place = strstr(timeline_page, DATA_PLACE);

    fwrite(timeline_page, 1, (size_t)(place - timeline_page), file);
    write_data(timeline, file, title, verdict);
    fputs(place + strlen(DATA_PLACE), file);
}

/* ---- svg ------------------------------------------------------------------------------------- */

#define SVG_WIDTH 1000.0
#define SVG_LEFT  140.0
#define SVG_LANE  30.0
#define SVG_TOP   54.0

/* Characters that XML does not allow are left out. */
static void write_xml_text(FILE *file, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '<':
            fputs("&lt;", file);
            break;
        case '>':
            fputs("&gt;", file);
            break;
        case '&':
            fputs("&amp;", file);
            break;
        case '"':
            fputs("&quot;", file);
            break;
        default:
            if ((unsigned char)*text >= 0x20)
                fputc(*text, file);
        }
}

static double svg_x(const struct timeline *timeline, uint64_t usec)
{
    return SVG_LEFT + (double)usec / (double)timeline->end * (SVG_WIDTH - SVG_LEFT - 16);
}

static double svg_y(int64_t lane)
{
    return SVG_TOP + (double)lane * SVG_LANE;
}

/* One rectangle for each phase of an attempt. */
static void svg_bar(const struct timeline *timeline, FILE *file, const struct bar *bar)
{
    static const char *const colours[] = {"#9aa5b1", "#5b8def", "#2e9e6b", "#d9822b"};

    for (uint32_t k = 0; k < bar->n_changes; k++) {
        uint64_t to = k + 1 < bar->n_changes ? bar->changes[k + 1].usec : bar->to;
        double x = svg_x(timeline, bar->changes[k].usec), width = svg_x(timeline, to) - x;
        fprintf(file,
                "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"14\" fill=\"%s\"><title>"
                "generation %" PRIu64 ", attempt %" PRIu64 "; ",
                x, svg_y(bar->lane) + 8, width > 1 ? width : 1, colours[bar->changes[k].phase],
                bar->generation, bar->attempt);
        write_xml_text(file, bar->open ? "still there" : bar->end);
        fprintf(file, "</title></rect>\n");
    }
}

/* Marks of the whole tree are lines across all lanes. */
static void svg_marks(const struct timeline *timeline, FILE *file)
{
    static const char *const colours[MARK_KINDS] = {"#30363d", "#d9822b", "#c23030", "#8f5db7",
                                                    "#30363d", "#c23030", "#8f5db7", "#bf8c0a",
                                                    "#7c8793", "#c23030", "#c23030"};

    for (size_t i = 0; i < timeline->marks.count; i++) {
        const struct mark *mark = &timeline->marks.items[i];
        double x = svg_x(timeline, mark->usec);
        if (mark->lane < 0)
            fprintf(file,
                    "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"%s\" "
                    "stroke-dasharray=\"3 3\"><title>",
                    x, x, SVG_TOP, svg_y((int64_t)timeline->lanes.count), colours[mark->kind]);
        else
            fprintf(file, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" fill=\"%s\"><title>", x,
                    svg_y(mark->lane) + 4, colours[mark->kind]);
        write_xml_text(file, mark->text);
        fprintf(file, "</title></%s>\n", mark->lane < 0 ? "line" : "circle");
    }
}

/* Eight parts of the whole time. */
static void svg_axis(const struct timeline *timeline, FILE *file, double height)
{
    for (int i = 0; i <= 8; i++) {
        uint64_t usec = timeline->end * (uint64_t)i / 8;
        double x = svg_x(timeline, usec);
        fprintf(
            file,
            "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#d0d7de\"/>"
            "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\" fill=\"#57606a\">%.3f s</text>\n",
            x, x, SVG_TOP - 4, height - 8, x, SVG_TOP - 10, (double)usec / 1e6);
    }
}

/* Without scripts, so that it can be shown anywhere. */
void timeline_write_svg(const struct timeline *timeline, FILE *file, const char *title,
                        const char *verdict)
{
    double height = svg_y((int64_t)timeline->lanes.count) + 16;

    fprintf(file,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" "
            "font-family=\"sans-serif\" font-size=\"11\">\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n"
            "<text x=\"12\" y=\"20\" font-size=\"14\" font-weight=\"600\">",
            SVG_WIDTH, height);
    write_xml_text(file, title);
    fprintf(file, " — ");
    write_xml_text(file, verdict);
    fprintf(file, "</text>\n");
    svg_axis(timeline, file, height);
    for (size_t i = 0; i < timeline->lanes.count; i++) {
        fprintf(file, "<text x=\"12\" y=\"%.1f\">", svg_y((int64_t)i) + 19);
        write_xml_text(file, timeline->lanes.items[i]);
        fprintf(file, "</text>\n");
    }
    for (size_t i = 0; i < timeline->waits.count; i++) {
        const struct span *wait = &timeline->waits.items[i];
        double x = svg_x(timeline, wait->from);
        fprintf(file,
                "<line x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\" stroke=\"#9aa5b1\" "
                "stroke-dasharray=\"2 2\"><title>backoff</title></line>\n",
                x, svg_x(timeline, wait->to), svg_y(wait->lane) + 15, svg_y(wait->lane) + 15);
    }
    for (size_t i = 0; i < timeline->bars.count; i++)
        svg_bar(timeline, file, &timeline->bars.items[i]);
    for (size_t i = 0; i < timeline->fences.count; i++) {
        const struct span *fence = &timeline->fences.items[i];
        double x = svg_x(timeline, fence->from);
        fprintf(file,
                "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"5\" fill=\"#8f5db7\">"
                "<title>fence</title></rect>\n",
                x, svg_y(fence->lane) + 23, svg_x(timeline, fence->to) - x + 1);
    }
    svg_marks(timeline, file);
    fprintf(file, "</svg>\n");
}

/* ---- Perfetto, mermaid ----------------------------------------------------------------------- */

/* The format of Chrome's tracing, which Perfetto opens. */
void timeline_write_perfetto(const struct timeline *timeline, FILE *file)
{
    fprintf(file,
            "{\"traceEvents\":[\n"
            "{\"ph\":\"M\",\"pid\":1,\"name\":\"process_name\",\"args\":{\"name\":\"proctor\"}}");
    for (size_t i = 0; i < timeline->lanes.count; i++) {
        fprintf(file,
                ",\n{\"ph\":\"M\",\"pid\":1,\"tid\":%zu,\"name\":\"thread_name\",\"args\":"
                "{\"name\":",
                i + 1);
        write_json_text(file, timeline->lanes.items[i]);
        fprintf(file, "}}");
    }
    for (size_t i = 0; i < timeline->bars.count; i++) {
        const struct bar *bar = &timeline->bars.items[i];
        fprintf(file,
                ",\n{\"ph\":\"X\",\"pid\":1,\"tid\":%u,\"ts\":%" PRIu64 ",\"dur\":%" PRIu64
                ",\"name\":\"attempt %" PRIu64 "\",\"args\":{\"generation\":%" PRIu64 ",\"end\":",
                bar->lane + 1, bar->from, bar->to - bar->from, bar->attempt, bar->generation);
        write_json_text(file, bar->open ? "" : bar->end);
        fprintf(file, "}}");
    }
    for (size_t i = 0; i < timeline->marks.count; i++) {
        const struct mark *mark = &timeline->marks.items[i];
        fprintf(file,
                ",\n{\"ph\":\"i\",\"pid\":1,\"tid\":%" PRId64 ",\"ts\":%" PRIu64
                ",\"s\":\"%s\",\"cat\":\"%s\",\"name\":",
                mark->lane + 1, mark->usec, mark->lane < 0 ? "g" : "t", mark_words[mark->kind]);
        write_json_text(file, mark->text);
        fprintf(file, "}");
    }
    fprintf(file, "\n]}\n");
}

/* Names in mermaid end at a colon, and may not hold a few other characters. */
static void write_mermaid_text(FILE *file, const char *text)
{
    for (; *text; text++)
        fputc(strchr(":;#,\n", *text) ? ' ' : *text, file);
}

/* For texts that show such diagrams. */
void timeline_write_mermaid(const struct timeline *timeline, FILE *file, const char *title)
{
    fprintf(file, "gantt\n    title ");
    write_mermaid_text(file, title);
    fprintf(file, "\n    dateFormat x\n    axisFormat %%M:%%S.%%L\n");
    for (size_t lane = 0; lane < timeline->lanes.count; lane++) {
        fprintf(file, "    section ");
        write_mermaid_text(file, timeline->lanes.items[lane]);
        fprintf(file, "\n");
        for (size_t i = 0; i < timeline->bars.count; i++) {
            const struct bar *bar = &timeline->bars.items[i];
            if (bar->lane != lane)
                continue;
            fprintf(file,
                    "    generation %" PRIu64 " attempt %" PRIu64 " : %s%" PRIu64 ", %" PRIu64 "\n",
                    bar->generation, bar->attempt, bar->open ? "active, " : "done, ",
                    bar->from / 1000, bar->to / 1000);
        }
        for (size_t i = 0; i < timeline->marks.count; i++) {
            const struct mark *mark = &timeline->marks.items[i];
            if (mark->lane != (int64_t)lane || mark->kind == MARK_EXIT)
                continue;
            fprintf(file, "    %s : milestone, %" PRIu64 ", 0d\n", mark_words[mark->kind],
                    mark->usec / 1000);
        }
    }
}
