"""The Django project: wiring only. Imports everything, imported by nothing."""
