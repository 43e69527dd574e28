/* The service `conformance`: what every language must be able to do, in C. The other languages have the same
 * handlers, and the same tests call them. */
#include <luckystack.h>
#include <stdlib.h>

LS_API(echo, 1)
{
    ls_put_value(ls_out(call), NULL, ls_get(input, "value"));
    return LS_OK;
}

LS_API(typed, 1)
{
    ls_writer *out = ls_out(call);
    ls_put_object(out, NULL);
    ls_put_string(out, "text",
                  ls_format("%s x%lld %s", ls_string(input, "name", ""), (long long)ls_integer(input, "count", 0),
                            ls_string(input, "mode", "")));
    ls_put_integer(out, "tags", (int64_t)ls_length(ls_get(input, "tags")));
    ls_end(out);
    return LS_OK;
}

LS_API(fail, 1)
{
    return ls_error(call, 404, "conformance.notFound", LS_PARAM("id", ls_string(input, "id", "")));
}

LS_API(count, 1)
{
    double to = ls_number(input, "to", 0), sent = 0;
    ls_writer *chunk = ls_new_writer();
    while (sent + 1 <= to) {
        ls_put_object(chunk, NULL);
        ls_put_number(chunk, "step", ++sent);
        ls_end(chunk);
        ls_stream(call, chunk);
    }
    ls_put_object(ls_out(call), NULL);
    ls_put_number(ls_out(call), "sent", to);
    ls_end(ls_out(call));
    return LS_OK;
}

LS_API(whoami, 1)
{
    ls_writer *out = ls_out(call);
    ls_put_object(out, NULL);
    ls_put_value(out, "userId", ls_get(ls_user(call), "id"));
    ls_put_string(out, "language", ls_language(call));
    ls_end(out);
    return LS_OK;
}

LS_API(distance, 1)
{
    ls_writer *args = ls_new_writer();
    ls_put_object(args, NULL);
    ls_put_value(args, "from", ls_get(input, "from"));
    ls_put_value(args, "to", ls_get(input, "to"));
    ls_end(args);
    const ls_value *km = ls_call_function(call, "geo/distance", args);
    if (!km) return LS_FAILED;
    ls_put_object(ls_out(call), NULL);
    ls_put_value(ls_out(call), "km", km);
    ls_end(ls_out(call));
    return LS_OK;
}

LS_API(crash, 1)
{
    abort();
}

LS_API(spin, 1)
{
    for (volatile unsigned turns = 0;; turns++) {
    }
}

LS_API(log, 1)
{
    ls_log_info("%s", ls_string(input, "text", ""));
    return LS_OK;
}

LS_FUNCTION(conformance_double)
{
    ls_put_object(ls_out(call), NULL);
    ls_put_number(ls_out(call), "n", 2 * ls_number(input, "n", 0));
    ls_end(ls_out(call));
    return LS_OK;
}

LS_HOOK(postApiExecute)
{
    ls_log_info("echo was called");
    return LS_OK;
}
