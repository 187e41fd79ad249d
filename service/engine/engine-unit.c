/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The unit that an engine's configuration names is started when a question needs the engine, and
 * when the models are listed anew; never while the engine is known to answer. Once it runs, whoever
 * stops it has a reason: it is started again only by the next question. */
#include "service/engine/engine.h"

#include "common/log.h"

bool engine_has_unit(const Engine *e)
{
        return e->engines && e->engines->units.start && !isempty(e->config.unit);
}

bool engine_wants_unit(const Engine *e)
{
        return engine_has_unit(e) && (e->state == ENGINE_UNKNOWN || e->state == ENGINE_UNREACHABLE);
}

static void name_failure(const Engine *e, const Failure *failure, Failure *ret)
{
        (void) failure_set(ret, FAILURE_ENGINE_UNREACHABLE, "Engine '%s' (%s) needs its unit: %s",
                e->config.name, e->display, failure_message(failure));
}

static void on_started(const Failure *failure, void *userdata)
{
        _cleanup_(engine_unrefp) Engine *e = engine_ref(ASSERT_PTR(userdata));

        engine_unit_stop(e);
        failure_done(&e->unit_failure);
        if (failure_is_set(failure))
                name_failure(e, failure, &e->unit_failure);
        else
                log_info("Engine '%s': %s is started.", e->config.name, e->config.unit);
        engine_waits_wake(&e->unit_waits);
}

int engine_unit_start(Engine *e, EngineWait *w)
{
        _cleanup_failure_ Failure f = FAILURE_NULL;
        const EngineUnits *units = &e->engines->units;
        int r;

        if (!e->unit_start) {
                r = units->start(
                        e->config.unit, on_started, e, &e->unit_start, &f, units->userdata);
                if (r < 0) {
                        failure_done(&e->unit_failure);
                        name_failure(e, &f, &e->unit_failure);
                        return r;
                }
        }
        engine_wait_add(&e->unit_waits, w);
        return 0;
}

void engine_unit_stop(Engine *e)
{
        if (e->unit_start)
                e->unit_start = e->engines->units.free(e->unit_start);
}

void engine_name_unit_failure(const Engine *e, const Failure *failure, Failure *ret)
{
        const char *unit = e->config.unit;

        (void) failure_set(ret, failure->code,
                "Engine '%s': %s Its unit %s was started; 'journalctl --user -u %s' says what "
                "became of it.",
                e->config.name, failure_message(failure), unit, unit);
}
