"""The domain. Reading order, bottom to top: identity, tenancy, jobs, graph, ops, edge; imports go down only."""
