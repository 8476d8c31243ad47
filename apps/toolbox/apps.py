"""Declares every tool: importing a module of this package is what declares its tools."""

import pkgutil
from importlib import import_module

from django.apps import AppConfig


class ToolboxConfig(AppConfig):
    name = "apps.toolbox"

    def ready(self) -> None:
        from apps.tools.spec import DECLARED

        DECLARED.filled_by(self.declare)

    def declare(self) -> None:
        """Import every module of the toolbox, in order of name; what its packages hold are no tools."""
        package = import_module(self.name)
        for module in sorted(found.name for found in pkgutil.iter_modules(package.__path__) if not found.ispkg):
            import_module(f"{self.name}.{module}")
