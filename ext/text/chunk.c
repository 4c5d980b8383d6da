#include "text/chunk.h"

#include <stdint.h>
#include <string.h>

#include "base/memory.h"
#include "text/boundaries.h"
#include "text/utf8.h"

#define RUNS_PER_POLL 1024
#define FIRST_ATOMS 64

/* What is not cut: a run, or a part of one that is too long. */
struct atom {
    const char *start, *end;
    size_t n_tokens; /* without those that every text gets */
    enum boundary after;
};

struct chunker {
    struct chunk_options options;
    size_t n_special, room;  /* tokens that every text gets, and that are left for what it says */
    const char *at, *end;    /* the text that was not read yet */
    struct boundary_run run; /* of a run that is too long what is left, n_left tokens about */
    size_t n_left;
    struct atom *atoms; /* [n_atoms] from the piece before on; owned */
    size_t n_atoms, capacity;
    size_t start;        /* the atom that the next piece begins with */
    size_t covered;      /* the first atom that is in no piece yet */
    const char *counted; /* so far the characters were counted: so many */
    size_t n_characters;
    size_t n_runs;
};

int chunk_new(struct span text, const struct chunk_options *options, struct chunker **made,
              struct error *err)
{
    size_t n_special;
    *made = NULL;
    int rc = options->count(options->context, (struct span){"", 0}, &n_special, err);
    if (rc != 0) return rc;
    if (options->max_tokens <= n_special)
        return error_set(err, ERROR_INVALID,
                         "max_tokens must be %zu or more, not %zu (%zu are special tokens)",
                         n_special + 1, options->max_tokens, n_special);
    if (options->overlap >= options->max_tokens)
        return error_set(err, ERROR_INVALID, "overlap must be less than max_tokens (%zu), not %zu",
                         options->max_tokens, options->overlap);
    struct chunker *chunker = memory_zalloc(1, sizeof *chunker);
    if (chunker == NULL) return error_nomem(err);
    chunker->options = *options;
    chunker->n_special = n_special;
    chunker->room = options->max_tokens - n_special;
    chunker->at = chunker->counted = text.size > 0 ? text.data : "";
    chunker->end = chunker->at + text.size;
    *made = chunker;
    return 0;
}

void chunk_free(struct chunker *chunker)
{
    if (chunker == NULL) return;
    memory_free(chunker->atoms);
    memory_free(chunker);
}

/* ---- atoms ---------------------------------------------------------------------------------- */

static int count(const struct chunker *chunker, const char *start, const char *end, size_t *n,
                 struct error *err)
{
    struct span text = {start, (size_t)(end - start)};
    int rc = chunker->options.count(chunker->options.context, text, n, err);
    if (rc != 0) return rc;
    *n = *n > chunker->n_special ? *n - chunker->n_special : 0;
    return 0;
}

static int add_atom(struct chunker *chunker, const struct atom *atom, struct error *err)
{
    if (chunker->n_atoms == chunker->capacity) {
        size_t capacity = chunker->capacity == 0 ? FIRST_ATOMS : chunker->capacity * 2;
        struct atom *atoms = memory_realloc(chunker->atoms, capacity, sizeof *atoms);
        if (atoms == NULL) return error_nomem(err);
        chunker->atoms = atoms;
        chunker->capacity = capacity;
    }
    chunker->atoms[chunker->n_atoms++] = *atom;
    return 0;
}

/* The beginning of the run, of about `size` bytes: at least one character, at most all. */
static const char *prefix_end(const struct boundary_run *run, size_t size)
{
    if (size >= (size_t)(run->end - run->start)) return run->end;
    const char *end = run->start + size;
    while (end > run->start && utf8_is_inside(*end)) end--;
    if (end > run->start) return end;
    for (end++; end < run->end && utf8_is_inside(*end); end++)
        ;
    return end;
}

