#!/bin/sh
# doors.sh SOURCE: what must be done in one place only is done nowhere else. TAP.
cd "$1" || exit 1
echo 1..10
n=0

# only NAME 'PATTERN' PLACE FOLDER: no line of FOLDER has it but those of PLACE
only() {
    n=$((n + 1))
    found=$(grep -rnE "$2" "$4" --include='*.[ch]' | grep -vE "$3")
    if [ -z "$found" ]; then
        echo "ok $n - $1"
    else
        echo "not ok $n - $1"
        echo "$found" | sed 's/^/# /'
    fi
}

only "texts go out on the bus by one door" \
    'sd_bus_message_append(v|_strv|_string_[a-z]+)?\(|sd_bus_message_append_basic\(.*SD_BUS_TYPE_STRING' \
    '^service/bus/outgoing\.[ch]:' service/bus
only "errors go out on the bus by one door" \
    'sd_bus_error_(set|copy|move)|sd_bus_reply_method_err|SD_BUS_ERROR_MAKE' \
    '^service/bus/outgoing\.[ch]:' service/bus
only "what goes out on the bus is counted" \
    'sd_bus_message_open_container\(' \
    '^service/bus/(outgoing|message)\.[ch]:' service/bus
only "processes are signalled by number in one place" \
    '(^|[^_a-z>.])(kill|killpg|tgkill|tkill|sigqueue|pthread_kill)\([^2)]|SYS_(kill|tkill|tgkill|pidfd_send_signal)' \
    '^service/system/handle\.c:' service
only "no state letter tells that a process has ended" \
    "[!=]= *'[ZX]'|\" ?%c %" \
    '^nowhere' service
only "proctorctl tells of errors by one door" \
    'fprintf\(stderr|perror\(|err(x|c)?\(EXIT' \
    '^service/ctl/terminal\.c:' service/ctl
only "folders of our own are made and judged in one place" \
    '(^|[^_a-z])mkdir(at)?\(' \
    '^service/(system/own_folder|host/birth_directory|host/cgroup|journal/segments|ctl/convert)\.c:' service
# A number is its digits, within a range: no place of its own for a sign, a base or an overflow.
only "numbers are read in one place" \
    '(^|[^_a-z])(strto(u?ll?|[dfi]|ld|[iu]max)|ato(i|l|ll|f)|v?sscanf)\(' \
    '^service/(host/cgroup|journal/segments)\.c:' service
# By path: what others may have put there; below a folder of our own, the kernel's files, ours alone.
only "files are opened by path in one place" \
    '(^|[^_a-z.>])(f?re)?(f?open|openat2?|creat)(64)?\([^2)]' \
    '^service/(system/(open_regular|own_folder|again|standard)|host/(birth|birth_directory|birth_sandbox|cgroup|environment|host|job_results|log_writer|output|result|spawner_process)|journal/(audit_walk|recovery|tail)|ctl/history|log/sink|signals)\.c:' service
# By TEST, WORLD_TEST and FIXTURE_TEST; what is left has data that is part of its name.
only "the name of a test is that of its function" \
    '(g_test_add(_func)?|world_test|fixture_test)\( *$|(g_test_add(_func)?|world_test|fixture_test)\(.*"/' \
    '^tests/host/test_output\.c:' tests
