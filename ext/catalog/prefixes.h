/*
 * prefixes.h: prefixes that well-known open models were trained with.
 *
 * Providers that take a role (query or document) as a field need none. Source: the models' cards.
 */
#ifndef CATALOG_PREFIXES_H
#define CATALOG_PREFIXES_H

struct prefixes {
    const char *query, *document; /* "" for none */
};

/* Those of the model, in whichever way a server spells its name: with owners, folders, tags, file
 * endings, in either case. NULL: none are known. */
const struct prefixes *prefixes_find(const char *model);

#endif
