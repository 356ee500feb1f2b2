// A library to preload into a process (LD_PRELOAD) that lets what it writes below one folder fail, and its clock jump.
//
//   LIQE_FAULT_ROOT   folder whose writes count: creations, writes, syncs, renames, removals of its files
//   LIQE_FAULT_AT     number of the first write that fails, from 1; 0: none
//   LIQE_FAULT_ONCE   1: that one alone; else all that follow, as on a full disk
//   LIQE_FAULT_ERRNO  the error's number
//   LIQE_FAULT_LOG    file that receives a line for each of them: what was done, and the path below the folder
//   LIQE_FAULT_CLOCK  seconds by which the clock of the wall may be wrong: each second of it is another one
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

static const char *root;
static size_t root_length;
static long first = 0, once = 0, number = EIO, clock_range = 0;
static int log_fd = -1;
static atomic_long writes;

static long integer_of(const char *name, long missing) {
  const char *text = getenv(name);
  return text ? atol(text) : missing;
}

__attribute__((constructor)) static void begin(void) {
  root = getenv("LIQE_FAULT_ROOT");
  root_length = root ? strlen(root) : 0;
  const char *log = getenv("LIQE_FAULT_LOG");
  if (log) log_fd = (int)syscall(SYS_open, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  first = integer_of("LIQE_FAULT_AT", 0);
  once = integer_of("LIQE_FAULT_ONCE", 0);
  number = integer_of("LIQE_FAULT_ERRNO", EIO);
  clock_range = integer_of("LIQE_FAULT_CLOCK", 0);
}

/** 1 where this write is one that fails; errno is set then. */
static int fails(const char *what, const char *path) {
  if (!root || !path || strncmp(path, root, root_length) != 0) return 0;
  const long n = atomic_fetch_add(&writes, 1) + 1;
  if (log_fd >= 0) {
    char line[PATH_MAX + 64];
    const int length = snprintf(line, sizeof line, "%s %s\n", what, path + root_length);
    if (syscall(SYS_write, log_fd, line, length) < 0) abort();
  }
  if (first == 0 || n < first || (once && n > first)) return 0;
  errno = (int)number;
  return 1;
}

static int fails_fd(const char *what, int fd) {
  if (!root) return 0;
  char link[64], path[PATH_MAX];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  const ssize_t length = readlink(link, path, sizeof path - 1);
  if (length < 0) return 0;
  path[length] = 0;
  return fails(what, path);
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

#define OF_FD(result, name, declared, given) \
  result name declared {                     \
    REAL(name);                              \
    return fails_fd(#name, fd) ? -1 : real given;   \
  }
OF_FD(ssize_t, write, (int fd, const void *bytes, size_t n), (fd, bytes, n))
OF_FD(ssize_t, pwrite, (int fd, const void *bytes, size_t n, off_t at), (fd, bytes, n, at))
OF_FD(ssize_t, pwrite64, (int fd, const void *bytes, size_t n, off64_t at), (fd, bytes, n, at))
OF_FD(ssize_t, writev, (int fd, const struct iovec *parts, int n), (fd, parts, n))
OF_FD(ssize_t, pwritev, (int fd, const struct iovec *parts, int n, off_t at), (fd, parts, n, at))
OF_FD(ssize_t, pwritev64, (int fd, const struct iovec *parts, int n, off64_t at), (fd, parts, n, at))
OF_FD(int, fsync, (int fd), (fd))
OF_FD(int, fdatasync, (int fd), (fd))
OF_FD(int, ftruncate, (int fd, off_t length), (fd, length))
OF_FD(int, ftruncate64, (int fd, off64_t length), (fd, length))

int rename(const char *from, const char *to) {
  REAL(rename);
  return fails("rename", to) ? -1 : real(from, to);
}
int link(const char *from, const char *to) {
  REAL(link);
  return fails("link", to) ? -1 : real(from, to);
}
int mkdir(const char *path, mode_t mode) {
  REAL(mkdir);
  return fails("mkdir", path) ? -1 : real(path, mode);
}

/** Opening counts where it may create the file. */
#define OPENS(name)                                                        \
  int name(const char *path, int flags, ...) {                             \
    REAL(name);                                                            \
    va_list more;                                                          \
    va_start(more, flags);                                                 \
    const mode_t mode = flags & O_CREAT ? (mode_t)va_arg(more, int) : 0;   \
    va_end(more);                                                          \
    return flags & O_CREAT && fails("open", path) ? -1 : real(path, flags, mode);  \
  }
OPENS(open)
OPENS(open64)

// ---- The clock of the wall; that of elapsed time goes on ----

static long jump(time_t seconds) {
  if (clock_range == 0) return 0;
  const unsigned long mixed = ((unsigned long)seconds * 2654435761UL) % (2 * (unsigned long)clock_range + 1);
  return (long)mixed - clock_range;
}

int clock_gettime(clockid_t which, struct timespec *out) {
  REAL(clock_gettime);
  const int result = real(which, out);
  if (result == 0 && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE)) out->tv_sec += jump(out->tv_sec);
  return result;
}
int gettimeofday(struct timeval *out, void *zone) {
  int (*real)(struct timeval *, void *) = (int (*)(struct timeval *, void *))dlsym(RTLD_NEXT, "gettimeofday");
  const int result = real(out, zone);
  if (result == 0) out->tv_sec += jump(out->tv_sec);
  return result;
}
