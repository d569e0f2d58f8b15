/* SPDX-License-Identifier: LGPL-3.0-or-later */
/*
 * guest.c - what the guest runs as its only process: RPIO's C core on the registers of QEMU's Raspberry Pi 3B, with
 * Debian's kernel as the witness, and then chains of QEMU's DMA engine. It writes a line for each check to ttyS1:
 *
 *   ok NAME                    not ok NAME: what was expected, and what was there
 *
 * and "end" after the last. The names are those of CHECKS in test_qemu.py. The kernel's own messages go to ttyAMA0.
 *
 * The kernel leaves the memory from GUEST_RESERVED on alone (`mem=` on its command line), so that a DMA engine can use it.
 *
 * Not the hardware's behaviour, so not tested: QEMU shows the output latch as the level of inputs too, knows no pulls
 * (the host sees what is written to their registers), and its DMA engine neither waits for a DREQ nor goes on in the
 * background: a chain is over when the write that starts it is. One that does not end would never come back.
 */
#include "../../c_gpio/regs.h"
#include "guest.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <termios.h>
#include <unistd.h>

enum {
    PERIPHERALS = 0x3F000000,     /* BCM2837's, for the processors ... */
    BUS_PERIPHERALS = 0x7E000000, /* ... and for the DMA engine */
    LINE = 17,
    NEIGHBOUR = 18, /* in the same function register */
    HIGH_LINE = 40, /* in the second register of levels */
};
#define BUS_MEMORY UINT32_C(0xC0000000) /* the alias without caches; to QEMU all four are the same */
#define PINS "/sys/kernel/debug/pinctrl/3f200000.gpio-pinctrl-bcm2835/pins"

static const char *failure_of; /* the check that runs, NULL once it has failed */

/* A failed expectation ends its check's chance to be ok; the first one is reported. */
static void __attribute__((format(printf, 2, 3))) expect(int holds, const char *format, ...)
{
    if (holds || !failure_of)
        return;
    va_list arguments;
    va_start(arguments, format);
    printf("not ok %s: ", failure_of);
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
    failure_of = NULL;
}

void guest_expect(const char *what, long expected, long actual)
{
    expect(actual == expected, "%s: expected %#lx, got %#lx", what, expected, actual);
}

volatile uint32_t *guest_map(uint64_t address, size_t bytes)
{
    int fd = open("/dev/mem", O_RDWR | O_SYNC | O_CLOEXEC);
    void *at = fd < 0 ? MAP_FAILED : mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)address);
    if (fd >= 0)
        (void)close(fd);
    expect(at != MAP_FAILED, "/dev/mem at %#llx: %s", (unsigned long long)address, strerror(errno));
    return at == MAP_FAILED ? NULL : at;
}

/* ---- the kernel as a witness ---------------------------------------------------------------------- */

/* What the kernel's pin controller reads from its registers now: "gpio_out", "hi". */
static void ask_kernel(unsigned line, char function[16], char level[16])
{
    char text[256], pin[16];
    FILE *pins = fopen(PINS, "re");
    (void)snprintf(pin, sizeof pin, "pin %u ", line);
    strcpy(function, "unknown");
    strcpy(level, "unknown");
    while (pins && fgets(text, sizeof text, pins)) {
        const char *at = strstr(text, "function ");
        if (strncmp(text, pin, strlen(pin)) == 0 && at)
            (void)sscanf(at, "function %15s in %15[a-z]", function, level);
    }
    if (pins)
        (void)fclose(pins);
}

static void expect_kernel(unsigned line, const char *function, const char *level)
{
    char its_function[16], its_level[16];
    ask_kernel(line, its_function, its_level);
    expect(strcmp(its_function, function) == 0, "GPIO %u: the kernel reads function %s, not %s", line, its_function,
           function);
    expect(!level || strcmp(its_level, level) == 0, "GPIO %u: the kernel reads level %s, not %s", line, its_level,
           level ? level : "");
}

/* ---- the checks ----------------------------------------------------------------------------------- */

static struct rpio_regs regs;

