"""Writing providers, model instances, defaults and manifests; each call is one transaction with its audit row."""