/* Cuts from what is left of a run as much as there is room for. */
static int cut_atom(struct chunker *chunker, struct atom *atom, struct error *err)
{
    const struct boundary_run *run = &chunker->run;
    size_t room = chunker->room, size = (size_t)(run->end - run->start);
    if (chunker->n_left > room) size = (size_t)((uint64_t)size * room / chunker->n_left);
    atom->start = run->start;
    atom->end = prefix_end(run, size);
    for (int attempt = 1;; attempt++) {
        int rc = count(chunker, atom->start, atom->end, &atom->n_tokens, err);
        if (rc != 0) return rc;
        if (atom->n_tokens <= room) break;
        size = (size_t)(atom->end - atom->start);
        if (atom->end == prefix_end(run, 1))
            return error_set(err, ERROR_INVALID,
                             "a single character (%.*s) has %zu tokens: max_tokens must be %zu or "
                             "more, not %zu",
                             (int)size, atom->start, atom->n_tokens,
                             atom->n_tokens + chunker->n_special, chunker->options.max_tokens);
        size_t smaller = (size_t)((uint64_t)size * room / atom->n_tokens);
        /* Tokens that are spread unevenly: by halves rather than in many small steps. */
        atom->end = prefix_end(run, attempt > 4 ? size / 2 : smaller < size ? smaller : size - 1);
    }
    atom->after = atom->end == run->end ? run->after : BOUNDARY_CHARACTER;
    return 0;
}

/* Reads one atom more; *got = 0 at the end of the text. */
static int read_atom(struct chunker *chunker, int *got, struct error *err)
{
    struct boundary_run *run = &chunker->run;
    struct atom atom = {0};
    int rc = 0;
    *got = 1;
    if (run->start == run->end) {
        *got = boundary_next(&chunker->at, chunker->end, run);
        if (!*got) {
            *run = (struct boundary_run){0};
            return 0;
        }
        if (++chunker->n_runs % RUNS_PER_POLL == 0) rc = cancel_check(chunker->options.cancel, err);
        if (rc == 0) rc = count(chunker, run->start, run->end, &chunker->n_left, err);
        atom = (struct atom){run->start, run->end, chunker->n_left, run->after};
        if (rc == 0 && atom.n_tokens > chunker->room) rc = cut_atom(chunker, &atom, err);
    } else {
        rc = cut_atom(chunker, &atom, err);
    }
    if (rc == 0) rc = add_atom(chunker, &atom, err);
    if (rc != 0) return rc;
    run->start = atom.end;
    chunker->n_left = chunker->n_left > atom.n_tokens ? chunker->n_left - atom.n_tokens : 1;
    return 0;
}

/* Whether there is an atom of that number. */
static int have_atom(struct chunker *chunker, size_t number, int *have, struct error *err)
{
    int rc = 0;
    *have = number < chunker->n_atoms;
    return *have ? rc : read_atom(chunker, have, err);
}

/* Forgets the atoms before the next piece, when they are many. */
static void forget_atoms(struct chunker *chunker)
{
    size_t n = chunker->start;
    if (n < FIRST_ATOMS || n < chunker->n_atoms / 2) return;
    chunker->n_atoms -= n;
    memmove(chunker->atoms, chunker->atoms + n, chunker->n_atoms * sizeof *chunker->atoms);
    chunker->start = 0;
    chunker->covered -= n;
}

/* ---- pieces --------------------------------------------------------------------------------- */

/* A piece in the making: atoms from chunker->start on. */
struct piece {
    size_t limit;    /* tokens that its atoms may have */
    size_t most;     /* it ends before this atom */
    size_t end;      /* it ends before this atom, */
    size_t n_tokens; /* with so many tokens */
};

static size_t sum_tokens(const struct chunker *chunker, size_t first, size_t end)
{
    size_t sum = 0;
    for (size_t i = first; i < end; i++) sum += chunker->atoms[i].n_tokens;
    return sum;
}

/* The end among those that the piece can have; full: it took all that it could. */
static void choose_end(struct piece *piece, const struct piece *full,
                       const struct piece last[N_BOUNDARIES])
{
    static const struct {
        enum boundary boundary;
        size_t quarters; /* of the limit, that a piece so cut must have */
    } wanted[] = {
        {BOUNDARY_PARAGRAPH, 2}, {BOUNDARY_SENTENCE, 1}, {BOUNDARY_LINE, 3}, {BOUNDARY_WORD, 2}};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        const struct piece *end = &last[wanted[i].boundary];
        if (end->end == 0 || end->n_tokens / wanted[i].quarters < piece->limit / 4) continue;
        piece->end = end->end;
        piece->n_tokens = end->n_tokens;
        return;
    }
    piece->end = full->end;
    piece->n_tokens = full->n_tokens;
}

/* Fills the piece up to its limit; it takes at least the first atom that no piece has, for which
 * there is room. */
