"""Shell commands for a root of a program's own: read-only, with what it needs and no more, no /tmp and no HOME.

`$bare` is the folder that becomes the root, and `$PARTS` holds what the program needs beside the system's folders. They
take a mount namespace.
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
"""Mounts all that is in it, which can still be added to."""

SEAL = r"""
mount -o remount,ro "$bare"
for part in /usr /etc $PARTS; do mount -o remount,bind,ro "$bare$part"; done
unset HOME
"""
"""From now on nothing can be written there."""
