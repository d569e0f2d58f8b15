/* SPDX-License-Identifier: LGPL-3.0-or-later */
/* poll(2) as a test has it: sysfs.c is built with another name for it. */
#ifndef RPIO_TESTS_NEWS_H
#define RPIO_TESTS_NEWS_H

void news_wait_on(int fd); /* has news from here on, and no other; -1: none has */

#endif
