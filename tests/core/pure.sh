#!/bin/sh
# The core stays pure: its library needs nothing but these functions of the C library, and its
# sources include nothing but the freestanding-like headers. TAP.
library=$1 sources=$2
echo 1..2

allowed='memcpy memmove memset memcmp strchr strcmp strncmp strlen strrchr'
defined=$(nm --defined-only "$library" | awk 'NF == 3 { print $3 }' | sort -u)
wanted=$(nm -u "$library" | awk '$1 == "U" { print $2 }' | sort -u |
    grep -vE '^__(asan|ubsan|sanitizer|stack_chk|gcov|mem[a-z]*_chk|str[a-z]*_chk)' | grep -v '_GLOBAL_OFFSET_TABLE_')
extra=
for symbol in $wanted; do
    echo "$defined" | grep -qx "$symbol" && continue
    case " $allowed " in *" $symbol "*) ;; *) extra="$extra $symbol" ;; esac
done
if [ -z "$extra" ]; then echo "ok 1 - no undefined symbol outside the list"
else echo "not ok 1 - undefined symbols:$extra"; fi

# idle_ports.h is for hosts, and no part of the library.
includes=$(grep -hE --exclude=idle_ports.h '^#include <' "$sources"/*.[ch] "$sources"/*/*.[ch] | sort -u |
    grep -vE '<(stdint|stdbool|stddef|string|errno|inttypes)\.h>')
if [ -z "$includes" ]; then echo "ok 2 - no header outside the list"
else echo "not ok 2 - headers: $includes"; fi
