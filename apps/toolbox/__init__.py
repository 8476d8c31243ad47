"""The tools, one file for each category. Nobody imports them by name: apps/tools/registry.py hands them out."""
