"""Django admin for operators and tenants' administrators: one site, one file a subject."""
