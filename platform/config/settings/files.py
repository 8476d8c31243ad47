"""Tenants' files: where, how large, how many, how long (docs/files.md)."""

from config.env import env

FILES_DIR = env.text(
    "AGENTIC_FILES_DIR", ".dev/files", "Directory of tenants' files; the API and the workers share it."
)
FILES_MAX_BYTES = env.integer("AGENTIC_FILES_MAX_BYTES", 5 << 30, "Largest file, bytes.", 1024, 1 << 50)
FILES_TENANT_BYTES = env.integer(
    "AGENTIC_FILES_TENANT_BYTES", 50 << 30, "What all files of a tenant may have together, bytes.", 1024, 1 << 50
)
FILES_TENANT_COUNT = 10_000
FILES_RETENTION_DAYS = env.integer("AGENTIC_FILES_RETENTION_DAYS", 30, "Days a file is kept.", 1)
FILES_STALL_S = env.number("AGENTIC_FILES_STALL_S", 30.0, "Seconds an upload may pause before it is given up.", 0.1)
FILES_ARRIVAL_S = env.number("AGENTIC_FILES_ARRIVAL_S", 3600.0, "Seconds an upload may take in all.", 1.0)
FILES_AT_ONCE = env.integer("AGENTIC_FILES_AT_ONCE", 16, "Uploads that one process takes at once.", 1, 512)
FILES_AT_ONCE_EACH = 4  # of them, for one caller
FILES_GRACE_S = 30.0  # from then on an upload must have come
FILES_BYTES_PER_S_MIN = 8192  # at so many on average
