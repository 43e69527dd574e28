/* The service `units`: conversions between units of measurement, in C.
 *
 * It shows an API with errors that the client can translate (convert), one that writes a nested result
 * (getUnits), one that streams (table), one that calls a function of another plugin (distance), and a function
 * that other plugins call (units/convert). What each reads stands in plugin.json, and the host has checked it. */
#include <luckystack.h>
#include <string.h>

#include "table.h"

/* The two units that the input names; LS_FAILED when one is unknown or they do not go together. */
static ls_result read_units(ls_call *call, const ls_value *input, const unit **from, const unit **to)
{
    const unit **found[] = {from, to};
    const char *const keys[] = {"from", "to"};
    for (size_t n = 0; n < 2; n++) {
        const char *name = ls_string(input, keys[n], "");
        *found[n] = unit_named(name);
        if (!*found[n]) return ls_error(call, 404, "units.unknown", LS_PARAM("unit", name));
    }
    if (strcmp((*from)->quantity, (*to)->quantity) != 0) {
        return ls_error(call, 422, "units.mismatch", LS_PARAM("from", (*from)->quantity),
                        LS_PARAM("to", (*to)->quantity));
    }
    return LS_OK;
}

LS_API(convert, 1)
{
    const unit *from, *to;
    if (read_units(call, input, &from, &to) == LS_FAILED) return LS_FAILED;
    ls_writer *out = ls_out(call);
    ls_put_object(out, NULL);
    ls_put_number(out, "value", unit_convert(ls_number(input, "value", 0), from, to));
    ls_put_string(out, "unit", to->name);
    ls_put_string(out, "quantity", to->quantity);
    ls_end(out);
    return LS_OK;
}

LS_API(getUnits, 1)
{
    ls_writer *out = ls_out(call);
    const char *quantity = NULL;
    ls_put_object(out, NULL);
    for (size_t n = 0; n < units_count; n++) {
        if (!quantity || strcmp(quantity, units[n].quantity) != 0) {
            if (quantity) ls_end(out);
            quantity = units[n].quantity;
            ls_put_array(out, quantity);
        }
        ls_put_string(out, NULL, units[n].name);
    }
    ls_end(out);
    ls_end(out);
    return LS_OK;
}

LS_API(table, 1)
{
    const unit *from, *to;
    if (read_units(call, input, &from, &to) == LS_FAILED) return LS_FAILED;
    double start = ls_number(input, "start", 0), step = ls_number(input, "step", 1);
    int64_t rows = ls_integer(input, "rows", 1), sent = 0;
    ls_writer *row = ls_new_writer();
    while (sent < rows) {
        double value = start + (double)sent * step;
        ls_put_object(row, NULL);
        ls_put_number(row, "from", value);
        ls_put_number(row, "to", unit_convert(value, from, to));
        ls_end(row);
        if (!ls_stream(call, row)) break;
        sent++;
    }
    ls_put_object(ls_out(call), NULL);
    ls_put_integer(ls_out(call), "sent", sent);
    ls_end(ls_out(call));
    return LS_OK;
}

LS_API(distance, 1)
{
    const char *name = ls_string(input, "unit", "km");
    const unit *to = unit_named(name), *km = unit_named("km");
    if (!to || strcmp(to->quantity, km->quantity) != 0) {
        return ls_error(call, 404, "units.unknown", LS_PARAM("unit", name));
    }
    ls_writer *args = ls_new_writer();
    ls_put_object(args, NULL);
    ls_put_value(args, "from", ls_get(input, "from"));
    ls_put_value(args, "to", ls_get(input, "to"));
    ls_end(args);
    /* The project's function, or whatever overrides it: this plugin does not know. */
    const ls_value *distance = ls_call_function(call, "geo/distance", args);
    if (!distance) return LS_FAILED;
    ls_writer *out = ls_out(call);
    ls_put_object(out, NULL);
    ls_put_number(out, "distance", unit_convert(ls_number(distance, "", 0), km, to));
    ls_put_string(out, "unit", to->name);
    ls_end(out);
    return LS_OK;
}

LS_FUNCTION(units_convert)
{
    const unit *from, *to;
    if (read_units(call, input, &from, &to) == LS_FAILED) return LS_FAILED;
    ls_put_number(ls_out(call), NULL, unit_convert(ls_number(input, "value", 0), from, to));
    return LS_OK;
}
