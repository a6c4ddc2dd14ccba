"""Shell commands that make a minimal, read-only root file system for a program, without /tmp and HOME.

`$bare` is the folder that becomes the root, and `$PARTS` lists what the program needs beside the system's folders. The
commands need a mount namespace.
"""

MAKE = r"""
mount -t tmpfs tmpfs "$bare"
for part in /usr /lib /lib64 /bin /sbin /etc /dev /proc $PARTS; do
    if [ -e "$part" ]; then
        mkdir -p "$bare$part"
        mount --rbind "$part" "$bare$part"
    fi
done
"""
"""Shell commands that mount the root's content; more can be added afterwards."""

SEAL = r"""
mount -o remount,ro "$bare"
for part in /usr /etc $PARTS; do mount -o remount,bind,ro "$bare$part"; done
unset HOME
"""
"""Shell commands that make the root read-only."""
