/*
 * loopback.h: tests/http/loopback.py as a child process, for tests in C.
 *
 * For one test program: include it in one file. The server ends when its input closes, by itself
 * after ten minutes (a busy machine takes more than one for all tests), and at the latest when
 * loopback_stop kills it.
 */
#ifndef TESTS_HTTP_LOOPBACK_H
#define TESTS_HTTP_LOOPBACK_H

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct loopback {
    pid_t process;
    int input;      /* closed: the server ends */
    unsigned port;  /* of 127.0.0.1 */
    char ca[256];   /* with --tls: the file of the authority to trust */
    char line[320]; /* as the server printed it */
};

/* Only in the child: never comes back. */
static inline void loopback_exec(int input, int output, const char *const *options)
{
    char path[1024];
    const char *root = getenv("RERANK_ROOT"),
               *arguments[16] = {"python3", "-B", path, "--lifetime", "600"};
    size_t n = 5;
    snprintf(path, sizeof path, "%s/tests/http/loopback.py", root != NULL ? root : ".");
    while (*options != NULL && n < 15) arguments[n++] = *options++;
    dup2(input, 0);
    dup2(output, 1);
    close(input);
    close(output);
    execvp(arguments[0], (char *const *)(void *)arguments);
    _exit(127);
}

/* The first line of the server, waited for at most 20 seconds; 0 when it came. */
static inline int loopback_read_line(struct loopback *server, int output)
{
    size_t n = 0;
    for (int tries = 0; tries < 200 && n < sizeof server->line - 1; tries++) {
        struct pollfd ready = {output, POLLIN, 0};
        if (poll(&ready, 1, 100) <= 0) continue;
        ssize_t got = read(output, server->line + n, 1);
        if (got != 1) return -1;
        if (server->line[n] == '\n') {
            server->line[n] = '\0';
            return 0;
        }
        n++;
        tries = 0;
    }
    return -1;
}

static inline void loopback_stop(struct loopback *server)
{
    if (server->process <= 0) return;
    close(server->input);
    for (int tries = 0; tries < 300; tries++) {
        if (waitpid(server->process, NULL, WNOHANG) != 0) {
            server->process = 0;
            return;
        }
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    }
    kill(server->process, SIGKILL);
    waitpid(server->process, NULL, 0);
    server->process = 0;
}

/* 0, and the server listens. `options` of loopback.py end with NULL. */
static inline int loopback_start(struct loopback *server, const char *const *options)
{
    int input[2], output[2];
    *server = (struct loopback){0};
    if (pipe(input) != 0 || pipe(output) != 0) return -1;
    fcntl(input[1], F_SETFD, FD_CLOEXEC); /* or another child would keep it open */
    fcntl(output[0], F_SETFD, FD_CLOEXEC);
    server->process = fork();
    if (server->process == 0) loopback_exec(input[0], output[1], options);
    close(input[0]);
    close(output[1]);
    server->input = input[1];
    int rc = server->process > 0 ? loopback_read_line(server, output[0]) : -1;
    close(output[0]);
    if (rc == 0 && sscanf(server->line, "%u %255s", &server->port, server->ca) < 1) rc = -1;
    if (rc != 0) loopback_stop(server);
    return rc;
}

#endif
