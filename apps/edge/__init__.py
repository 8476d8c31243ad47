"""The layers between the socket and a view, in the order of config/settings/middleware.py."""
