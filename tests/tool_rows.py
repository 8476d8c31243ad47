"""One row in each of a tenant's tool tables, for tests that walk all tables."""

from uuid import UUID

import psycopg

ROWS = (
    "INSERT INTO tool_policies (id, tenant_id, tool, extra_scopes, approval, updated_by) "
    "VALUES (gen_random_uuid(), %s, 'cache.get', '[]', '', '')",
    "INSERT INTO tool_invocations (id, tenant_id, owner_sub, tool, version, effect, door, status, arguments, "
    "request_hash, request_id, correlation_id, traceparent) VALUES (gen_random_uuid(), %s, 'x', 'cache.get', '1.0.0', "
    "'read', 'rest', 'succeeded', '{}', 'h', '', '', '')",
    "INSERT INTO tool_approvals (id, tenant_id, owner_sub, tool, effect, arguments, arguments_sha256, door, status, "
    "decided_by, signature, expires_at) VALUES (gen_random_uuid(), %s, 'x', 'crud.delete_node', 'destructive', '{}', "
    "'h', 'agent', 'pending', '', '', now())",
    "INSERT INTO files (id, tenant_id, owner_sub, kind, name, media_type, size_bytes, sha256, state, details, "
    "expires_at) VALUES (gen_random_uuid(), %s, 'x', 'file', 'f', 'text/csv', 0, '', 'ready', '{}', "
    "now() + interval '1 day')",
    "INSERT INTO graph_archive_marks (id, tenant_id, uid, label, marked_by) "
    "VALUES (gen_random_uuid(), %s, 'u', 'Gene', 'x')",
    "INSERT INTO error_reports (id, tenant_id, owner_sub, error_type, message, metadata, correlation_id, cleared_by) "
    "VALUES (gen_random_uuid(), %s, 'x', 'Timeout', 'It took too long.', '{}', '', '')",
    "INSERT INTO user_profiles (id, tenant_id, owner_sub, profile, version) "
    "VALUES (gen_random_uuid(), %s, 'x', '{}', 1)",
    "INSERT INTO consents (id, tenant_id, subject_id, purpose, is_granted, meta, recorded_by) "
    "VALUES (gen_random_uuid(), %s, 'x', 'research', true, '{}', 'x')",
)


def write_tool_rows(admin_url: str, tenant_id: UUID) -> None:
    """Past row-level security, as the owner of the tables."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        for statement in ROWS:
            connection.execute(statement, [tenant_id])
