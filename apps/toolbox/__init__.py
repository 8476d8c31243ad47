"""The tools: every module here declares some, a category or a part of a large one; parts/ is what they share.

Nobody imports them by name: apps/tools/registry.py hands them out.
"""
