#!/usr/bin/env python
"""Django's command line. Adds the source root platform/ to sys.path (docs/adr/0002)."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
sys.path.insert(1, str(ROOT / "platform"))


def main() -> None:
    from config.env import load_running_platform

    load_running_platform(ROOT / ".dev" / "env")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
