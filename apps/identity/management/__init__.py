"""manage.py commands about keys."""
