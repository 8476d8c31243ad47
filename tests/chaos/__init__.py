"""Nothing is lost, nothing runs twice at once: shown by breaking a platform of the suite's own and checking.

cluster.py and nodes.py are what is broken, load.py the callers, history.py what they saw, effects.py what jobs left
behind, checker.py the rules, verdict.py the end of every run.
"""
