"""manage.py rotate_provider_keys."""
