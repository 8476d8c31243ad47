"""manage.py verify_audit."""
