/*
 * Many ends at once, such as those of a killed tree, are handled in portions,
 * so that the loop answers others in between.
 */
#include "host/burst.h"

#include "host/process.h"

#define BURST 4 /* ends before others are answered */

void host_answer_now(struct host *host)
{
    if (host->answer)
        host->answer(host->answer_userdata);
}

void host_breathe(struct host *host)
{
    if (++host->burst % BURST == 0)
        host_answer_now(host);
}

void host_on_burst(struct host *host, void (*answer)(void *userdata), void *userdata)
{
    host->answer = answer;
    host->answer_userdata = userdata;
}