static void chip(void)
{
    struct rpio_chip_info info = {0};
    int fd = rpio_cdev_open("/dev/gpiochip0");
    expect(fd >= 0, "/dev/gpiochip0: %s", strerror(-fd));
    guest_expect("rpio_cdev_chip_info", 0, rpio_cdev_chip_info(fd, &info));
    expect(strcmp(info.label, "pinctrl-bcm2835") == 0, "its label is %s", info.label);
    guest_expect("lines", 54, info.line_count);
    (void)close(fd);
}

static void mapping(void)
{
    int error = rpio_regs_map(&regs, "brcm,bcm2837", "/dev/mem", PERIPHERALS + PERIPHERAL_GPIO);
    expect(error == 0, "/dev/mem: %s", strerror(-error));
    guest_expect("lines", 54, regs.line_count);
}

static void functions(void)
{
    static const char *const names[] = {
        [RPIO_FUNC_OUT] = "gpio_out", [RPIO_FUNC_IN] = "gpio_in", [RPIO_FUNC_ALT0] = "alt0", [RPIO_FUNC_ALT1] = "alt1",
        [RPIO_FUNC_ALT2] = "alt2",    [RPIO_FUNC_ALT3] = "alt3",  [RPIO_FUNC_ALT4] = "alt4", [RPIO_FUNC_ALT5] = "alt5",
    };
    static const unsigned lines[] = {LINE, HIGH_LINE};
    guest_expect("set NEIGHBOUR", 0, rpio_regs_set_function(&regs, NEIGHBOUR, RPIO_FUNC_OUT));
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        for (int function = RPIO_FUNC_ALT3; function >= 0; function--) {
            guest_expect("set", 0, rpio_regs_set_function(&regs, lines[i], function));
            guest_expect("read back", function, rpio_regs_function(&regs, lines[i]));
            expect_kernel(lines[i], names[function], NULL);
            expect_kernel(NEIGHBOUR, "gpio_out", NULL);
        }
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        (void)rpio_regs_set_function(&regs, lines[i], RPIO_FUNC_IN);
    (void)rpio_regs_set_function(&regs, NEIGHBOUR, RPIO_FUNC_IN);
}

static void levels(void)
{
    static const unsigned lines[] = {LINE, HIGH_LINE};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        unsigned line = lines[i];
        (void)rpio_regs_set_function(&regs, line, RPIO_FUNC_OUT);
        for (int turn = 0; turn < 4; turn++) {
            int level = turn % 2 == 0;
            guest_expect("write", 0, rpio_regs_write(&regs, line, level));
            guest_expect("read back", level, rpio_regs_read(&regs, line));
            expect_kernel(line, "gpio_out", level ? "hi" : "lo");
            expect_kernel(NEIGHBOUR, "gpio_in", "lo");
        }
        (void)rpio_regs_set_function(&regs, line, RPIO_FUNC_IN);
    }
}

/* The other way round: the kernel's driver acts, the registers show it. */
static void requests(void)
{
    struct rpio_line_config config = {.direction = RPIO_FUNC_OUT, .value = 1, .pull = RPIO_PULL_AS_IS};
    int chip_fd = rpio_cdev_open("/dev/gpiochip0");
    int fd = rpio_cdev_request(chip_fd, LINE, &config, "guest", 0);
    expect(fd >= 0, "request: %s", strerror(-fd));
    guest_expect("function", RPIO_FUNC_OUT, rpio_regs_function(&regs, LINE));
    guest_expect("level as requested", 1, rpio_regs_read(&regs, LINE));
    guest_expect("write", 0, rpio_cdev_write(fd, 0));
    guest_expect("level as written", 0, rpio_regs_read(&regs, LINE));
    guest_expect("write", 0, rpio_regs_write(&regs, LINE, 1));
    guest_expect("level for the kernel", 1, rpio_cdev_read(fd));
    (void)rpio_regs_write(&regs, LINE, 0);
    (void)close(fd);
    (void)close(chip_fd);
    (void)rpio_regs_set_function(&regs, LINE, RPIO_FUNC_IN);
}

