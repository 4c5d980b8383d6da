/*
 * ranking.h: the order of documents that a chat model's text tells. Pure.
 *
 * Asked for is {"ranking": [3, 1, 2]}, the numbers of the documents from 1 on, the best first. But
 * models answer as they like, so read are also, from what follows the reasoning (<think>...</think>
 * and kin): JSON within other text or in a code fence, whose numbers may be texts ("3", "[3]") or
 * objects ({"id": 3}); a row of numbers, as "[3] > [1] > [2]" (the form of RankGPT, Sun et al.
 * 2023) or "3,1,2"; and lines that each begin with one, as "1. [3] Batman" or "- Document 3:". A
 * member called "ranking" goes before all else, then the longest list does, of equal ones the last.
 * One number among words is no list: it may be anything. Nor is a list beside which the text names
 * other documents, or that another contradicts: an order that is wrong would not be noticed.
 * Scores and ranks ({"1": 0.2, "2": 0.9}, [{"id": 1, "rank": 2}]) order what they are of; all
 * numbers from 0 on mean the documents from 1 on.
 *
 * What was read is repaired to a permutation: numbers that no document has are dropped, of one that
 * comes twice the first counts, and those that are missing follow in their old order.
 */
#ifndef API_RANKING_H
#define API_RANKING_H

#include <stddef.h>

#include "base/error.h"
#include "base/span.h"

/* order: [n], n 1 or more: places from 0 on, the best first; a permutation. *n_named: how many of
 * them the text told, 0: it holds no list, and the order is the old one. is_cut: the text broke
 * off, so that a number at its very end may be the beginning of another. ERROR_NOMEM. */
int api_ranking_read(struct span text, size_t n, int is_cut, size_t *order, size_t *n_named,
                     struct error *err);

#endif
