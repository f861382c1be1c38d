/* The first process of a health probe, see services/containers/health/reaper.ts. Freestanding: no libc, no data. */
typedef unsigned long ulong;
#if defined(__x86_64__)
enum { READ = 0, WRITE = 1, OPENAT = 257, CLOSE = 3, CLONE = 56, EXECVE = 59, WAIT4 = 61, KILL = 62, GETPID = 39, PRCTL = 157, EXIT = 231 };
static long call(long n, long a, long b, long c, long d, long e) {
  long r;
  register long r10 __asm__("r10") = d;
  register long r8 __asm__("r8") = e;
  __asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8) : "rcx", "r11", "memory");
  return r;
}
__asm__(".globl _start\n_start:\n  mov %rsp, %rdi\n  and $-16, %rsp\n  call begin\n");
#elif defined(__aarch64__)
enum { READ = 63, WRITE = 64, OPENAT = 56, CLOSE = 57, CLONE = 220, EXECVE = 221, WAIT4 = 260, KILL = 129, GETPID = 172, PRCTL = 167, EXIT = 94 };
static long call(long n, long a, long b, long c, long d, long e) {
  register long x8 __asm__("x8") = n;
  register long x0 __asm__("x0") = a;
  register long x1 __asm__("x1") = b;
  register long x2 __asm__("x2") = c;
  register long x3 __asm__("x3") = d;
  register long x4 __asm__("x4") = e;
  __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
  return x0;
}
__asm__(".globl _start\n_start:\n  mov x0, sp\n  b begin\n");
#endif

enum { SUBREAPER = 36, SIGCHLD = 17, SIGKILL = 9, EINTR = 4, ENOENT = 2, EACCES = 13, ENOTDIR = 20, AT_FDCWD = -100, OWN_FD = 3 };

static ulong length(const char *s) {
  ulong n = 0;
  while (s[n]) n++;
  return n;
}
static char *append(char *to, const char *from) {
  while (*from) *to++ = *from++;
  *to = 0;
  return to;
}
static void say(const char *s) { call(WRITE, 2, (long)s, length(s), 0, 0); }

static int has_slash(const char *s) {
  for (; *s; s++)
    if (*s == '/') return 1;
  return 0;
}

/* execvp(3): answers only when it failed, with the errno that says most. */
static long run(char **argv, char **envp) {
  if (has_slash(argv[0])) return call(EXECVE, (long)argv[0], (long)argv, (long)envp, 0, 0);
  const char *path = 0;
  for (char **e = envp; *e; e++)
    if (e[0][0] == 'P' && e[0][1] == 'A' && e[0][2] == 'T' && e[0][3] == 'H' && e[0][4] == '=') path = *e + 5;
  if (!path) return -ENOENT;
  long result = -ENOENT;
  char file[4352];
  while (*path) {
    ulong n = 0;
    while (*path && *path != ':') {
      if (n < 4000) file[n++] = *path;
      path++;
    }
    if (*path) path++;
    file[n++] = '/';
    if (n + length(argv[0]) >= sizeof file) continue;
    append(file + n, argv[0]);
    long r = call(EXECVE, (long)file, (long)argv, (long)envp, 0, 0);
    if (r != -ENOENT && r != -ENOTDIR) result = r;
  }
  return result;
}

/* Kills this process's children; what they leave becomes children of ours and is found by the next call. */
static void kill_children(long self) {
  char name[64], digits[24], text[512];
  char *d = digits + sizeof digits - 1;
  *d = 0;
  for (long n = self; n > 0; n /= 10) *--d = '0' + n % 10;
  append(append(append(name, "/proc/self/task/"), d), "/children");
  long fd = call(OPENAT, AT_FDCWD, (long)name, 0, 0, 0);
  if (fd < 0) return;
  long pid = 0, n;
  while ((n = call(READ, fd, (long)text, sizeof text, 0, 0)) > 0)
    for (long i = 0; i < n; i++) {
      if (text[i] >= '0' && text[i] <= '9') {
        pid = pid * 10 + (text[i] - '0');
        continue;
      }
      if (pid > 1) call(KILL, pid, SIGKILL, 0, 0, 0);
      pid = 0;
    }
  call(CLOSE, fd, 0, 0, 0, 0);
}

__attribute__((noreturn, used)) void begin(ulong *stack) {
  long argc = (long)stack[0];
  char **argv = (char **)(stack + 1), **envp = argv + argc + 1;
  int status = 0, code = 126;
  call(PRCTL, SUBREAPER, 1, 0, 0, 0);
  call(CLOSE, OWN_FD, 0, 0, 0, 0);
  long child = argc < 2 ? -1 : call(CLONE, SIGCHLD, 0, 0, 0, 0);
  if (child == 0) {
    long failed = run(argv + 1, envp);
    say(argv[1]);
    say(failed == -ENOENT || failed == -ENOTDIR ? ": not found\n" : failed == -EACCES ? ": permission denied\n" : ": cannot be executed\n");
    call(EXIT, failed == -ENOENT || failed == -ENOTDIR ? 127 : 126, 0, 0, 0, 0);
  }
  long self = call(GETPID, 0, 0, 0, 0, 0);
  int over = child < 0;
  for (;;) {
    if (over) kill_children(self);
    long pid = call(WAIT4, -1, (long)&status, 0, 0, 0);
    if (pid == -EINTR) continue;
    if (pid < 0) break;
    if (pid != child) continue;
    over = 1;
    code = (status & 0x7f) ? 128 + (status & 0x7f) : (status >> 8) & 0xff;
  }
  call(EXIT, code, 0, 0, 0, 0);
  for (;;) ;
}
