"""What runs between fork and exec of every process started here, and the guard that outlives the supervisor.

Run as a file by a bare interpreter (`python -I -S shim.py ...`), so it imports the standard library only.
A `preexec_fn` would do the same job, but is not safe in a program that has threads.
"""

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_DAC_OVERRIDE = 1
CAPABILITY_VERSION_3 = 0x20080522
CLONE_NEWUSER = 0x10000000

KEEP = "keep"  # identities: stay who we are,
NAMESPACE = "namespace"  # be uid 1 inside a user namespace and root outside,
# or "UID:GID": become that user, but keep root's right to reach any path.

GUARD_GRACE_S = 3.0
ON_LINUX = sys.platform == "linux"
SHIM = [sys.executable, "-I", "-S", str(Path(__file__).resolve())]


def wrap(command: list[str], *, death_signal: int, identity: str = KEEP) -> list[str]:
    """`command`, started through this shim as a child of the calling process."""
    return [*SHIM, "exec", str(os.getpid()), str(int(death_signal)), identity, *command]


def namespaces_allowed() -> bool:
    """Whether root may make a user namespace here. Docker's default seccomp profile forbids it."""
    return subprocess.run([*SHIM, "probe"], check=False).returncode == 0


def main(arguments: list[str]) -> None:
    if arguments[0] == "guard":
        guard()
        return
    if arguments[0] == "probe":
        sys.exit(ctypes.CDLL(None).unshare(CLONE_NEWUSER) != 0)
    parent_pid, death_signal, identity = int(arguments[1]), int(arguments[2]), arguments[3]
    run(arguments[4:], parent_pid=parent_pid, death_signal=death_signal, identity=identity)


def run(command: list[str], *, parent_pid: int, death_signal: int, identity: str) -> None:
    """Become `command`, mortal and in a session of its own: Ctrl-C reaches only the supervisor."""
    os.setsid()
    libc = ctypes.CDLL(None, use_errno=True)
    if identity == NAMESPACE:
        enter_namespace(libc)
    elif identity != KEEP:
        uid, gid = identity.split(":")
        become(libc, int(uid), int(gid))
    if ON_LINUX and death_signal:
        # Last, because a change of identity clears it. It fires when the *thread* that forked us ends.
        libc.prctl(PR_SET_PDEATHSIG, death_signal)
        if os.getppid() != parent_pid:
            sys.exit("the supervisor is gone")
    try:
        os.execvp(command[0], command)
    except OSError as error:
        sys.exit(f"cannot run {command[0]}: {error.strerror}")


def enter_namespace(libc: ctypes.CDLL) -> None:
    """PostgreSQL refuses uid 0. In here we are uid 1; from outside, what we do and own is root's."""
    uid, gid = os.geteuid(), os.getegid()
    if libc.unshare(CLONE_NEWUSER):
        sys.exit(f"no user namespace: {os.strerror(ctypes.get_errno())}")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"1 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"1 {gid} 1")


def become(libc: ctypes.CDLL, uid: int, gid: int) -> None:
    """Change user, keeping CAP_DAC_OVERRIDE: the data directory and the wheel may lie under a 0700 /root."""
    libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    bit = 1 << CAP_DAC_OVERRIDE
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    effective_permitted_inheritable = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)
    if libc.capset(header, effective_permitted_inheritable) == 0:
        libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, 0, 0)


def guard() -> None:
    """Kill what is left of every process group when the supervisor disappears.

    The death signal reaches only direct children; a worker's pool processes are not. The supervisor tells us
    its groups on stdin, "+PGID" and "-PGID", one a line. End of file means it is gone, however it went.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
    deadline = time.monotonic() + GUARD_GRACE_S
    while groups:
        for group in groups:
            if time.monotonic() > deadline or not leads(group):
                signal_group(group, signal.SIGKILL)
        groups = {group for group in groups if signal_group(group, 0)}
        time.sleep(0.05)


def leads(group: int) -> bool:
    """Whether a group's first process still lives; the servers need a moment to stop in order."""
    try:
        os.kill(group, 0)
    except ProcessLookupError:
        return False
    return True


def signal_group(group: int, number: int) -> bool:
    """Send a signal to a process group; False when it is empty."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    main(sys.argv[1:])