static int fill(struct chunker *chunker, struct piece *piece, struct error *err)
{
    struct piece last[N_BOUNDARIES] = {
        {0}}; /* .end, .n_tokens: at the last such boundary or better */
    struct piece full = {.end = chunker->covered};
    int have = 1;
    full.n_tokens = sum_tokens(chunker, chunker->start, chunker->covered);
    while (full.end < piece->most) {
        int rc = have_atom(chunker, full.end, &have, err);
        if (rc != 0) return rc;
        if (!have) break;
        const struct atom *atom = &chunker->atoms[full.end];
        if (full.end > chunker->covered && full.n_tokens + atom->n_tokens > piece->limit) break;
        full.end++;
        full.n_tokens += atom->n_tokens;
        for (int i = 0; i <= (int)atom->after; i++) last[i] = full;
    }
    if (!have) {
        piece->end = full.end;
        piece->n_tokens = full.n_tokens;
    } else {
        choose_end(piece, &full, last);
    }
    return 0;
}

/* Makes the piece smaller: as a whole it has n_tokens, more than there is room for. */
static void shrink(struct chunker *chunker, struct piece *piece, size_t n_tokens, int attempt)
{
    size_t n = piece->end - chunker->covered; /* atoms that are new in it, 1 or more */
    if (n == 1) {
        chunker->start++;
        piece->most = SIZE_MAX;
        piece->limit = chunker->room;
        return;
    }
    piece->limit = (size_t)((uint64_t)piece->n_tokens * chunker->room / n_tokens);
    piece->most = chunker->covered + (attempt > 4 ? (n + 1) / 2 : n - 1);
}

/* Decides on the atoms of the next piece: from chunker->start to *end. */
static int make_piece(struct chunker *chunker, size_t *end, struct error *err)
{
    struct piece piece = {.limit = chunker->room, .most = SIZE_MAX};
    size_t first = chunker->atoms[chunker->covered].n_tokens, n_tokens;
    size_t shared = sum_tokens(chunker, chunker->start, chunker->covered);
    for (; shared > 0 && shared + first > chunker->room; chunker->start++)
        shared -= chunker->atoms[chunker->start].n_tokens;
    for (int attempt = 1;; attempt++) {
        int rc = fill(chunker, &piece, err);
        if (rc != 0) return rc;
        *end = piece.end;
        /* A lone atom was counted when it was read. */
        if (piece.end - chunker->start == 1) return 0;
        rc = count(chunker, chunker->atoms[chunker->start].start, chunker->atoms[piece.end - 1].end,
                   &n_tokens, err);
        if (rc != 0 || n_tokens <= chunker->room) return rc;
        shrink(chunker, &piece, n_tokens, attempt);
    }
}

/* Where the piece after this one (from chunker->start to `end`) begins. */
static size_t next_start(const struct chunker *chunker, size_t end)
{
    const struct atom *atoms = chunker->atoms;
    size_t start = end, sentence = end, shared = 0, sentence_shared = 0;
    while (start - 1 > chunker->start && chunker->options.overlap > 0 &&
           shared + atoms[start - 1].n_tokens <= chunker->options.overlap) {
        shared += atoms[--start].n_tokens;
        if (atoms[start - 1].after < BOUNDARY_SENTENCE) continue;
        sentence = start;
        sentence_shared = shared;
    }
    return sentence < end && sentence_shared >= chunker->options.overlap / 2 ? sentence : start;
}

static size_t count_characters(struct chunker *chunker, const char *end)
{
    for (; chunker->counted < end; chunker->counted++)
        chunker->n_characters += !utf8_is_inside(*chunker->counted);
    return chunker->n_characters;
}

int chunk_next(struct chunker *chunker, struct chunk *chunk, int *done, struct error *err)
{
    int have;
    size_t end;
    *done = 0;
    forget_atoms(chunker);
    int rc = cancel_check(chunker->options.cancel, err);
    if (rc == 0) rc = have_atom(chunker, chunker->covered, &have, err);
    if (rc == 0) *done = !have;
    if (rc != 0 || *done) return rc;
    rc = make_piece(chunker, &end, err);
    if (rc != 0) return rc;
    const char *start = chunker->atoms[chunker->start].start;
    chunk->text = (struct span){start, (size_t)(chunker->atoms[end - 1].end - start)};
    chunk->start = count_characters(chunker, start) + 1;
    chunker->start = next_start(chunker, end);
    chunker->covered = end;
    return 0;
}
