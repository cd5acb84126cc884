#!/bin/sh
# Names the page for the assembler's .incbin: PAGE HEADER.
printf '#define TIMELINE_PAGE "%s"\n' "$(realpath "$1")" >"$2"
