/*
 * A user database that answers for root, and never for anybody else. To be preloaded.
 */
#include <dlfcn.h>
#include <pwd.h>
#include <unistd.h>

int getpwuid_r(uid_t uid, struct passwd *user, char *buffer, size_t size, struct passwd **result)
{
    int (*next)(uid_t, struct passwd *, char *, size_t, struct passwd **);

    *(void **)&next = dlsym(RTLD_NEXT, "getpwuid_r");
    while (uid != 0)
        pause();
    return next(uid, user, buffer, size, result);
}
