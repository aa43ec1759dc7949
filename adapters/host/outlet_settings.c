#include "outlet_settings.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const outlet_clear_choices[] = {"no", IN_CLEAR, NULL};

static bool check_readable(const char *path, const char *where, char error[CAREHUB_ERROR_BYTES])
{
    return !path || access(path, R_OK) == 0 ||
           settings_complain(error, where, "cannot read %s: %s", path, strerror(errno));
}

bool outlet_tls_check(const struct outlet_tls *tls, bool used, const char *where, char error[CAREHUB_ERROR_BYTES])
{
    if (!used && (tls->ca || tls->certificate || tls->key))
        return settings_complain(error, where, "tls- settings are of no use without TLS: turn it on, or remove them");
    if (!tls->certificate != !tls->key)
        return settings_complain(error, where, "tls-certificate and tls-key belong together: set both, or none");
    return check_readable(tls->ca, where, error) && check_readable(tls->certificate, where, error) &&
           check_readable(tls->key, where, error);
}

bool host_is_loopback(const char *host)
{
    char plain[OUTLET_HOST_BYTES];
    struct in_addr four;
    struct in6_addr six;
    size_t len = strlen(host);
    bool brackets = len > 2 && host[0] == '[' && host[len - 1] == ']';
    snprintf(plain, sizeof plain, "%.*s", (int)(brackets ? len - 2 : len), brackets ? host + 1 : host);
    if (inet_pton(AF_INET, plain, &four) == 1)
        return ntohl(four.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, plain, &six) == 1)
        return IN6_IS_ADDR_LOOPBACK(&six);
    return strcmp(plain, "localhost") == 0;
}

bool endpoint_split(const char *endpoint, char host[OUTLET_HOST_BYTES], char port[OUTLET_PORT_BYTES])
{
    const char *colon = strrchr(endpoint, ':');
    if (!colon || colon == endpoint)
        return false;
    size_t len = (size_t)(colon - endpoint);
    bool brackets = endpoint[0] == '[' && endpoint[len - 1] == ']';
    if (brackets) {
        endpoint++;
        len -= 2;
    }
    char *end;
    unsigned long number = strtoul(colon + 1, &end, 10);
    if (len == 0 || len >= OUTLET_HOST_BYTES || (!brackets && memchr(endpoint, ':', len)) || colon[1] < '0' ||
        colon[1] > '9' || *end != '\0' || number == 0 || number > 65535)
        return false;
    memcpy(host, endpoint, len);
    host[len] = '\0';
    snprintf(port, OUTLET_PORT_BYTES, "%lu", number);
    return true;
}

static bool check_private(int fd, const char *path, char error[CAREHUB_ERROR_BYTES])
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return settings_complain(error, path, "cannot be read: %s", strerror(errno));
    if (!S_ISREG(st.st_mode) || st.st_size > SECRET_MAX_BYTES)
        return settings_complain(error, path, "has to be a file of at most %d bytes", SECRET_MAX_BYTES);
    if (st.st_mode & S_IRWXO)
        return settings_complain(error, path, "others may read this secret; run: chmod o= %s", path);
    return true;
}

bool secret_read(const char *path, char secret[SECRET_MAX_BYTES + 1], size_t *len, char error[CAREHUB_ERROR_BYTES])
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return settings_complain(error, path, "cannot be opened: %s%s", strerror(errno),
                                 errno == ENOENT ? "; write the secret that the receiver knows into it, in one line"
                                                 : "");
    ssize_t n = check_private(fd, path, error) ? read(fd, secret, SECRET_MAX_BYTES) : -2;
    if (n == -1)
        settings_complain(error, path, "cannot be read: %s", strerror(errno));
    close(fd);
    while (n > 0 && (secret[n - 1] == '\n' || secret[n - 1] == '\r'))
        n--;
    if (n == 0)
        settings_complain(error, path, "is empty: write the secret into it, in one line");
    if (n <= 0)
        return false;
    secret[n] = '\0';
    *len = (size_t)n;
    return true;
}

void problem_print(const struct carehub_problem *problem, char *out, size_t size)
{
    bool rule = problem->rule[0] != '\0';
    snprintf(out, size, "%s%s%s%s%s%s", problem->where, problem->where[0] != '\0' ? ": " : "", problem->what,
             rule ? " (" : "", problem->rule, rule ? ")" : "");
}

void sending_judged(enum carehub_judgement judgement, const struct carehub_problem *problem, sending_done_fn *done,
                    void *arg)
{
    char text[CAREHUB_ERROR_BYTES];
    problem_print(problem, text, sizeof text);
    switch (judgement) {
    case CAREHUB_JUDGED_TAKEN:
        done(arg, SENDING_TAKEN, "taken", "");
        break;
    case CAREHUB_JUDGED_AGAIN:
        done(arg, SENDING_DOWN, "not-now", text);
        break;
    case CAREHUB_JUDGED_REFUSED:
        done(arg, SENDING_REFUSED, "refused", text);
        break;
    default:
        done(arg, SENDING_AGAIN, "answers-another", text);
    }
}
