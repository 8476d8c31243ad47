"""Row-level security as migrations write it: SQL text, one function a statement group (docs/adr/0003).

Fail-closed: with no tenant set, or an empty one, the policy compares with NULL and no row is visible.
"""

CURRENT_TENANT = "(SELECT NULLIF(current_setting('app.tenant_id', true), '')::uuid)"


def protect(table: str, *, column: str = "tenant_id", app: str = "SELECT, INSERT, UPDATE, DELETE") -> str:
    """Enable and FORCE row-level security on ``table`` and let cineca_app at its own tenant's rows."""
    return f"""
        ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
        ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
        CREATE POLICY tenant_isolation ON {table} TO cineca_app
            USING ({column} = {CURRENT_TENANT}) WITH CHECK ({column} = {CURRENT_TENANT});
        GRANT {app} ON {table} TO cineca_app;
    """


def open_to_engine(table: str, privileges: str) -> str:
    """Let cineca_engine, the narrow role that looks across tenants, use ``table`` with these privileges only."""
    return f"""
        CREATE POLICY engine_door ON {table} TO cineca_engine USING (true) WITH CHECK (true);
        GRANT {privileges} ON {table} TO cineca_engine;
    """


def erasable(table: str) -> str:
    """Let cineca_app delete its tenant's rows of ``table``, but only while the tenant itself is being deleted."""
    return f"""
        CREATE POLICY erased_with_tenant ON {table} AS RESTRICTIVE FOR DELETE TO cineca_app
            USING ((SELECT tenant_is_being_erased()));
        GRANT DELETE ON {table} TO cineca_app;
    """


def issuer_only(*tables: str) -> str:
    """Tables of the built-in issuer: no other role may touch them."""
    return "".join(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO cineca_issuer;\n" for table in tables)


def share(table: str) -> str:
    """As ``protect``, but rows without a tenant are everybody's to read and, through this role, nobody's to change."""
    own = f"tenant_id = {CURRENT_TENANT}"
    return f"""
        ALTER TABLE {table} ENABLE ROW LEVEL SECURITY;
        ALTER TABLE {table} FORCE ROW LEVEL SECURITY;
        CREATE POLICY tenant_sees ON {table} FOR SELECT TO cineca_app
            USING ({own} OR (tenant_id IS NULL AND {CURRENT_TENANT} IS NOT NULL));
        CREATE POLICY tenant_adds ON {table} FOR INSERT TO cineca_app WITH CHECK ({own});
        CREATE POLICY tenant_changes ON {table} FOR UPDATE TO cineca_app USING ({own}) WITH CHECK ({own});
        CREATE POLICY tenant_deletes ON {table} FOR DELETE TO cineca_app USING ({own});
        GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO cineca_app;
    """
