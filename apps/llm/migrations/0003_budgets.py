"""The books of calls: what is held before a call and settled after it (docs/adr/0012). Python: apps/llm/money/budgets.py.

Whoever moves money locks the tenant's account first, and only then the run's and the hour: so calls of one tenant are
ordered and nobody waits in a circle. Only the database's clock is used.
"""

import django.contrib.postgres.indexes
from django.db import migrations, models

# Rows of a tenant that is gone cannot come back, however late a call settles.
TENANTS = """
    ALTER TABLE llm_calls ADD CONSTRAINT llm_calls_tenant FOREIGN KEY (tenant_id) REFERENCES tenants (id);
    ALTER TABLE llm_accounts ADD CONSTRAINT llm_accounts_tenant FOREIGN KEY (tenant_id) REFERENCES tenants (id);
    ALTER TABLE llm_hours ADD CONSTRAINT llm_hours_tenant FOREIGN KEY (tenant_id) REFERENCES tenants (id);
    ALTER TABLE llm_accounts SET (fillfactor = 50);
    ALTER TABLE llm_hours SET (fillfactor = 50);
"""
# An account, locked; made where there is none.
ACCOUNT = """
    CREATE FUNCTION llm_account(p_tenant uuid, p_key text) RETURNS llm_accounts LANGUAGE plpgsql AS $$
    DECLARE account llm_accounts;
    BEGIN
        LOOP
            SELECT * INTO account FROM llm_accounts WHERE tenant_id = p_tenant AND key = p_key FOR NO KEY UPDATE;
            IF FOUND THEN
                RETURN account;
            END IF;
            INSERT INTO llm_accounts
                (tenant_id, key, held_nano_usd, held_tokens, spent_nano_usd, spent_tokens, updated_at)
                VALUES (p_tenant, p_key, 0, 0, 0, 0, clock_timestamp()) ON CONFLICT DO NOTHING;
        END LOOP;
    END $$;
"""
# A day is the hour under way and the 24 before it: what was spent in the last 24 hours is always in them.
# The durable way costs one flush of the log; see docs/adr/0012 for who may go without.
RESERVE = """
    CREATE FUNCTION llm_day(
        p_tenant uuid, OUT nano_usd bigint, OUT tokens bigint, OUT nano_usd_frees_s float8, OUT tokens_frees_s float8
    ) LANGUAGE sql STABLE AS $$
        SELECT coalesce(sum(nano_usd), 0)::bigint, coalesce(sum(tokens), 0)::bigint,
            extract(epoch FROM min(hour) FILTER (WHERE nano_usd > 0) + interval '25 hours' - clock_timestamp())::float8,
            extract(epoch FROM min(hour) FILTER (WHERE tokens > 0) + interval '25 hours' - clock_timestamp())::float8
        FROM llm_hours
        WHERE tenant_id = p_tenant AND hour > date_trunc('hour', clock_timestamp(), 'UTC') - interval '25 hours'
    $$;
    CREATE FUNCTION llm_reserve(
        p_id uuid, p_tenant uuid, p_call uuid, p_user text, p_run uuid, p_purpose text,
        p_provider_id uuid, p_provider text, p_instance_id uuid, p_instance text, p_model text,
        p_priced_by text, p_used_fallback boolean, p_expires_in_s float8,
        p_nano_usd bigint, p_tokens bigint, p_output_tokens bigint,
        p_day_nano_usd bigint, p_day_tokens bigint, p_run_nano_usd bigint, p_run_tokens bigint,
        OUT refused text, OUT day_nano_usd bigint, OUT day_tokens bigint, OUT held_nano_usd bigint,
        OUT held_tokens bigint, OUT run_spent_nano_usd bigint, OUT run_spent_tokens bigint,
        OUT run_held_nano_usd bigint, OUT run_held_tokens bigint, OUT nano_usd_frees_s float8,
        OUT tokens_frees_s float8
    ) LANGUAGE plpgsql AS $$
    DECLARE
        tenant llm_accounts := llm_account(p_tenant, '');
        run llm_accounts;
    BEGIN
        held_nano_usd := tenant.held_nano_usd;
        held_tokens := tenant.held_tokens;
        IF p_run IS NOT NULL THEN
            run := llm_account(p_tenant, p_run::text);
            run_spent_nano_usd := run.spent_nano_usd;
            run_spent_tokens := run.spent_tokens;
            run_held_nano_usd := run.held_nano_usd;
            run_held_tokens := run.held_tokens;
        END IF;
        IF p_day_nano_usd IS NOT NULL OR p_day_tokens IS NOT NULL THEN
            SELECT day.nano_usd, day.tokens, day.nano_usd_frees_s, day.tokens_frees_s
                INTO day_nano_usd, day_tokens, nano_usd_frees_s, tokens_frees_s FROM llm_day(p_tenant) AS day;
        END IF;
        refused := CASE
            WHEN p_nano_usd > 0 AND day_nano_usd + held_nano_usd + p_nano_usd > p_day_nano_usd THEN 'day_nano_usd'
            WHEN day_tokens + held_tokens + p_tokens > p_day_tokens THEN 'day_tokens'
            WHEN p_nano_usd > 0 AND run_spent_nano_usd + run_held_nano_usd + p_nano_usd > p_run_nano_usd
                THEN 'run_nano_usd'
            WHEN run_spent_tokens + run_held_tokens + p_tokens > p_run_tokens THEN 'run_tokens'
        END;
        IF refused IS NOT NULL THEN
            RETURN;
        END IF;
        UPDATE llm_accounts AS a SET held_nano_usd = a.held_nano_usd + p_nano_usd,
            held_tokens = a.held_tokens + p_tokens, updated_at = clock_timestamp()
            WHERE a.id = tenant.id;
        IF p_run IS NOT NULL THEN
            UPDATE llm_accounts AS a SET held_nano_usd = a.held_nano_usd + p_nano_usd,
                held_tokens = a.held_tokens + p_tokens, updated_at = clock_timestamp()
                WHERE a.id = run.id;
        END IF;
        INSERT INTO llm_calls (id, tenant_id, call_id, user_sub, run_id, purpose, provider_id, provider, instance_id,
            instance, model_id, state, outcome, held_nano_usd, held_tokens, held_output_tokens, nano_usd, input_tokens,
            output_tokens, priced_by, is_estimated, used_fallback, attempts, started_at, expires_at)
        VALUES (p_id, p_tenant, p_call, p_user, p_run, p_purpose, p_provider_id, p_provider, p_instance_id,
            p_instance, p_model, 'open', '', p_nano_usd, p_tokens, p_output_tokens, 0, 0, 0, p_priced_by, false,
            p_used_fallback, 0, clock_timestamp(), clock_timestamp() + make_interval(secs => p_expires_in_s));
    END $$;
"""
# Returns what it was: settled now, corrected (it counted as lost), again (nothing done), unknown (no such row).
SETTLE = """
    CREATE FUNCTION llm_settle(
        p_id uuid, p_outcome text, p_nano_usd bigint, p_input_tokens bigint, p_output_tokens bigint,
        p_priced_by text, p_is_estimated boolean, p_attempts integer, p_latency_ms float8, p_durable boolean
    ) RETURNS text LANGUAGE plpgsql AS $$
    DECLARE
        call llm_calls;
        tenant llm_accounts;
        run llm_accounts;
        booked_at timestamptz;
        freed_nano_usd bigint := 0;
        freed_tokens bigint := 0;
        more_nano_usd bigint := p_nano_usd;
        more_tokens bigint := p_input_tokens + p_output_tokens;
    BEGIN
        IF NOT p_durable THEN
            PERFORM set_config('synchronous_commit', 'off', true);
        END IF;
        SELECT * INTO call FROM llm_calls WHERE id = p_id FOR NO KEY UPDATE;
        IF NOT FOUND THEN
            RETURN 'unknown';
        ELSIF call.state = 'settled' THEN
            RETURN 'again';
        ELSIF call.state = 'lost' THEN
            more_nano_usd := more_nano_usd - call.nano_usd;
            more_tokens := more_tokens - call.input_tokens - call.output_tokens;
        ELSE
            freed_nano_usd := call.held_nano_usd;
            freed_tokens := call.held_tokens;
        END IF;
        tenant := llm_account(call.tenant_id, '');
        UPDATE llm_accounts SET held_nano_usd = held_nano_usd - freed_nano_usd,
            held_tokens = held_tokens - freed_tokens, spent_nano_usd = spent_nano_usd + more_nano_usd,
            spent_tokens = spent_tokens + more_tokens, updated_at = clock_timestamp()
            WHERE id = tenant.id;
        IF call.run_id IS NOT NULL THEN
            run := llm_account(call.tenant_id, call.run_id::text);
            UPDATE llm_accounts SET held_nano_usd = held_nano_usd - freed_nano_usd,
                held_tokens = held_tokens - freed_tokens, spent_nano_usd = spent_nano_usd + more_nano_usd,
                spent_tokens = spent_tokens + more_tokens, updated_at = clock_timestamp()
                WHERE id = run.id;
        END IF;
        booked_at := coalesce(call.settled_at, clock_timestamp());
        UPDATE llm_hours SET nano_usd = nano_usd + more_nano_usd, tokens = tokens + more_tokens
            WHERE tenant_id = call.tenant_id AND hour = date_trunc('hour', booked_at, 'UTC');
        IF NOT FOUND AND call.state = 'open' THEN
            INSERT INTO llm_hours (tenant_id, hour, nano_usd, tokens)
                VALUES (call.tenant_id, date_trunc('hour', booked_at, 'UTC'), more_nano_usd, more_tokens);
        END IF;
        UPDATE llm_calls SET state = 'settled', outcome = p_outcome, nano_usd = p_nano_usd,
            input_tokens = p_input_tokens, output_tokens = p_output_tokens, priced_by = p_priced_by,
            is_estimated = p_is_estimated, attempts = p_attempts, latency_ms = p_latency_ms, settled_at = booked_at
            WHERE id = p_id;
        RETURN CASE call.state WHEN 'lost' THEN 'corrected' ELSE 'settled' END;
    END $$;
"""
# As cineca_engine, for all tenants. What was held counts as spent: the provider may have been paid.
RELEASE_LOST = """
    CREATE FUNCTION llm_release_lost(p_batch integer) RETURNS integer LANGUAGE plpgsql AS $$
    DECLARE
        booked_at timestamptz := clock_timestamp();
        sums record;
        lost integer := 0;
    BEGIN
        FOR sums IN
            WITH gone AS MATERIALIZED (
                SELECT id FROM llm_calls WHERE state = 'open' AND expires_at < booked_at
                ORDER BY expires_at LIMIT p_batch FOR NO KEY UPDATE SKIP LOCKED
            ), marked AS (
                UPDATE llm_calls AS c SET state = 'lost', outcome = 'lost', nano_usd = c.held_nano_usd,
                    input_tokens = c.held_tokens - c.held_output_tokens, output_tokens = c.held_output_tokens,
                    is_estimated = true, settled_at = booked_at
                FROM gone WHERE c.id = gone.id
                RETURNING c.tenant_id, c.run_id, c.held_nano_usd, c.held_tokens
            ), shares AS (
                SELECT tenant_id, '' AS key, held_nano_usd, held_tokens FROM marked
                UNION ALL
                SELECT tenant_id, run_id::text, held_nano_usd, held_tokens FROM marked WHERE run_id IS NOT NULL
            )
            SELECT tenant_id, key, count(*) AS calls, sum(held_nano_usd)::bigint AS nano_usd,
                sum(held_tokens)::bigint AS tokens
            FROM shares GROUP BY tenant_id, key ORDER BY tenant_id, key
        LOOP
            UPDATE llm_accounts SET held_nano_usd = held_nano_usd - sums.nano_usd,
                held_tokens = held_tokens - sums.tokens, spent_nano_usd = spent_nano_usd + sums.nano_usd,
                spent_tokens = spent_tokens + sums.tokens, updated_at = booked_at
                WHERE tenant_id = sums.tenant_id AND key = sums.key;
            IF sums.key = '' THEN
                INSERT INTO llm_hours AS h (tenant_id, hour, nano_usd, tokens)
                    VALUES (sums.tenant_id, date_trunc('hour', booked_at, 'UTC'), sums.nano_usd, sums.tokens)
                    ON CONFLICT (tenant_id, hour) DO UPDATE
                    SET nano_usd = h.nano_usd + excluded.nano_usd, tokens = h.tokens + excluded.tokens;
                lost := lost + sums.calls;
            END IF;
        END LOOP;
        RETURN lost;
    END $$;
    REVOKE ALL ON FUNCTION llm_release_lost(integer) FROM PUBLIC;
    GRANT EXECUTE ON FUNCTION llm_release_lost(integer) TO cineca_engine;
"""
UNDO = """
    DROP FUNCTION llm_release_lost; DROP FUNCTION llm_settle; DROP FUNCTION llm_reserve; DROP FUNCTION llm_day;
    DROP FUNCTION llm_account;
    ALTER TABLE llm_calls DROP CONSTRAINT llm_calls_tenant;
    ALTER TABLE llm_accounts DROP CONSTRAINT llm_accounts_tenant;
    ALTER TABLE llm_hours DROP CONSTRAINT llm_hours_tenant;
"""


class Migration(migrations.Migration):
    dependencies = [("llm", "0002_rights"), ("tenancy", "0003_settings")]

    operations = [
        migrations.AddField(
            "llmcall",
            "held_output_tokens",
            models.BigIntegerField(default=0, help_text="Of held_tokens, those held for the answer."),
        ),
        migrations.AddIndex(
            "llmcall", models.Index(fields=["tenant_id", "user_sub", "started_at"], name="llm_calls_user")
        ),
        migrations.AddIndex(
            "llmcall", django.contrib.postgres.indexes.BrinIndex(fields=["started_at"], name="llm_calls_age")
        ),
        migrations.RunSQL(TENANTS + ACCOUNT + RESERVE + SETTLE + RELEASE_LOST, UNDO),
    ]
