"""A tenant's graph to files and back: JSON lines, CSV, Cypher. Batch by batch; what was interrupted goes on."""
