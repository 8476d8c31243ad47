"""Rows of language models for a tenant, as SQL: a provider with its key, a model, a default, a manifest, the books."""

from uuid import UUID, uuid4

import psycopg

CIPHERTEXT = "gAAAAAB-ciphertext-of-a-key"


def write_llm_rows(admin_url: str, tenant_id: UUID | None) -> UUID:
    """A row in each table, as a superuser; None: the platform's, in those that can hold them. Returns the provider."""
    provider, instance, mark = uuid4(), uuid4(), uuid4().hex[:8]
    with psycopg.connect(admin_url) as connection:
        connection.execute(
            "INSERT INTO providers (id, tenant_id, name, type, base_url, config, priority, enabled, is_main, "
            "key_hint, version) VALUES (%s, %s, %s, 'openai', 'https://m.example.org/v1', '{}', 100, false, false, "
            "'wxyz', 1)",
            [provider, tenant_id, f"provider-{mark}"],
        )
        connection.execute(
            "INSERT INTO provider_secrets (provider_id, ciphertext) VALUES (%s, %s)", [provider, CIPHERTEXT]
        )
        connection.execute(
            "INSERT INTO model_instances (id, tenant_id, provider_id, instance_name, model_id, model_uri, description, "
            "context_window, max_output_tokens, modalities, supports_tools, parameters, enabled, created_by, version, "
            "request_hash) VALUES (%s, %s, %s, %s, 'm', '', '', 8192, 2048, '[]', true, '{}', false, '', 1, '')",
            [instance, tenant_id, provider, f"model-{mark}"],
        )
        connection.execute(
            "INSERT INTO provider_manifests (id, tenant_id, name, document, sha256, state, staged_by, activated_by) "
            "VALUES (gen_random_uuid(), %s, 'm', '{}', '', 'superseded', '', '')",
            [tenant_id],
        )
        if tenant_id is None:
            return provider
        connection.execute(
            "INSERT INTO model_defaults (id, scope, tenant_id, instance_id, version, updated_by) "
            "VALUES (gen_random_uuid(), 'tenant', %s, %s, 1, '')",
            [tenant_id, instance],
        )
        connection.execute(
            "INSERT INTO llm_calls (id, tenant_id, call_id, user_sub, purpose, provider_id, provider, instance_id, "
            "instance, model_id, state, outcome, held_nano_usd, held_tokens, held_output_tokens, nano_usd, "
            "input_tokens, output_tokens, priced_by, is_estimated, used_fallback, attempts, expires_at) VALUES "
            "(gen_random_uuid(), %s, gen_random_uuid(), 'ada', 'chat', %s, 'p', %s, 'i', 'm', 'settled', 'ok', 0, 0, "
            "0, 0, 0, 0, 'free', false, false, 1, now())",
            [tenant_id, provider, instance],
        )
        connection.execute(
            "INSERT INTO llm_accounts (tenant_id, key, held_nano_usd, held_tokens, spent_nano_usd, spent_tokens) "
            "VALUES (%s, '', 0, 0, 0, 0)",
            [tenant_id],
        )
        connection.execute(
            "INSERT INTO llm_hours (tenant_id, hour, nano_usd, tokens) VALUES (%s, date_trunc('hour', now()), 0, 0)",
            [tenant_id],
        )
    return provider
