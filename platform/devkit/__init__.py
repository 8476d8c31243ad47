"""The embedded servers and the one-command run. Only tests import it, and it knows no Django."""
