/* The throttle, run natively with a clock and an emitter of its own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "luckystack.h"

static double now = 1000;
static char sent[1000];
static bool listening = true;

double ls_now(void)
{
    return now;
}

bool ls_stream(ls_call *call, ls_writer *chunk)
{
    (void)call;
    ls_text text = ls_written(chunk);
    snprintf(sent, sizeof sent, "%s", text.text ? text.text : "(nothing)");
    ls_clear(chunk);
    return listening;
}

static bool broadcast(ls_call *call, ls_writer *chunk)
{
    bool answer = ls_stream(call, chunk);
    strcat(sent, " to the room");
    return answer;
}

static void expect(const char *what, int line)
{
    if (strcmp(sent, what) != 0) {
        fprintf(stderr, "line %d: expected %s, sent was %s\n", line, what, sent);
        exit(1);
    }
    sent[0] = '\0';
}
#define SENT(what) expect((what), __LINE__)

int main(void)
{
    ls_throttle *by_length = ls_new_throttle(NULL, .flush_at_chars = 5, .field = "text");
    ls_throttle_push(by_length, "ab");
    SENT("");
    /* Characters count, not bytes. */
    ls_throttle_push(by_length, "c\xC3\xA9");
    SENT("");
    ls_throttle_push(by_length, "\"");
    SENT("{\"text\":\"abc\xC3\xA9\\\"\"}");

    ls_throttle *by_time = ls_new_throttle(NULL, .emit = broadcast);
    ls_throttle_push(by_time, "a");
    now += 49;
    ls_throttle_push(by_time, "b");
    SENT("");
    now += 1;
    ls_throttle_push(by_time, "");
    SENT("{\"chunk\":\"ab\"} to the room");
    /* The interval begins with what waits. */
    now += 1000;
    ls_throttle_push(by_time, "c");
    SENT("");
    ls_throttle_flush(by_time);
    SENT("{\"chunk\":\"c\"} to the room");
    ls_throttle_flush(by_time);
    SENT("");

    ls_throttle *never = ls_new_throttle(NULL, .flush_every_ms = -1);
    for (int n = 0; n < 31; n++) {
        ls_throttle_push(never, "x");
        now += 1000;
    }
    SENT("");
    ls_throttle_reset(never);
    ls_throttle_flush(never);
    SENT("");
    listening = false;
    if (!ls_throttle_push(never, "y") || ls_throttle_flush(never) || ls_throttle_push(never, "z")) return 1;
    return 0;
}