/* What these write is for the host to see: test_qemu.py, PULLS. */
static void pulls(void)
{
    static const int all[] = {RPIO_PULL_UP, RPIO_PULL_DOWN, RPIO_PULL_OFF};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        guest_expect("set", 0, rpio_regs_set_pull(&regs, LINE, all[i]));
        guest_expect("set", 0, rpio_regs_set_pull(&regs, HIGH_LINE, all[i]));
    }
    guest_expect("read", -ENOTSUP, rpio_regs_pull(&regs, LINE));
}

/* ---- DMA ------------------------------------------------------------------------------------------ */

enum {
    CHANNEL = 14, /* the kernel may use it, but no driver that is in this guest does */
    CS = 0x00,    /* BCM2835 ARM Peripherals, 4.2.1.2 */
    CONBLK_AD = 0x04,
    DEBUG = 0x20,
    ENABLE = 0xFF0,
    CS_ACTIVE = 1 << 0,
    CS_END = 1 << 1,
    CS_ERROR = 1 << 8,
    TI_WAIT_RESP = 1 << 3,
    DEBUG_ERRORS = 7,
    GPSET0 = 0x1C,
    GPCLR0 = 0x28,
    GPLEV0 = 0x34,
    POISON = 0x5AFE5AFE,
    BLOCKS = 6,
};

struct control_block {
    uint32_t ti, source, destination, bytes, stride, next, reserved[2];
};

/* The reserved memory: control blocks, which lie on 32 bytes, and what they read and write. */
struct arena {
    struct control_block blocks[BLOCKS];
    uint32_t set, clear, last;  /* masks to write */
    uint32_t before, high, low; /* GPLEV0, as the DMA engine finds it between its writes */
};

uint32_t guest_bus_address(uint32_t offset) { return BUS_MEMORY | (GUEST_RESERVED + offset); }
static uint32_t bus_register(uint32_t offset) { return BUS_PERIPHERALS + PERIPHERAL_GPIO + offset; }
static uint32_t bus_memory(size_t offset) { return guest_bus_address((uint32_t)offset); }

static void fill(volatile struct arena *arena)
{
    const uint32_t from_to[BLOCKS][2] = {
        {bus_register(GPLEV0), bus_memory(offsetof(struct arena, before))},
        {bus_memory(offsetof(struct arena, set)), bus_register(GPSET0)},
        {bus_register(GPLEV0), bus_memory(offsetof(struct arena, high))},
        {bus_memory(offsetof(struct arena, clear)), bus_register(GPCLR0)},
        {bus_register(GPLEV0), bus_memory(offsetof(struct arena, low))},
        {bus_memory(offsetof(struct arena, last)), bus_register(GPSET0)},
    };
    for (size_t i = 0; i < BLOCKS; i++) {
        arena->blocks[i].ti = TI_WAIT_RESP;
        arena->blocks[i].source = from_to[i][0];
        arena->blocks[i].destination = from_to[i][1];
        arena->blocks[i].bytes = sizeof(uint32_t);
        arena->blocks[i].stride = 0;
        arena->blocks[i].next = i + 1 < BLOCKS ? bus_memory((i + 1) * sizeof(struct control_block)) : 0;
    }
    arena->set = arena->clear = UINT32_C(1) << LINE;
    arena->last = UINT32_C(1) << NEIGHBOUR;
    arena->before = arena->high = arena->low = POISON;
}

