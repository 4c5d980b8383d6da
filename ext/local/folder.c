#include "local/folder.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/environment.h"
#include "base/file.h"
#include "base/memory.h"

#define MAX_NAME 200
#define MAX_REVISION 100

struct search {
    const char *name;           /* owner/name */
    char entry[2 * MAX_NAME];   /* models--owner--name */
    char found[FILE_PATH_SIZE]; /* "" so far */
    char looked[200];           /* the folders that were looked in, clipped */
    struct error problem;       /* of the first model of that name that cannot be used */
    int ignores_case;           /* of names of folders */
};

/* ---- names ----------------------------------------------------------------------------------- */

/* Letters, digits, '.', '_' and '-', of which '.' is not the first. */
static int is_plain(const char *name, size_t size)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789._-";
    return size > 0 && name[0] != '.' && strspn(name, allowed) >= size;
}

static int is_model_name(const char *name)
{
    const char *slash = strchr(name, '/');
    if (strlen(name) > MAX_NAME) return 0;
    if (slash == NULL) return is_plain(name, strlen(name));
    return is_plain(name, (size_t)(slash - name)) && is_plain(slash + 1, strlen(slash + 1));
}

/* "models--owner--name". */
static void name_entry(struct search *search)
{
    const char *slash = strchr(search->name, '/');
    int owner = slash == NULL ? 0 : (int)(slash - search->name);
    snprintf(search->entry, sizeof search->entry, "models--%.*s%s%s", owner, search->name,
             slash == NULL ? "" : "--", slash == NULL ? search->name : slash + 1);
}

/* ---- one folder ------------------------------------------------------------------------------ */

