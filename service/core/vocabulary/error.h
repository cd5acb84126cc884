/*
 * An error that a person can act on: functions return a negative errno, and where that is not
 * enough, the function that knows the most writes one sentence here. The caller at the top reports
 * it once.
 */
#pragma once

struct error {
    char text[512];
};
