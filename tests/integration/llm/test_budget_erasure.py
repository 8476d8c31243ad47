"""A tenant that leaves takes its providers, keys, models and books along, and no key is in what it is given."""

import zipfile
from pathlib import Path
from typing import Any

import psycopg
import pytest

from apps.tenancy import exports, ownership
from apps.tenancy.models import Tenant
from tests.factories import make_tenant
from tests.llm_rows import CIPHERTEXT, write_llm_rows

TABLES = (
    "providers", "model_instances", "model_defaults", "provider_manifests", "llm_calls", "llm_accounts", "llm_hours",
)  # fmt: skip


def rows_left(admin_url: str, tenant_id: Any) -> dict[str, int]:
    with psycopg.connect(admin_url) as connection:
        counts = {}
        for table in TABLES:
            row = connection.execute(f"SELECT count(*) FROM {table} WHERE tenant_id = %s", [tenant_id]).fetchone()
            counts[table] = row[0] if row else -1
    return counts


def has_key(admin_url: str, provider_id: Any) -> bool:
    with psycopg.connect(admin_url) as connection:
        return bool(connection.execute("SELECT FROM provider_secrets WHERE provider_id = %s", [provider_id]).fetchall())


@pytest.mark.requirement("llm:books-erased")
def test_everything_of_language_models_is_exported_but_the_keys_and_then_erased(
    admin_url: str, tenant: Tenant, tmp_path: Path, settings: Any
) -> None:
    settings.EXPORTS_DIR = str(tmp_path)
    neighbour = make_tenant()
    provider = write_llm_rows(admin_url, tenant.id)
    others = write_llm_rows(admin_url, neighbour.id)

    export = exports.export_tenant(tenant, lambda: None)
    with zipfile.ZipFile(tmp_path / export.name) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    for table in ownership.owned_tables(tenant.id):
        if not table.is_kept:
            ownership.erase_rows(tenant.id, table, lambda: None)

    assert {table: export.counts[table] for table in TABLES} == dict.fromkeys(TABLES, 1)
    assert "provider_secrets.ndjson" not in files
    assert not any(CIPHERTEXT.encode() in content for content in files.values())
    assert rows_left(admin_url, tenant.id) == dict.fromkeys(TABLES, 0)
    assert rows_left(admin_url, neighbour.id) == dict.fromkeys(TABLES, 1)
    assert (has_key(admin_url, provider), has_key(admin_url, others)) == (False, True)
