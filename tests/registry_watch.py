"""A process that says, once a change, whether a tool can be called: `-m tests.registry_watch TOOL TENANT`."""

import sys
import time
from uuid import UUID

import django


def main() -> None:
    django.setup()
    from apps.tools import registry

    name, tenant_id = sys.argv[1], UUID(sys.argv[2])
    said = None
    while True:
        found = registry.find(tenant_id, name)
        if said != found.off:
            said = found.off
            sys.stdout.write(f"{time.time()} {said or 'It can be called.'}\n")
            sys.stdout.flush()
        time.sleep(0.05)


if __name__ == "__main__":
    main()