static int format_path(char path[FILE_PATH_SIZE], const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Whether it fits. */
static int format_path(char path[FILE_PATH_SIZE], const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(path, FILE_PATH_SIZE, format, arguments);
    va_end(arguments);
    return length >= 0 && length < FILE_PATH_SIZE;
}

/* The first problem is told if no folder has the model. */
static struct error *problem_of(struct search *search)
{
    return search->problem.code == 0 ? &search->problem : NULL;
}

/* Folders that a path leads to, whatever the case of its letters; the last of them. */
struct match {
    char path[FILE_PATH_SIZE];
    size_t n;
};

/* Of the parts of a name: owner/name. */
static void match_below(const char *root, const char *name, struct match *match)
{
    size_t size = strcspn(name, "/");
    struct file_names entries;
    if (!file_names_open(root, &entries)) return;
    while (file_names_next(&entries)) {
        char path[FILE_PATH_SIZE];
        if (strlen(entries.name) != size || strncasecmp(entries.name, name, size) != 0 ||
            !format_path(path, "%s/%s", root, entries.name) || !file_is_folder(path))
            continue;
        if (name[size] == '/') {
            match_below(path, name + size + 1, match);
        } else {
            snprintf(match->path, sizeof match->path, "%s", path);
            match->n++;
        }
    }
    file_names_close(&entries);
}

/* The folder of that name in another. 1, or 0: there is none, or there are several. */
static int find_folder(struct search *search, const char *root, const char *name,
                       char path[FILE_PATH_SIZE])
{
    struct match match = {.n = 0};
    if (!search->ignores_case)
        return format_path(path, "%s/%s", root, name) && file_is_folder(path);
    match_below(root, name, &match);
    if (match.n > 1)
        error_set(problem_of(search), ERROR_UNAVAILABLE,
                  "%zu folders in %.200s are called %s but for the case of letters", match.n, root,
                  name);
    snprintf(path, FILE_PATH_SIZE, "%s", match.path);
    return match.n == 1;
}

/* Takes the folder if it holds a model. */
static void try_folder(struct search *search, const char *folder)
{
    char path[FILE_PATH_SIZE];
    if (search->found[0] != '\0' || !file_is_folder(folder)) return;
    if ((format_path(path, "%s/config.json", folder) && file_exists(path)) ||
        (format_path(path, "%s/modules.json", folder) && file_exists(path)))
        snprintf(search->found, sizeof search->found, "%s", folder);
    else error_set(problem_of(search), ERROR_UNAVAILABLE, "%.200s has no config.json", folder);
}

/* What refs/main holds. 0, ERROR_NOMEM, or ERROR_UNAVAILABLE where it is no revision. */
static int read_revision(const char *path, char revision[MAX_REVISION + 1], struct error *err)
{
    struct buffer text;
    buffer_init(&text, MAX_REVISION + 2); /* an end of line may follow */
    int rc = file_read_whole(path, &text, err);
    size_t size = text.size;
    while (size > 0 && strchr("\r\n \t", text.data[size - 1]) != NULL) size--;
    if (rc == 0)
        snprintf(revision, MAX_REVISION + 1, "%.*s", (int)size, size == 0 ? "" : text.data);
    buffer_deinit(&text);
    if (rc == ERROR_NOMEM) return rc;
    if (rc == 0 && size <= MAX_REVISION && strlen(revision) == size && is_plain(revision, size))
        return 0;
    return error_set(err, ERROR_UNAVAILABLE, "%.250s holds no revision's name", path);
}

/* The only revision of a folder of them. */
static int only_revision(const char *path, char revision[MAX_REVISION + 1], struct error *err)
{
    size_t n = 0;
    struct file_names entries;
    int can_read = file_names_open(path, &entries);
    while (can_read && file_names_next(&entries)) {
        if (!is_plain(entries.name, strlen(entries.name)) || strlen(entries.name) > MAX_REVISION)
            continue;
        snprintf(revision, MAX_REVISION + 1, "%.*s", MAX_REVISION, entries.name);
        n++;
    }
    if (can_read) file_names_close(&entries);
    if (n == 1) return 0;
    if (n == 0) return error_set(err, ERROR_UNAVAILABLE, "no revision in %.250s", path);
    return error_set(err, ERROR_UNAVAILABLE,
                     "%zu revisions in %.250s and no refs/main that says which", n, path);
}

/* A model of the cache's layout, whose folder that is. ERROR_NOMEM. */
static int try_cache(struct search *search, const char *folder, struct error *err)
{
    char path[FILE_PATH_SIZE], revision[MAX_REVISION + 1] = "";
    struct error problem = {0};
    int rc;
    if (format_path(path, "%s/refs/main", folder) && file_exists(path))
        rc = read_revision(path, revision, &problem);
    else if (format_path(path, "%s/snapshots", folder))
        rc = only_revision(path, revision, &problem);
    else return 0;
    if (rc == ERROR_NOMEM) return error_nomem(err);
    if (rc != 0) {
        error_set(problem_of(search), rc, "%s", problem.text);
        return 0;
    }
    if (!format_path(path, "%s/snapshots/%s", folder, revision)) return 0;
    if (file_is_folder(path)) try_folder(search, path);
    else error_set(problem_of(search), ERROR_UNAVAILABLE, "%.300s is not there", path);
    return 0;
}

/* ---- all of them ----------------------------------------------------------------------------- */

/* Looks for it in one folder of models, unless it is found. ERROR_NOMEM. */
static int look_in(struct search *search, const char *root, struct error *err)
{
    char path[FILE_PATH_SIZE];
    size_t used = strlen(search->looked);
    if (search->found[0] != '\0') return 0;
    if (!search->ignores_case)
        snprintf(search->looked + used, sizeof search->looked - used, "%s%s", used == 0 ? "" : ", ",
                 root);
    if (find_folder(search, root, search->name, path)) try_folder(search, path);
    if (search->found[0] != '\0') return 0;
    return find_folder(search, root, search->entry, path) ? try_cache(search, path, err) : 0;
}

static int look_in_path(struct search *search, struct error *err)
{
    char root[FILE_PATH_SIZE];
    const char *at = environment_value("RERANK_MODEL_PATH");
    int rc = 0;
    while (rc == 0 && at != NULL) {
        size_t size = strcspn(at, FILE_BETWEEN_PATHS);
        if (size > 0 && size < sizeof root) {
            snprintf(root, sizeof root, "%.*s", (int)size, at);
            rc = look_in(search, root, err);
        }
        at = at[size] == '\0' ? NULL : at + size + 1;
    }
    return rc;
}

/* Where huggingface_hub keeps what it downloads. */
static int look_in_hub(struct search *search, struct error *err)
{
    static const struct {
        const char *variable, *below;
    } places[] = {{"HF_HUB_CACHE", ""},
                  {"HUGGINGFACE_HUB_CACHE", ""},
                  {"HF_HOME", "/hub"},
                  {"XDG_CACHE_HOME", "/huggingface/hub"},
                  {"HOME", "/.cache/huggingface/hub"},
                  {"USERPROFILE", "/.cache/huggingface/hub"}}; /* Windows' */
    char root[FILE_PATH_SIZE];
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const char *value = environment_value(places[i].variable);
        if (value == NULL) continue;
        return format_path(root, "%s%s", value, places[i].below) ? look_in(search, root, err) : 0;
    }
    return 0;
}

static int not_found(struct search *search, struct error *err)
{
    static const char cure[] = "make model MODEL=";
    if (search->problem.code != 0)
        return error_set(err, ERROR_UNAVAILABLE, "model %.60s: %.300s; %s%.60s downloads it anew",
                         search->name, search->problem.text, cure, search->name);
    return error_set(err, ERROR_UNAVAILABLE,
                     "no model %.60s in %s%s; %s%.60s downloads it, or set RERANK_MODEL_PATH",
                     search->name, search->looked[0] == '\0' ? "any folder" : search->looked,
                     strlen(search->looked) + 1 == sizeof search->looked ? "..." : "", cure,
                     search->name);
}

int local_folder_find(const char *name, char **folder, struct error *err)
{
    struct search search = {.name = name};
    *folder = NULL;
    if (!is_model_name(name))
        return error_set(err, ERROR_INVALID,
                         "expected a model's name as owner/name, of letters, digits, '.', '_' and "
                         "'-', not %.200s",
                         name[0] == '\0' ? "an empty text" : name);
    name_entry(&search);
    int rc = 0;
    for (; rc == 0 && search.found[0] == '\0' && search.ignores_case < 2; search.ignores_case++) {
        rc = look_in_path(&search, err);
        if (rc == 0) rc = look_in_hub(&search, err);
    }
    if (rc != 0) return rc;
    if (search.found[0] == '\0') return not_found(&search, err);
    *folder = memory_copy(search.found, strlen(search.found));
    return *folder == NULL ? error_nomem(err) : 0;
}