/* A pulse on LINE, looked at from within the chain; then NEIGHBOUR goes high and stays so. */
static void dma_chain(void)
{
    const uint32_t both = UINT32_C(1) << LINE | UINT32_C(1) << NEIGHBOUR;
    volatile uint32_t *dma = guest_map(PERIPHERALS + PERIPHERAL_DMA, PERIPHERAL_BYTES);
    volatile struct arena *arena = (volatile struct arena *)guest_map(GUEST_RESERVED, 4096);
    if (!dma || !arena)
        return;
    volatile uint32_t *channel = dma + CHANNEL * 0x100 / sizeof *dma;
    (void)rpio_regs_set_function(&regs, LINE, RPIO_FUNC_OUT);
    (void)rpio_regs_set_function(&regs, NEIGHBOUR, RPIO_FUNC_OUT);
    fill(arena);

    guest_expect("CS at first", 0, channel[CS / 4] & (CS_ACTIVE | CS_ERROR));
    dma[ENABLE / 4] |= UINT32_C(1) << CHANNEL;
    channel[CS / 4] = CS_END; /* cleared by writing it */
    channel[CONBLK_AD / 4] = bus_memory(0);
    reg_barrier();
    guest_expect("END before the start", 0, channel[CS / 4] & CS_END);
    guest_expect("memory before the start", POISON, arena->before);
    guest_expect("NEIGHBOUR before the start", 0, rpio_regs_read(&regs, NEIGHBOUR));
    channel[CS / 4] = CS_ACTIVE;
    for (int wait = 0; wait < 1000 && channel[CS / 4] & CS_ACTIVE; wait++)
        (void)usleep(1000);
    reg_barrier();

    guest_expect("ACTIVE and ERROR at the end", 0, channel[CS / 4] & (CS_ACTIVE | CS_ERROR));
    guest_expect("END at the end", CS_END, channel[CS / 4] & CS_END);
    guest_expect("CONBLK_AD at the end", 0, channel[CONBLK_AD / 4]);
    guest_expect("errors in DEBUG", 0, channel[DEBUG / 4] & DEBUG_ERRORS);
    guest_expect("levels before GPSET0", 0, arena->before & both);
    guest_expect("levels after GPSET0", 1L << LINE, arena->high & both);
    guest_expect("levels after GPCLR0", 0, arena->low & both);
    expect_kernel(LINE, "gpio_out", "lo");
    expect_kernel(NEIGHBOUR, "gpio_out", "hi");
    (void)rpio_regs_write(&regs, NEIGHBOUR, 0);
    (void)rpio_regs_set_function(&regs, LINE, RPIO_FUNC_IN);
    (void)rpio_regs_set_function(&regs, NEIGHBOUR, RPIO_FUNC_IN);
}

static void wave(void)
{
    volatile uint32_t *dma = guest_map(PERIPHERALS + PERIPHERAL_DMA, PERIPHERAL_BYTES);
    if (dma)
        guest_wave(dma, regs.base);
}

/* ---- the end -------------------------------------------------------------------------------------- */

/* A full reset by the power manager, as the kernel's bcm2835_wdt does it, which is a module and not here; QEMU ends with
 * it (-no-reboot). Returning instead would be a panic, and that leaves QEMU running. */
static void power_off(void)
{
    enum { PM = 0x100000, PM_RSTC = 0x1C, PM_PASSWORD = 0x5A000000, FULL_RESET = 0x20 };
    volatile uint32_t *pm = guest_map(PERIPHERALS + PM, PERIPHERAL_BYTES);
    if (pm)
        pm[PM_RSTC / 4] = PM_PASSWORD | FULL_RESET;
    for (;;)
        (void)pause();
}

/* ---- the process ---------------------------------------------------------------------------------- */

static void run(const char *name, void (*check)(void))
{
    failure_of = name;
    check();
    if (failure_of)
        printf("ok %s\n", name);
}

int main(void)
{
    (void)mount("dev", "/dev", "devtmpfs", 0, NULL);
    (void)mount("sys", "/sys", "sysfs", 0, NULL);
    (void)mount("debug", "/sys/kernel/debug", "debugfs", 0, NULL);
    if (!freopen("/dev/ttyS1", "w", stdout))
        return 1;
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("\n"); /* the driver's probe of the port has left a character in the line */
    run("chip", chip);
    run("mapping", mapping);
    if (regs.base) {
        run("functions", functions);
        run("levels", levels);
        run("requests", requests);
        run("pulls", pulls);
        run("dma-chain", dma_chain);
        run("wave", wave);
    }
    printf("end\n");
    (void)tcdrain(STDOUT_FILENO);
    power_off();
}
