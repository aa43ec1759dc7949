#include "service.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { PATH_BYTES = 512 };

void service_harden(void)
{
    const struct rlimit none = {0, 0};
    struct rlimit files;

    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0);
    umask(077);
    signal(SIGPIPE, SIG_IGN);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
}

bool service_become(const char *user, char error[SERVICE_ERROR_BYTES])
{
    if (!user)
        return true;
    const struct passwd *account = getpwnam(user);
    if (!account) {
        snprintf(error, SERVICE_ERROR_BYTES, "there is no user '%s' on this machine", user);
        return false;
    }
    if (account->pw_uid == geteuid())
        return true;
    if (geteuid() != 0) {
        snprintf(error, SERVICE_ERROR_BYTES, "only root can become user '%s'; start it as that user, or as root", user);
        return false;
    }
    if (initgroups(user, account->pw_gid) != 0 || setresgid(account->pw_gid, account->pw_gid, account->pw_gid) != 0 ||
        setresuid(account->pw_uid, account->pw_uid, account->pw_uid) != 0) {
        snprintf(error, SERVICE_ERROR_BYTES, "cannot become user '%s': %s", user, strerror(errno));
        return false;
    }
    prctl(PR_SET_DUMPABLE, 0); /* the kernel forgets it when the user changes */
    return true;
}

bool service_lock(const char *database, char error[SERVICE_ERROR_BYTES])
{
    char path[PATH_BYTES];

    if ((size_t)snprintf(path, sizeof path, "%s.lock", database) >= sizeof path) {
        snprintf(error, SERVICE_ERROR_BYTES, "the path of the database is too long");
        return false;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        snprintf(error, SERVICE_ERROR_BYTES, "cannot make %s: %s", path, strerror(errno));
        return false;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        snprintf(error, SERVICE_ERROR_BYTES,
                 errno == EWOULDBLOCK ? "another hub has %s open; stop it first" : "cannot lock %s", database);
        close(fd);
        return false;
    }
    /* For people who look; the lock is what counts. */
    if (ftruncate(fd, 0) != 0 || dprintf(fd, "%d\n", (int)getpid()) < 0) {
        snprintf(error, SERVICE_ERROR_BYTES, "cannot write to %s: %s", path, strerror(errno));
        close(fd);
        return false;
    }
    return true; /* fd stays open on purpose */
}

bool service_write_file(const char *path, const char *line, char error[SERVICE_ERROR_BYTES])
{
    char temporary[PATH_BYTES];
    bool ok = false;

    if ((size_t)snprintf(temporary, sizeof temporary, "%s.new", path) < sizeof temporary) {
        int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
        ok = fd >= 0 && dprintf(fd, "%s\n", line) > 0;
        if (fd >= 0 && close(fd) != 0)
            ok = false;
        ok = ok && rename(temporary, path) == 0;
    }
    if (!ok)
        snprintf(error, SERVICE_ERROR_BYTES, "cannot write %s: %s", path, strerror(errno));
    return ok;
}

void service_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = path ? strlen(path) : 0;

    if (size < 2 || size >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(address.sun_path, path, size);
    if (path[0] == '@')
        address.sun_path[0] = '\0'; /* an abstract socket */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address,
           (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size));
    close(fd);
}
