#!/bin/sh
# SPDX-License-Identifier: LGPL-3.0-or-later
# PID 1 of the guest. The rig copies it to RPIO_RIG_FOLDER on the host, beside `command`, the script that this runs;
# here that folder is /run/rpio-rig, and `status` in it is how the rig learns the command's exit status.

export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

# The host's / is read-only here. With a tmpfs on top it becomes the root, and this script continues there.
if [ "$1" != inside ]; then
    mount -t tmpfs tmpfs /mnt && mkdir /mnt/upper /mnt/work /mnt/root &&
        mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work overlay /mnt/root &&
        mount -t devtmpfs dev /mnt/root/dev && mount -t tmpfs run /mnt/root/run && mkdir /mnt/root/run/rpio-rig &&
        mount -t hostfs -o "$RPIO_RIG_FOLDER" none /mnt/root/run/rpio-rig &&
        exec chroot /mnt/root /run/rpio-rig/init inside
    exit 1 # the kernel panics: init is gone
fi

mount -t proc proc /proc
mount -t sysfs sys /sys
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t configfs configfs /sys/kernel/config
mount -t debugfs debugfs /sys/kernel/debug
ln -sf /proc/self/fd /dev/fd
ip link set lo up
insmod /run/rpio-rig/i2c-stub.ko chip_addr=0x20,0x48,0x50

# tty1 is the rig's stdout, tty0 its stderr, and tty2, with the kernel's messages, is shown where the guest dies. The command gets pipes, so that it behaves as with `| cat`.
stty -F /dev/tty0 -opost
stty -F /dev/tty1 -opost
mkfifo /run/stdout /run/stderr
cat < /run/stdout > /dev/tty1 &
output=$!
cat < /run/stderr > /dev/tty0 &
errors=$!
env -i PATH="$PATH" HOME=/root LANG=C.UTF-8 RPIO_RIG=1 \
    sh /run/rpio-rig/command < /dev/null > /run/stdout 2> /run/stderr
status=$?

# A process that the command left behind holds the pipes open; it gets a second.
{ sleep 1; kill $output $errors; } 2> /dev/null &
wait $output $errors
stty -F /dev/tty0 opost # waits until all is written
stty -F /dev/tty1 opost
echo $status > /run/rpio-rig/status
sync
echo o > /proc/sysrq-trigger # power off
sleep 10
