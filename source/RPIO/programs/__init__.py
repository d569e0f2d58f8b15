# SPDX-License-Identifier: LGPL-3.0-or-later
"""What runs as another process on the device, never in the daemon: `process` starts one, with limits, `starter` as
another user; `modules` is the one that has the modules of the device for a program elsewhere (`held`, its objects;
`operating`, what can be done with one; `shipped`, functions that come as source); `rraspy` is a device of RRaspPY's.

For programs that run here: `uploads` are their files (`sync`, a directory that is brought up to date; `drafts`, what is
uploaded before it takes its place; `paths`, names and the way there; `fetching`, files of URLs), `streams` what they
show and which keys they listen for, and `telling` the program's side of that (`sockets`, what both know).
"""
